"""Events on a descriptor: lines in OPA's shape, a reader that has stopped, one that has gone."""

from __future__ import annotations

import asyncio
import json
import os
from collections import Counter
from collections.abc import Iterator

import pytest

from sark_sidecar.decision_logs.console import Console, write_all


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reader, writer = os.pipe()
    yield reader, writer
    for descriptor in (reader, writer):
        try:
            os.close(descriptor)
        except OSError:
            continue


def event(number: int, size: int = 0) -> bytes:
    return json.dumps({"decision_id": str(number), "input": "x" * size}).encode()


@pytest.mark.asyncio
async def test_events_become_lines_as_opa_writes_them(pipe: tuple[int, int]):
    lost: Counter[str] = Counter()
    console = Console(pipe[1], buffer_bytes=1 << 20, on_loss=lambda reason, count: lost.update({reason: count}))
    task = asyncio.create_task(console.run())
    console.offer([event(1), event(2, 10_000)])
    await asyncio.wait_for(console.finish(), 20)
    task.cancel()
    lines = [json.loads(line) for line in os.read(pipe[0], 65_536).splitlines()]
    assert [line["decision_id"] for line in lines] == ["1", "2"]
    assert {(line["msg"], line["type"]) for line in lines} == {("Decision Log", "openpolicyagent.org/decision_logs")}
    assert (console.status()["written"], lost) == (2, Counter())


@pytest.mark.asyncio
async def test_a_reader_that_has_stopped_costs_events_and_nothing_else(pipe: tuple[int, int]):
    lost: Counter[str] = Counter()
    console = Console(pipe[1], buffer_bytes=200_000, on_loss=lambda reason, count: lost.update({reason: count}))
    task = asyncio.create_task(console.run())
    for number in range(100):
        console.offer([event(number, 10_000)])
        await asyncio.sleep(0)
    assert lost["buffer"] > 0
    assert console.status()["waiting_bytes"] <= 200_000
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(console.finish(), 0.3)
    # And the thread that waits for the reader ends when it is told to
    console.stop()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.mark.asyncio
async def test_a_reader_that_has_gone_is_told_of(pipe: tuple[int, int]):
    lost: Counter[str] = Counter()
    console = Console(pipe[1], buffer_bytes=1 << 20, on_loss=lambda reason, count: lost.update({reason: count}))
    os.close(pipe[0])
    task = asyncio.create_task(console.run())
    console.offer([event(1)])
    async with asyncio.timeout(20):
        while not lost["unsent"]:  # noqa: ASYNC110 - the console tells nobody
            await asyncio.sleep(0.01)
    task.cancel()
    assert "Broken pipe" in console.status()["problem"]


def test_writing_ends_when_it_is_told_to(pipe: tuple[int, int]):
    with pytest.raises(InterruptedError):
        write_all(pipe[1], b"x" * 10_000_000, stops=lambda: True)
