"""Breaking points: how much an arm answers, how many connections it holds, and policies of 10 MB."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sark_e2e import binaries
from sark_e2e.bench.contestants import Programs
from sark_e2e.bench.engine import large_policy
from sark_e2e.bench.engine.client import evaluate
from sark_e2e.bench.engine.large import Shape, many_packages, one_rule
from sark_e2e.bench.engine.setting import Effort, Setting
from sark_e2e.bench.failure import BenchError
from sark_e2e.bench.load import Load, run_load

from .bodies import fresh
from .callers import RawCaller
from .load import of_usage
from .open_loop import OpenLoop
from .open_loop import run as run_open_loop
from .sampling import Sampler
from .stand import MOST_CONNECTIONS, PYTHON, RUST, Stand
from .suite import Numbers, Recording, Suite

DEFINITIONS: Final = 100_000
"""Of the large policy: about 10 MB of Rego."""
_HELD: Final = 0.97
"""Share of what is asked that must be answered in time for a rate to count as held."""
_LATE_MS: Final = 100.0
"""A p95 above it: questions pile up."""
_STAIRS: Final = {
    PYTHON: (250, 500, 750, 1_000, 1_500, 2_000, 3_000),
    RUST: (2_000, 5_000, 10_000, 15_000, 20_000, 30_000, 40_000, 60_000),
}
_STAIR_SECONDS: Final = 60.0
_SHORTEST_SECONDS: Final = 4.0
_CONNECTIONS: Final = 256
_CLOSED: Final = 64
_BEYOND: Final = 50


@dataclass(frozen=True)
class Stair:
    """One rate of the staircase."""

    rate: float
    seen: OpenLoop
    cpu_percent: float

    @property
    def held(self) -> bool:
        """Whether the arm kept up."""
        enough = self.seen.per_second >= _HELD * self.rate
        return enough and self.seen.error_percent < 1 and self.seen.p95_ms < _LATE_MS


def maximum_throughput(suite: Suite, stand: Stand, arm: str) -> None:
    """Raise the rate until the arm no longer keeps up, then let 64 connections ask as fast as they are answered."""
    asked = stand.asked["mixed"]
    stairs: list[Stair] = []
    recording = Recording(suite, "stress", "maximum-throughput", arm, "open-loop", _STAIR_SECONDS * len(_STAIRS[arm]))
    for rate in _STAIRS[arm]:
        stairs.append(_stair(suite, stand, arm, rate))
        suite.report(f"  {rate}/s: p95 {stairs[-1].seen.p95_ms:.3g} ms, {stairs[-1].seen.per_second:,.0f} answered")
        if not stairs[-1].held:
            break
    with Sampler(stand.servers(arm)) as usage:
        closed = run_load(
            suite.client,
            url=stand.url(arm, asked.path),
            bodies=asked.bodies,
            answers=asked.answers,
            connections=_CLOSED,
            seconds=max(_STAIR_SECONDS * suite.scale, _SHORTEST_SECONDS),
        )
    rates = [stair.rate for stair in stairs]
    recording.keep(
        _of_stairs(stairs, closed) | of_usage(usage),
        {
            "p95-by-rate": ("ms", rates, [stair.seen.p95_ms for stair in stairs]),
            "cpu-by-rate": ("%", rates, [stair.cpu_percent for stair in stairs]),
            "answered-by-rate": ("1/s", rates, [stair.seen.per_second for stair in stairs]),
        },
        notes=["the series' first numbers are questions a second, not seconds"],
    )


def _stair(suite: Suite, stand: Stand, arm: str, rate: float) -> Stair:
    asked = stand.asked["mixed"]
    with Sampler(stand.servers(arm)) as usage:
        seen = run_open_loop(
            suite.client,
            url=stand.url(arm, asked.path),
            bodies=asked.bodies,
            answers=asked.answers,
            rate=rate,
            connections=_CONNECTIONS,
            seconds=max(_STAIR_SECONDS * suite.scale, _SHORTEST_SECONDS),
        )
    return Stair(rate, seen, usage.cpu_mean_percent)


def _of_stairs(stairs: list[Stair], closed: Load) -> Numbers:
    held = [stair for stair in stairs if stair.held]
    best, last = (held or stairs)[-1], stairs[-1]
    numbers: Numbers = {
        "held-rate": (best.rate if held else 0, "1/s"),
        "held-p95": (best.seen.p95_ms, "ms"),
        "held-cpu": (best.cpu_percent, "%"),
        "last-rate": (last.rate, "1/s"),
        "last-answered": (last.seen.per_second, "1/s"),
        "last-p95": (last.seen.p95_ms, "ms"),
        "last-errors": (last.seen.error_percent, "%"),
        "last-cpu": (last.cpu_percent, "%"),
        "last-generator-cpu": (last.seen.generator_cpu_percent, "%"),
        "broke": (0 if last.held else 1, ""),
        "throughput": (closed.per_second, "1/s"),
        "throughput-p95": (closed.p95_us / 1e3, "ms"),
        "wrong": (0, ""),
    }
    return numbers


def large_policies(suite: Suite, folder: Path) -> None:
    """Compile and ask policies of 10 MB in two shapes, in the engine and in OPA."""
    for make in (one_rule, many_packages):
        shape = make(folder / "large", DEFINITIONS)
        name = shape.policies.name
        recording = Recording(suite, "stress", f"large-policy-{name}", RUST, "sark-bench", 0)
        engine = evaluate(suite.client, engine="sark", policies=shape.policies, cases=shape.cases, seconds=2)
        times = [engine.named(case) for case in ("first", "last", "none")]
        size = sum(path.stat().st_size for path in shape.policies.iterdir()) / 1e6
        recording.keep(
            {
                "size": (size, "MB"),
                "compile": (1e3 * engine.load_seconds, "ms"),
                "eval": (max(each.p50_us for each in times) / 1e3, "ms"),
                "eval-p99": (max(each.p99_us for each in times) / 1e3, "ms"),
                "memory": (engine.rss_added_bytes / 1e6, "MB"),
            }
        )
        _large_in_opa(suite, folder, shape)


def _large_in_opa(suite: Suite, folder: Path, shape: Shape) -> None:
    recording = Recording(suite, "stress", f"large-policy-{shape.policies.name}", "opa", "sark-bench", 0)
    programs = Programs(suite.client, binaries.program("opa"), binaries.redis_server())
    effort = Effort(rounds=1, seconds=2, definitions=DEFINITIONS, entries=0)
    unused: Any = None
    opa = large_policy.measure_opa(Setting(programs, folder, unused, unused, effort, suite.report), shape)
    recording.keep(
        {
            "compile": (1e3 * opa.ready_seconds, "ms"),
            "eval": (max(each.p50_us for each in opa.over_http.values()) / 1e3, "ms"),
            "eval-p99": (max(each.p99_us for each in opa.over_http.values()) / 1e3, "ms"),
            "eval-alone": (opa.bench.evaluate_us / 1e3, "ms"),
            "memory": (opa.rss_bytes / 1e6, "MB"),
        },
        notes=[
            "compile is the time from the start of the process to its first answer; eval is over HTTP, eval-alone `opa bench`"
        ],
    )


def connections(suite: Suite, stand: Stand) -> None:
    """Open as many connections as the sidecar takes and some more, ask on each, and see what those beyond get."""
    asked = stand.asked["hit"]
    (question,), (answer,) = fresh(asked, 1)
    url = stand.url(RUST, asked.path)
    recording = Recording(suite, "stress", "connections", RUST, "sockets", 0)
    answered, refused, waits = 0, 0, []
    with contextlib.ExitStack() as stack, Sampler(stand.servers(RUST)) as usage:
        callers = []
        for _ in range(MOST_CONNECTIONS + _BEYOND):
            try:
                callers.append(stack.enter_context(contextlib.closing(RawCaller(url))))
            except OSError:
                refused += 1
        for caller in callers:
            began = time.perf_counter()
            try:
                right = caller(question).strip() == answer
            except (BenchError, OSError):
                refused += 1
                continue
            if not right:
                raise BenchError("a decision on one of many connections was wrong")
            answered += 1
            waits.append(time.perf_counter() - began)
    _still_answers(url, question, answer)
    waits.sort()
    recording.keep(
        {
            "limit": (MOST_CONNECTIONS, ""),
            "opened": (MOST_CONNECTIONS + _BEYOND, ""),
            "answered": (answered, ""),
            "refused": (refused, ""),
            "wrong": (0, ""),
            "p95": (1e3 * waits[int(len(waits) * 0.95)], "ms"),
        }
        | of_usage(usage)
    )


def _still_answers(url: str, question: bytes, answer: bytes) -> None:
    """Require that after the flood one more caller is served. Raises BenchError."""
    deadline = time.monotonic() + 10
    while True:
        try:
            with contextlib.closing(RawCaller(url)) as caller:
                if caller(question).strip() == answer:
                    return
        except (TimeoutError, BenchError, OSError):
            pass
        if time.monotonic() > deadline:
            raise BenchError("the sidecar did not answer again after its connections were used up")
        time.sleep(0.1)
