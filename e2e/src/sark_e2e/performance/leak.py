"""`python -m sark_e2e.performance.leak`: one component does many operations in this process, which watches its own memory.

A tenth of the operations comes first and is not counted: pools and caches fill once.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import psutil
from redis import asyncio as awaiting
from sark_engine import Engine, Policies

from sark_e2e.bench.failure import BenchError

from . import bodies, callers
from .asked import Asked

COMPONENTS: Final = ("opa-client", "cache")
_SAMPLES: Final = 50
_DECISION: Final = b'{"allow":true,"reason":"granted by developer"}'
_KEPT: Final = 10_000


def run(operation: Callable[[int], object], operations: int) -> dict[str, list[float]]:
    """Do all operations and return how many were done and the resident MB, fifty times."""
    process = psutil.Process()
    for number in range(operations // 10):
        operation(number)
    step = max(operations // _SAMPLES, 1)
    seen: dict[str, list[float]] = {"operations": [], "memory": []}
    for number in range(operations + 1):
        if number % step == 0:
            gc.collect()
            seen["operations"].append(number)
            seen["memory"].append(process.memory_info().rss / 1e6)
        operation(number)
    return seen


def _opa_client(arm: str, url: str, asked: Asked, policies: Path, operations: int) -> dict[str, list[float]]:
    questions, answers = bodies.fresh(asked, 500)
    if arm == "rust":
        engine = Engine(Policies.from_paths([policies]))
        given, right = bodies.inputs(questions), bodies.results(answers)
        return run(lambda number: _same(engine.evaluate(asked.path, given[number % 500]), right[number % 500]), operations)
    with callers.with_aiohttp(url) as ask:
        return run(lambda number: _same(ask(questions[number % 500]), answers[number % 500]), operations)


def _cache(arm: str, url: str, asked: Asked, policies: Path, operations: int) -> dict[str, list[float]]:
    if arm == "rust":
        engine = Engine(Policies.from_paths([policies]), cache_max_entries=_KEPT, cache_ttl_seconds=300)
        questions, answers = bodies.fresh(asked, operations + 1)
        given, right = bodies.inputs(questions), bodies.results(answers)
        del questions, answers
        return run(lambda number: _same(engine.decide(asked.path, given[number]), right[number]), operations)
    loop = asyncio.new_event_loop()
    client = awaiting.Redis.from_url(url)

    async def one(number: int) -> None:
        name = f"policy:decision:v2:{number % _KEPT}"
        await client.set(name, _DECISION, ex=300)
        if await client.get(name) != _DECISION:
            raise BenchError("Redis did not give back what was put in")
        await client.delete(name)

    try:
        return run(lambda number: loop.run_until_complete(one(number)), operations)
    finally:
        loop.run_until_complete(client.aclose())
        loop.close()


def _same(answer: bytes | None, expected: bytes) -> None:
    if answer is None or (answer.strip() != expected and json.loads(answer) != json.loads(expected)):
        raise BenchError(f"the decision was {answer!r}; expected was {expected!r}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one component and print what was seen as JSON."""
    parser = argparse.ArgumentParser(prog="python -m sark_e2e.performance.leak", description=__doc__)
    parser.add_argument("component", choices=COMPONENTS)
    parser.add_argument("arm", choices=("python", "rust"))
    parser.add_argument("--url", required=True, help="of OPA's path, or of Redis")
    parser.add_argument("--path", required=True)
    parser.add_argument("--bodies", type=Path, required=True)
    parser.add_argument("--answers", type=Path, required=True)
    parser.add_argument("--policies", type=Path, required=True)
    parser.add_argument("--operations", type=int, default=100_000)
    options = parser.parse_args(arguments)
    component = {"opa-client": _opa_client, "cache": _cache}[options.component]
    asked = Asked(options.path, options.bodies, options.answers)
    print(json.dumps(component(options.arm, options.url, asked, options.policies, options.operations)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
