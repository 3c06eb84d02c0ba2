"""Events on a descriptor: lines in OPA's shape, a reader that has stopped, one that has gone."""

from __future__ import annotations

import asyncio
import json
import os
from collections import Counter
from collections.abc import Iterator

import pytest

from sark_sidecar.decision_logs import console as console_module
from sark_sidecar.decision_logs.console import Console, console_line, write_all


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


@pytest.mark.asyncio
@pytest.mark.parametrize("taken", [0, 1, 3000, 4096, "all of the first line"])
async def test_after_a_part_of_a_line_the_next_event_has_a_line_of_its_own(
    pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch, taken: int | str
):
    # Given a disk that is full after so many bytes, and later has room again
    monkeypatch.setattr(console_module, "_BROKEN_SECONDS", 0.0)
    room = len(console_line(event(1, 5000))) if isinstance(taken, str) else taken
    write, lost = os.write, Counter[str]()

    def write_some(descriptor: int, text: bytes) -> int:
        nonlocal room
        if descriptor != pipe[1] or lost:
            return write(descriptor, text)
        if not room:
            raise OSError(28, "No space left on device")
        written = write(descriptor, text[:room])
        room -= written
        return written

    monkeypatch.setattr(os, "write", write_some)
    console = Console(pipe[1], buffer_bytes=1 << 20, on_loss=lambda reason, count: lost.update({reason: count}))
    task = asyncio.create_task(console.run())
    # When events are written before and after
    console.offer([event(1, 5000), event(2)])
    await asyncio.wait_for(console.finish(), 20)
    console.offer([event(3), event(4)])
    await asyncio.wait_for(console.finish(), 20)
    task.cancel()
    # Then those after it can be read, and no line is empty
    lines = os.read(pipe[0], 65_536).splitlines()
    assert [json.loads(line)["decision_id"] for line in lines[-2:]] == ["3", "4"]
    assert len(lines) == 2 + (taken != 0)
    assert all(lines)
