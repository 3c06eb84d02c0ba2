"""Policies of 10 MB: how soon they are loaded, what they take, and what an evaluation costs; OPA and regorus beside it."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from sark_e2e.bench.load import Load, run_load
from sark_e2e.loopback import LoopbackNetwork
from sark_e2e.opa import OpaServer

from .client import Evaluation, OpaBench, evaluate, opa_bench
from .corpus import compact
from .finding import Finding, at_most
from .large import Shape, many_packages, much_data, one_rule
from .setting import Measured, Setting

ROW: Final = "large policy"
_MEGA: Final = 1e6
_SEEN: Final = ("first", "last", "none")


@dataclass(frozen=True)
class OpaAtSize:
    """An OPA server with a large policy."""

    ready_seconds: float
    """From the start of the process to its first answer."""
    rss_bytes: int
    """Of the whole process, after it was asked."""
    over_http: dict[str, Load]
    """By name of case, one question at a time."""
    bench: OpaBench
    """Of the last definition."""


def measure(setting: Setting) -> Measured:
    """Measure both shapes. Raises BenchError, also when a result is wrong."""
    findings: list[Finding] = []
    details: dict[str, Any] = {}
    for make in (one_rule, many_packages):
        shape = make(setting.folder / "large", setting.effort.definitions)
        setting.report(f"large policy: {shape.title}")
        engine = _evaluate(setting, "sark", shape, shape.cases)
        interpreter = _evaluate(setting, "interpreter", shape, shape.last)
        opa = measure_opa(setting, shape)
        findings += _findings(shape, engine, interpreter, opa)
        details[shape.name] = {"engine": asdict(engine), "interpreter": asdict(interpreter), "opa": asdict(opa)}
    shape = much_data(setting.folder / "large", setting.effort.definitions)
    setting.report(f"large policy: {shape.title}")
    engine = _evaluate(setting, "sark", shape, shape.cases)
    findings += _engine_findings(shape, engine)
    details[shape.name] = {"engine": asdict(engine)}
    return Measured(findings, details)


def _evaluate(setting: Setting, engine: str, shape: Shape, cases: Path) -> Evaluation:
    return evaluate(setting.programs.bench, engine=engine, policies=shape.policies, cases=cases, seconds=setting.effort.seconds)


def measure_opa(setting: Setting, shape: Shape) -> OpaAtSize:
    """Start OPA with a large policy and ask it. Raises BenchError."""
    over_http = {}
    with LoopbackNetwork() as network:
        folder = setting.folder / f"opa-{shape.policies.name}"
        server = OpaServer(setting.programs.opa, network=network, folder=folder, policies=shape.policies, report=setting.report)
        began = time.monotonic()
        with server:
            ready = time.monotonic() - began
            for case in _SEEN:
                over_http[case] = _ask(setting, server, shape, case, folder)
            rss = _rss_bytes(server.pid)
    path, asked, _ = shape.questions["last"]
    question = folder / "last.json"
    question.write_text(compact(asked), encoding="utf-8")
    bench = opa_bench(setting.programs.opa, policies=shape.policies, path=path, question=question)
    return OpaAtSize(ready, rss, over_http, bench)


def _ask(setting: Setting, server: OpaServer, shape: Shape, case: str, folder: Path) -> Load:
    path, asked, result = shape.questions[case]
    bodies, answers = folder / f"{case}.jsonl", folder / f"{case}.answers.jsonl"
    bodies.write_text(compact({"input": asked}) + "\n", encoding="utf-8")
    answers.write_text(compact({"result": result}) + "\n", encoding="utf-8")
    return run_load(
        setting.programs.bench,
        url=f"{server.url}/v1/data/{path}",
        bodies=bodies,
        answers=answers,
        connections=1,
        seconds=setting.effort.seconds,
    )


def _rss_bytes(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    return 0


def _findings(shape: Shape, engine: Evaluation, interpreter: Evaluation, opa: OpaAtSize) -> list[Finding]:
    name = shape.name

    def beside(what: str, figure: float, unit: str) -> Finding:
        return Finding(ROW, f"{name}: {what}", (figure,), unit)

    worst = tuple(engine.named(case).p99_us for case in _SEEN)
    return [
        Finding(ROW, f"{name}: p99 of an evaluation, the worst of three", (max(worst),), "us", at_most(20)),
        Finding(ROW, f"{name}: load", (engine.load_seconds,), "s", at_most(1.5)),
        Finding(ROW, f"{name}: memory added", (engine.rss_added_bytes / _MEGA,), "MB", at_most(200)),
        *_engine_findings(shape, engine),
        beside("last, p50, regorus' interpreter", interpreter.named("last").p50_us, "us"),
        beside("load, regorus' interpreter", interpreter.load_seconds, "s"),
        beside("memory added, regorus' interpreter", interpreter.rss_added_bytes / _MEGA, "MB"),
        *(beside(f"{case}, p50, OPA over HTTP", opa.over_http[case].p50_us, "us") for case in _SEEN),
        beside("last, evaluation, opa bench", opa.bench.evaluate_us, "us"),
        beside("ready, OPA", opa.ready_seconds, "s"),
        beside("memory, OPA", opa.rss_bytes / _MEGA, "MB"),
    ]


def _engine_findings(shape: Shape, engine: Evaluation) -> list[Finding]:
    """Return what there is to see of the engine that has no goal."""
    found = [(f"{case}, p50", engine.named(case).p50_us, "us") for case in _SEEN]
    found.append(("peak of memory while loading", engine.peak_added_bytes / _MEGA, "MB"))
    if engine.policies_bytes is not None:
        found.append(("memory_bytes", engine.policies_bytes / _MEGA, "MB"))
        found.append(("memory_bytes by memory added", engine.policies_bytes / engine.rss_added_bytes, "x"))
    return [Finding(ROW, f"{shape.name}: {what}", (figure,), unit) for what, figure, unit in found]
