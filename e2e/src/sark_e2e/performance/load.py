"""The load scenarios on one arm: by the open loop, and by Locust, while the servers are watched and Prometheus scrapes them."""

from __future__ import annotations

import json
import math
import sys
import time
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any, Final

import psutil

from sark_e2e.bench.failure import BenchError
from sark_e2e.process import Process

from .asked import Asked
from .open_loop import OpenLoop
from .open_loop import run as run_open_loop
from .raw import SUITE
from .sampling import Sampler, Usage
from .scenarios import PER_USER, Scenario
from .stand import Stand
from .suite import AllSeries, Numbers, Recording, Suite

OPEN_LOOP: Final = "open-loop"
LOCUST: Final = "locust"
_LOCUSTFILE: Final = SUITE / "load" / "scenarios.py"
_OPENER: Final = urllib.request.build_opener(urllib.request.ProxyHandler({}))
_SETTLE_SECONDS: Final = 1.5
_WARM_UP_SECONDS: Final = 6.0
"""Longer than from one look at OPA to the next: only then does the baseline keep what it was asked."""
_CALM_SECONDS: Final = 30.0
_EXCUSED: Final = 60.0


def open_loop(suite: Suite, stand: Stand, scenario: Scenario, arm: str) -> None:
    """Measure one scenario on one arm and keep the result. Raises BenchError, also when a decision is wrong."""
    asked = stand.asked[scenario.asked]
    _warm_up(suite, stand, asked, arm)
    recording = Recording(suite, "load", scenario.name, arm, OPEN_LOOP, scenario.minutes * 60)
    with Sampler(stand.servers(arm)) as usage:
        seen = run_open_loop(
            suite.client,
            url=stand.url(arm, asked.path),
            bodies=asked.bodies,
            answers=asked.answers,
            rate=scenario.rate,
            connections=scenario.users,
            seconds=scenario.seconds(suite.scale),
            ramp=scenario.ramp(suite.scale),
        )
    numbers = _of_open_loop(seen, scenario) | of_usage(usage) | _of_server(stand, arm, usage)
    recording.keep(numbers, _series(usage, seen.answers_each_second))


def locust(suite: Suite, stand: Stand, scenario: Scenario, arm: str) -> None:
    """Measure one scenario on one arm with Locust, and what Locust itself needed. Raises BenchError."""
    asked = stand.asked[scenario.asked]
    _warm_up(suite, stand, asked, arm)
    recording = Recording(suite, "load", scenario.name, arm, LOCUST, scenario.minutes * 60)
    seconds = scenario.seconds(suite.scale)
    folder = stand.folder / f"locust-{scenario.name}-{arm}"
    folder.mkdir(parents=True, exist_ok=True)
    stats = folder / "stats.json"
    process = Process(
        "locust",
        [
            *(sys.executable, "-m", "locust", "--headless", f"--locustfile={_LOCUSTFILE}"),
            *(f"--users={scenario.users}", f"--spawn-rate={scenario.users / max(scenario.ramp(suite.scale), 1.0):g}"),
            *(f"--run-time={math.ceil(seconds)}s", "--only-summary", "--loglevel=WARNING", "--stop-timeout=5"),
        ],
        environment={
            "SARK_LOAD_URL": stand.url(arm, asked.path),
            "SARK_LOAD_BODIES": str(asked.bodies),
            "SARK_LOAD_ANSWERS": str(asked.answers),
            "SARK_LOAD_STATS": str(stats),
        },
        log=folder / "locust.log",
    )
    with process, Sampler(stand.servers(arm)) as usage:
        watched, cpu, began = psutil.Process(process.pid), 0.0, time.monotonic()
        while process.running and time.monotonic() - began < seconds + _EXCUSED:
            try:
                cpu = sum(watched.cpu_times()[:2])
            except psutil.Error:
                break
            time.sleep(0.2)
        took = time.monotonic() - began
        process.wait(seconds=_EXCUSED)
    members = _read_locust(stats, process)
    numbers = _of_locust(members, scenario) | of_usage(usage) | _of_server(stand, arm, usage)
    recording.keep(numbers | {"generator-cpu": (100 * cpu / took, "%")}, _series(usage, members["each_second"]))


def of_usage(usage: Usage) -> Numbers:
    """Return what the servers took, as numbers."""
    return {
        "cpu": (usage.cpu_mean_percent, "%"),
        "memory": (usage.memory_at_end_mb, "MB"),
        **{f"memory-{name}": (value, "MB") for name, value in usage.memory_by_name.items()},
    }


