"""How a benchmark is timed and kept: pytest-benchmark calls it in single rounds, and every round's time counts."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest

from sark_e2e.performance.statistics import of_times
from sark_e2e.performance.suite import Numbers, Recording, Suite

Operation = Callable[[Any], object]
Timed = Callable[..., None]
WARM_UP = 200
ROUNDS = 3_000
"""Of an operation that goes over the network; p99 then rests on thirty values."""
FAST_ROUNDS = 30_000


@pytest.fixture
def timed(suite: Suite, benchmark: Any) -> Timed:
    """Call an operation with one argument after the other, and keep its times as `what` of `arm`."""

    def run(what: str, arm: str, operation: Operation, arguments: Iterable[Any], more: Numbers | None = None) -> None:
        given = list(arguments)
        source = iter(given[WARM_UP:])
        for each in given[:WARM_UP]:
            operation(each)
        recording = Recording(suite, "benchmarks", what, arm, "pytest-benchmark", 0)
        benchmark.pedantic(operation, setup=lambda: ((next(source),), {}), rounds=len(given) - WARM_UP, iterations=1)
        recording.keep(of_times(benchmark.stats.stats.data) | {"warm-up": (WARM_UP, "")} | (more or {}))

    return run
