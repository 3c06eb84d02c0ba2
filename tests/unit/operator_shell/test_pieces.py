"""What takes long is reckoned in pieces."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from sark_operator.shell import pieces
from sark_operator.shell.pieces import Pieces

pytestmark = pytest.mark.asyncio


def steps(name: str, count: int, done: list[str]) -> Iterator[None]:
    for _ in range(count):
        done.append(name)
        yield


async def test_what_fits_into_one_piece_is_done_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "PIECE_SECONDS", 60.0)
    done: list[str] = []
    reckoning = Pieces().reckon(steps("a", 1000, done))
    with pytest.raises(StopIteration):
        reckoning.send(None)
    assert len(done) == 1000


async def test_those_who_need_many_take_turns_and_every_step_is_taken_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "PIECE_SECONDS", 0.0)
    done: list[str] = []
    shared = Pieces()
    await asyncio.gather(*(shared.reckon(steps(name, 50, done)) for name in "abc"))
    assert sorted(done) == sorted("abc" * 50)
    assert all(len(set(done[at : at + 3])) == 3 for at in range(0, 120, 3))


async def test_the_loop_has_one_piece_at_a_time_however_many_reckon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "PIECE_SECONDS", 0.0)
    done: list[str] = []
    shared = Pieces()
    everyone = asyncio.gather(*(shared.reckon(steps(f"{number}", 5, done)) for number in range(20)))
    await asyncio.sleep(0)  # each has done its first
    while not everyone.done():
        before = len(done)
        await asyncio.sleep(0)
        assert len(done) - before <= 1
    assert len(done) == 100


async def test_one_that_is_given_up_holds_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "PIECE_SECONDS", 0.0)
    done: list[str] = []
    shared = Pieces()
    first = asyncio.create_task(shared.reckon(steps("a", 10_000, done)))
    await asyncio.sleep(0)
    other = asyncio.create_task(shared.reckon(steps("b", 10, done)))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.wait_for(other, 20)
    assert done.count("b") == 10
