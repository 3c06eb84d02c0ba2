"""What waits for another look at OPA before it goes to Redis: for how long, how much, and what becomes of it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from sark_sidecar.baseline.keeping import Keeping


class Redis:
    """Stands for Redis."""

    def __init__(self) -> None:
        self.sets: list[tuple[str, bytes, float]] = []
        self.under_way = self.most_under_way = 0

    async def get(self, keys: Sequence[str]) -> list[bytes | None]:
        return [None for _ in keys]

    async def set(self, key: str, value: bytes, seconds: float) -> None:
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        await asyncio.sleep(0)
        self.under_way -= 1
        self.sets.append((key, value, seconds))


class Scene:
    """Decisions, looks and a clock."""

    def __init__(self, **limits: int) -> None:
        self.redis = Redis()
        self.now = 0.0
        self.holds = True
        self.wanted: list[asyncio.Future[None]] = []
        self.keeping = Keeping(self.redis, self._again, clock=lambda: self.now, **limits)

    def keep(self, key: str, value: bytes = b"true", seconds: float = 60.0) -> None:
        self.keeping.keep(key, value, seconds, lambda: self.holds)

    def begin(self) -> list[asyncio.Future[None]]:
        """Begin a look; what is kept from now on waits for the one after it."""
        begun, self.wanted = self.wanted, []
        return begun

    async def end(self, begun: list[asyncio.Future[None]]) -> list[str]:
        """End it, and return the keys put into Redis since."""
        before = len(self.redis.sets)
        for future in begun:
            future.set_result(None)
        await asyncio.sleep(0)
        await self.keeping.write()
        return [key for key, _, _ in self.redis.sets[before:]]

    def _again(self) -> asyncio.Future[None]:
        self.wanted.append(future := asyncio.get_running_loop().create_future())
        return future


@pytest.mark.asyncio
async def test_a_look_that_had_begun_before_the_decision_confirms_nothing():
    scene = Scene()
    scene.keep("before")
    begun = scene.begin()
    scene.keep("meanwhile")
    assert await scene.end(begun) == ["before"]
    assert await scene.end(scene.begin()) == ["meanwhile"]


@pytest.mark.asyncio
async def test_a_life_is_counted_from_the_decision_and_not_from_the_look():
    # Given two decisions, one of which will not live until the look is over
    scene = Scene()
    scene.keep("short", seconds=2.0)
    scene.keep("long", seconds=60.0)
    scene.keep("none", seconds=0.0)
    # When that is three seconds later
    scene.now = 3.0
    await scene.end(scene.begin())
    # Then the other has three seconds less
    assert scene.redis.sets == [("long", b"true", 57.0)]


@pytest.mark.asyncio
async def test_what_is_asked_all_the_time_is_kept_by_the_first_look_that_may():
    # Given a question that is asked again while every look is under way
    scene = Scene()
    scene.keep("hot", b"1")
    begun = scene.begin()
    scene.keep("hot", b"2")
    # Then the first decision is through with the first look, and the second waits for none
    assert await scene.end(begun) == ["hot"]
    assert scene.redis.sets == [("hot", b"1", 60.0)]
    assert await scene.end(scene.begin()) == []


@pytest.mark.asyncio
async def test_a_decision_takes_the_place_of_one_that_no_longer_holds():
    scene = Scene()
    scene.keep("a", b"old")
    scene.holds = False
    scene.keep("a", b"new")
    scene.holds = True
    await scene.end(scene.begin())
    assert [value for _, value, _ in scene.redis.sets] == [b"new"]


@pytest.mark.parametrize("limits", [{"most": 3}, {"most_bytes": 3 * 520}], ids=["number", "bytes"])
@pytest.mark.asyncio
async def test_more_than_may_wait_is_not_kept_and_those_before_are(limits: dict[str, int]):
    scene = Scene(**limits)
    for number in range(10):
        scene.keep(f"k{number}", b"true")
    assert await scene.end(scene.begin()) == ["k0", "k1", "k2"]
    # And then there is room again, also when what waited was not confirmed
    scene.holds = False
    scene.keep("x")
    assert await scene.end(scene.begin()) == []
    scene.holds = True
    for number in range(10):
        scene.keep(f"n{number}", b"true")
    assert await scene.end(scene.begin()) == ["n0", "n1", "n2"]


@pytest.mark.asyncio
async def test_writes_leave_connections_to_requests():
    scene = Scene()
    for number in range(200):
        scene.keep(f"k{number}")
    assert len(await scene.end(scene.begin())) == 200
    assert scene.redis.most_under_way <= 16


@pytest.mark.asyncio
async def test_it_runs_by_itself():
    scene = Scene()
    running = asyncio.ensure_future(scene.keeping.run())
    for key in ("a", "b"):
        scene.keep(key)
        for future in scene.begin():
            future.set_result(None)
        async with asyncio.timeout(5):
            while scene.redis.sets[-1:] != [(key, b"true", 60.0)]:  # noqa: ASYNC110 - a turn of the loop, no waiting
                await asyncio.sleep(0)
    running.cancel()


@pytest.mark.asyncio
async def test_a_decision_that_cannot_be_kept_makes_room_for_the_next() -> None:
    # Given a Redis that fails as nobody foresaw
    scene = Scene()

    async def fails(key: str, value: bytes, seconds: float) -> None:
        raise IndexError

    sets, scene.redis.set = scene.redis.set, fails  # type: ignore[method-assign]
    scene.keep("a")
    with pytest.raises(IndexError):
        await scene.end(scene.begin())

    # When the same one is kept again, then it is put there
    scene.redis.set = sets  # type: ignore[method-assign]
    scene.keep("a")
    assert await scene.end(scene.begin()) == ["a"]


@pytest.mark.asyncio
async def test_a_decision_whose_time_is_over_does_not_wait_in_the_way_of_the_next() -> None:
    # Given a decision that waits for a look until its life is over
    scene = Scene()
    scene.keep("a", b"false", seconds=10.0)
    begun = scene.begin()
    scene.now = 11.0

    # When the same question has been decided anew, then that is kept
    scene.keep("a", b"true", seconds=10.0)
    assert await scene.end(begun) == []
    assert await scene.end(scene.begin()) == ["a"]
    assert scene.redis.sets[0][1] == b"true"
