"""Taking jobs: none lost, never more at once than allowed, no spinning while full, no slow one in another's way."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from sark_sidecar.baseline.dispatcher import Dispatcher


class Queue:
    """Numbers behind a descriptor that is readable while some wait, as the data plane's."""

    def __init__(self) -> None:
        self.baseline_fd, self._write = os.pipe2(os.O_NONBLOCK)
        self._jobs: list[int] = []
        self.takes = 0

    def put(self, *jobs: int) -> None:
        if not self._jobs:
            os.write(self._write, b"x")
        self._jobs.extend(jobs)

    def take_jobs(self, limit: int = 64) -> Sequence[int]:
        self.takes += 1
        taken, self._jobs = self._jobs[:limit], self._jobs[limit:]
        if taken and not self._jobs:
            os.read(self.baseline_fd, 1)
        return taken

    def close(self) -> None:
        os.close(self.baseline_fd)
        os.close(self._write)


class Arm:
    """Answers even numbers at once, and odd ones when told to."""

    def __init__(self) -> None:
        self.answered: list[int] = []
        self.most = 0
        self.under_way = 0
        self.go = asyncio.Event()
        self.broken: set[int] = set()

    async def begin(self, jobs: Sequence[int]) -> Sequence[int]:
        await asyncio.sleep(0)
        if self.broken.intersection(jobs):
            raise RuntimeError("bug")
        self.answered += [job for job in jobs if job % 2 == 0]
        return [job for job in jobs if job % 2]

    async def finish(self, asked: int) -> None:
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        await self.go.wait()
        self.under_way -= 1
        self.answered.append(asked)


@asynccontextmanager
async def dispatching(concurrency: int) -> AsyncIterator[tuple[Queue, Arm, Dispatcher[int, int]]]:
    queue, arm = Queue(), Arm()
    dispatcher: Dispatcher[int, int] = Dispatcher(queue, arm, concurrency=concurrency)
    dispatcher.start()
    try:
        yield queue, arm, dispatcher
    finally:
        await dispatcher.stop()
        queue.close()


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


@pytest.mark.asyncio
async def test_every_job_is_answered():
    async with dispatching(10) as (queue, arm, dispatcher):
        arm.go.set()
        queue.put(*range(500))
        async with asyncio.timeout(5):
            while len(arm.answered) < 500:  # noqa: ASYNC110
                await asyncio.sleep(0.001)
        assert sorted(arm.answered) == list(range(500))
        assert dispatcher.under_way == 0


@pytest.mark.asyncio
async def test_no_more_than_allowed_are_under_way_and_a_full_house_does_not_spin():
    async with dispatching(4) as (queue, arm, dispatcher):
        # Given more slow jobs than may be under way
        queue.put(*range(1, 41, 2))
        await asyncio.sleep(0.05)
        assert (arm.most, dispatcher.under_way) == (4, 4)
        # Then the waiting ones are left alone
        before = queue.takes
        await asyncio.sleep(0.05)
        assert queue.takes == before
        # And all are served once there is room
        arm.go.set()
        async with asyncio.timeout(5):
            while len(arm.answered) < 20:  # noqa: ASYNC110
                await asyncio.sleep(0.001)
        assert arm.most == 4


@pytest.mark.asyncio
async def test_jobs_that_need_not_wait_are_taken_while_the_others_hang():
    # Given a full house
    async with dispatching(4) as (queue, arm, dispatcher):
        queue.put(*range(1, 9, 2))
        await settle()
        queue.put(2, 4)
        await settle()
        assert arm.answered == []
        # When those under way are known to hang, then the others are answered, and still no more than twice as many taken
        dispatcher._hangs = lambda: True
        dispatcher.resume()
        await settle()
        assert arm.answered == [2, 4]
        queue.put(*range(9, 41, 2))
        await settle()
        assert dispatcher.under_way == 8


@pytest.mark.asyncio
async def test_a_slow_job_is_in_nobodys_way():
    async with dispatching(8) as (queue, arm, _):
        queue.put(1, 2)
        await settle()
        for number in range(4, 400, 2):
            queue.put(number)
            await settle()
        assert len(arm.answered) == 199


@pytest.mark.asyncio
async def test_a_bug_in_the_arm_frees_its_place():
    async with dispatching(2) as (queue, arm, dispatcher):
        arm.broken = {1}
        queue.put(1, 3)
        await settle()
        assert dispatcher.under_way == 0
        queue.put(2)
        await settle()
        assert arm.answered == [2]
