from __future__ import annotations

import asyncio
import gc

import pytest

from sark_operator.shell.shares import Shares

pytestmark = pytest.mark.asyncio


async def test_a_name_takes_no_place_from_another() -> None:
    # Given all places of one name taken
    shares = Shares(2)
    taken = [await shares.of("evil").acquire() for _ in range(2)]
    assert taken

    # Then another one has its own
    await asyncio.wait_for(shares.of("shop").acquire(), 1)


async def test_who_holds_on_to_places_shares_them_and_nothing_is_kept_afterwards() -> None:
    # Given somebody who has taken all places of a name
    shares = Shares(1)
    held = shares.of("shop")
    await held.acquire()

    # Then who comes waits for the same ones, and gets them when they are given back
    waiting = asyncio.create_task(shares.of("shop").acquire())
    await asyncio.sleep(0)
    assert not waiting.done()
    held.release()
    await asyncio.wait_for(waiting, 1)

    # And when nobody holds on to them they are new
    del held
    gc.collect()
    assert not shares.of("shop").locked()
