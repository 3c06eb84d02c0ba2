"""Who waits for whom in front of servers."""

from __future__ import annotations

import asyncio

import pytest

from sark_operator.shell import rooms
from sark_operator.shell.rooms import CUSTOM, MOST_ROOMS, NARROWED, PLACES, SIGNS, Claim, Kind, Place, Room, Rooms

pytestmark = pytest.mark.asyncio
GOOD = "http://prometheus:9090"


async def hang(all_rooms: Rooms, number: int) -> list[Place]:
    """Let so many servers hang, each with as many questions as it may have."""
    hanging = [all_rooms.of(f"http://hangs-{each}") for each in range(number)]
    return [await asyncio.wait_for(room.enter(), 1) for room in hanging for _ in range(PLACES)]


@pytest.mark.parametrize(
    "spelt", [f"{GOOD}/", f"{GOOD}/prometheus", "http://PROMETHEUS.:9090/x/../y", "http://prometheus:9090/%2e"]
)
async def test_one_server_has_one_room_however_it_is_spelt(spelt: str) -> None:
    all_rooms = Rooms()
    assert all_rooms.of(spelt) is all_rooms.of(GOOD)


@pytest.mark.parametrize("other", ["https://prometheus:9090", "http://prometheus", "http://prometheus-1:9090", "http://[abc"])
async def test_another_server_has_another_room(other: str) -> None:
    all_rooms = Rooms()
    assert all_rooms.of(other) is not all_rooms.of(GOOD)


async def test_a_server_that_answered_keeps_its_room_whoever_hangs() -> None:
    # Given a server that has answered, and nobody is there
    all_rooms = Rooms()
    room = all_rooms.of(GOOD)
    (await room.enter()).leave(answered=True)

    # When as many servers hang as there are rooms
    await hang(all_rooms, MOST_ROOMS - 2)
    one, other = all_rooms.of("http://one-more"), all_rooms.of("http://two-more")

    # Then its room is its own, and those beyond share one
    assert all_rooms.of(GOOD) is room
    assert one is other


async def test_a_room_nobody_is_in_goes_to_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given servers that could not be reached, or answered long ago
    monkeypatch.setattr(rooms, "KEPT_SECONDS", -1.0)
    all_rooms = Rooms()
    for each in range(MOST_ROOMS * 2):
        room = all_rooms.of(f"http://gone-{each}")
        (await room.enter()).leave(answered=bool(each % 2))

    # When others come, then each has a room of its own
    assert all_rooms.of(GOOD) is not all_rooms.of("http://another")
    assert len(all_rooms._rooms) < MOST_ROOMS


async def test_who_goes_away_while_waiting_takes_no_place() -> None:
    # Given a room that is full, and one who waits
    all_rooms = Rooms()
    places = await hang(all_rooms, 1)
    room = all_rooms.of("http://hangs-0")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(room.enter(), 0.01)

    # When all have left, then it is free
    for place in places:
        assert not room.is_free
        place.leave(answered=False)
    assert room.is_free


async def enter(room: Room, *claims: Claim | None) -> list[Place]:
    """Return the places there are, until one has to wait."""
    places: list[Place] = []
    for claim in claims:
        try:
            places.append(await asyncio.wait_for(room.enter(claim), 0.01))
        except TimeoutError:
            break
    return places


@pytest.mark.parametrize(("kind", "other"), [(CUSTOM, NARROWED), (NARROWED, CUSTOM)])
async def test_what_rollouts_ask_for_themselves_leaves_places_to_what_others_do(kind: Kind, other: Kind) -> None:
    # Given questions of one kind, each of another namespace, of which more would wait
    room = Rooms().of(GOOD)
    places = await enter(room, *(Claim(f"team-{number}", kind) for number in range(PLACES)))
    assert len(places) == kind.places

    # Then those of the other kind have theirs, and what is about all has places left
    others = await enter(room, *(Claim(f"shop-{number}", other) for number in range(PLACES)))
    assert len(others) == other.places
    assert len(await enter(room, *([None] * PLACES))) == PLACES - kind.places - other.places


@pytest.mark.parametrize("kind", [CUSTOM, NARROWED])
async def test_one_namespace_has_some_of_the_places(kind: Kind) -> None:
    room = Rooms().of(GOOD)
    places = await enter(room, *([Claim("shop", kind)] * PLACES))
    assert len(places) == kind.of_one
    assert await enter(room, Claim("team", kind))


async def test_signs_of_a_breach_have_places_of_their_own_and_any_that_is_free() -> None:
    # Given a room in which nobody is
    room = Rooms().of(GOOD)

    async def signs(number: int) -> int:
        entered = [asyncio.create_task(room.enter(sign=True)) for _ in range(number)]
        done, waiting = await asyncio.wait(entered, timeout=0.05)
        for task in waiting:
            task.cancel()
        return len(done)

    # When more signs come than have places of their own, then they take others
    assert await signs(SIGNS + 2) == SIGNS + 2
    # And when all of those are taken by what is no sign, then no more than their own
    assert len(await enter(room, *([None] * PLACES))) == PLACES - 2
    assert await signs(1) == 0


async def test_what_is_no_sign_takes_none_of_their_places() -> None:
    room = Rooms().of(GOOD)
    assert len(await enter(room, *([None] * (PLACES + 1)))) == PLACES
    assert [(await room.enter(sign=True)) is not None for _ in range(SIGNS)] == [True] * SIGNS