def _warm_up(suite: Suite, stand: Stand, asked: Asked, arm: str) -> None:
    """Ask each question some times, and wait until a server that was overloaded before is calm again."""
    deadline = time.monotonic() + _CALM_SECONDS
    while True:
        seen = run_open_loop(
            suite.client,
            url=stand.url(arm, asked.path),
            bodies=asked.bodies,
            answers=asked.answers,
            rate=200,
            connections=8,
            seconds=_WARM_UP_SECONDS,
        )
        if seen.refused + seen.unanswered == 0:
            return
        if time.monotonic() > deadline:
            raise BenchError(f"the {arm} arm does not answer 200 questions a second within {_CALM_SECONDS:.0f} s")


def _of_open_loop(seen: OpenLoop, scenario: Scenario) -> Numbers:
    return {
        "users": (scenario.users, ""),
        "rate": (scenario.rate, "1/s"),
        "asked": (seen.asked, ""),
        "answers": (seen.answers, ""),
        "refused": (seen.refused, ""),
        "unanswered": (seen.unanswered, ""),
        "wrong": (0, ""),
        "throughput": (_plateau(seen), "1/s"),
        "p50": (seen.p50_ms, "ms"),
        "p95": (seen.p95_ms, "ms"),
        "p99": (seen.p99_ms, "ms"),
        "mean": (seen.mean_ms, "ms"),
        "max": (seen.max_ms, "ms"),
        "errors": (seen.error_percent, "%"),
        "generator-late-p99": (seen.late_p99_ms, "ms"),
        "generator-cpu": (seen.generator_cpu_percent, "%"),
    }


def _plateau(seen: OpenLoop) -> float:
    """Return answers a second in the second half of the load, when all users are there; the last second is not a whole one."""
    whole = seen.answers_each_second[:-1] or seen.answers_each_second
    late = whole[len(whole) // 2 :]
    share = (seen.answers - seen.refused) / max(seen.answers, 1)
    return share * sum(late) / max(len(late), 1)


def _of_locust(members: dict[str, Any], scenario: Scenario) -> Numbers:
    if members["wrong"]:
        raise BenchError(f"{members['wrong']} decisions were wrong; the first: {members['first_wrong']}")
    whole = members["each_second"][:-1] or members["each_second"]
    late = whole[len(whole) // 2 :]
    requests, failures = int(members["requests"]), int(members["failures"])
    return {
        "users": (scenario.users, ""),
        "rate": (scenario.users * PER_USER, "1/s"),
        "asked": (requests, ""),
        "answers": (requests - failures, ""),
        "refused": (failures, ""),
        "wrong": (0, ""),
        "throughput": (sum(late) / max(len(late), 1), "1/s"),
        **{name: (float(members[f"{name}_ms"]), "ms") for name in ("p50", "p95", "p99")},
        "errors": (100 * failures / max(requests, 1), "%"),
    }


def _read_locust(stats: Path, process: Process) -> dict[str, Any]:
    try:
        members: dict[str, Any] = json.loads(stats.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BenchError(f"Locust left no result ({error}); end of its log:\n{process.tail()}") from error
    return members


def _of_server(stand: Stand, arm: str, usage: Usage) -> Numbers:
    """Return what Prometheus saw at the sidecar: the answers a second at their most, and the p95 from body to answer."""
    time.sleep(_SETTLE_SECONDS)
    window = max(int(usage.at[-1] if usage.at else 1) + 1, 3)
    histogram = f'rate(sark_request_duration_seconds_bucket{{arm="{arm}"}}[{window}s])'
    queries = {
        "server-p95": (f"1000 * histogram_quantile(0.95, sum by (le) ({histogram}))", "ms"),
        "server-throughput": (f'max_over_time(sum(rate(sark_requests_total{{arm="{arm}"}}[4s]))[{window}s:1s])', "1/s"),
    }
    return {name: (query(stand, text), unit) for name, (text, unit) in queries.items()}


def query(stand: Stand, text: str) -> float:
    """Return the one number that a PromQL query gives. Raises BenchError when it gives none."""
    url = f"{stand.prometheus_url}/api/v1/query?{urllib.parse.urlencode({'query': text})}"
    with _OPENER.open(url, timeout=10) as answer:
        result = json.load(answer)["data"]["result"]
    if not result or not math.isfinite(float(result[0]["value"][1])):
        raise BenchError(f"Prometheus has no number for {text}")
    return float(result[0]["value"][1])


def _series(usage: Usage, each_second: Any) -> AllSeries:
    seconds = [float(number) for number in range(len(each_second))]
    return {
        "throughput": ("1/s", seconds, [float(each) for each in each_second]),
        "cpu": ("%", usage.at, usage.cpu_percent),
        "memory": ("MB", usage.at, usage.memory_mb),
    }
