"""Looking at a rollout, and deciding on what is seen.

A decision rests on all that can be seen. Where the operator has more to do than it can, that takes long in coming, and the
largest answers of Prometheus longest. So where an evaluation is urgent, or becomes it while it waits, the newest samples are
looked at by themselves. If they show a breach, that is decided on: no answer that is still to come would undo it. If they show
none, nothing has been decided, and all is waited for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

import structlog

from sark_api.spec import SarkRolloutSpec
from sark_api.status import SarkRolloutStatus
from sark_operator.core.decision import Decision, goes_back_for_a_breach
from sark_operator.core.observation import Observation
from sark_operator.shell.api import RolloutObject, StaleVersionError
from sark_operator.shell.standing import ours

PATIENCE_SECONDS: Final = 1.0
"""How long an urgent evaluation waits for all that can be seen before it takes a glimpse: what it shows should be on record."""

_log = structlog.get_logger("sark.looks")


class Observing(Protocol):
    """Who looks."""

    async def observe(self, rollout: RolloutObject, spec: SarkRolloutSpec, status: SarkRolloutStatus) -> Observation:
        """Return all that is to be seen."""
        ...

    async def glimpse(self, rollout: RolloutObject, spec: SarkRolloutSpec, status: SarkRolloutStatus) -> Observation:
        """Return what is to be seen at once."""
        ...


@dataclass(frozen=True, slots=True)
class Conclusion:
    """What was decided, and when."""

    decision: Decision
    now: datetime
    reckoned_at: float
    """The same instant by the monotonic clock, seconds."""


Conclude = Callable[[Observation], Conclusion]
"""Decides, and does nothing: it can be asked what it would decide on a part."""


class Looks:
    """Those of all rollouts."""

    def __init__(self, observer: Observing) -> None:
        self._observer = observer
        self._under_way: dict[str, asyncio.Task[Observation]] = {}
        """By uid."""

    def begin_anew(self, uid: str) -> None:
        """Begin anew what is only being observed: the user asks for the baseline, which waits for no metrics."""
        look = self._under_way.get(uid)
        if look is not None:
            look.cancel()

    async def conclusion(
        self, rollout: RolloutObject, spec: SarkRolloutSpec, status: SarkRolloutStatus, conclude: Conclude
    ) -> Conclusion:
        """Look at `rollout`, and return what is decided on it.

        Raises:
            StaleVersionError: the user asked for the baseline meanwhile.
        """
        look = asyncio.create_task(self._observer.observe(rollout, spec, status))
        self._under_way[rollout.uid] = look
        try:
            if not rollout.asks_back:  # which waits for nothing anyway
                breach = await _breach(rollout.key, look, lambda: self._observer.glimpse(rollout, spec, status), conclude)
                if breach is not None:
                    _log.info("went by a glimpse, which shows a breach; the rest was long in coming", rollout=rollout.key)
                    return breach
            return conclude(await look)
        except asyncio.CancelledError:
            this = asyncio.current_task()
            if this is None or this.cancelling():
                raise
            raise StaleVersionError(f"rollout {rollout.key}: its user asks for the baseline") from None
        finally:
            look.cancel()
            self._under_way.pop(rollout.uid, None)


async def _breach(
    rollout: str, look: asyncio.Task[Observation], glimpse: Callable[[], Awaitable[Observation]], conclude: Conclude
) -> Conclusion | None:
    """Return the way back if a glimpse shows that it is to be taken; None when the look has come to its end before.

    Each time the evaluation becomes urgent there is something new to be seen, which the look may have been too early for.
    """
    hurried = asyncio.Event()
    standing = ours()
    with standing.in_line(hurried.set):
        if standing.urgent:
            hurried.set()
        while not await _ends_before(look, hurried.wait()):
            hurried.clear()
            if (await asyncio.wait({look}, timeout=PATIENCE_SECONDS))[0]:
                return None
            seen = asyncio.ensure_future(glimpse())
            if await _ends_before(look, seen):
                return None
            conclusion = _concluded(rollout, seen, conclude)
            if conclusion is not None and goes_back_for_a_breach(conclusion.decision):
                return conclusion
    return None


def _concluded(rollout: str, glimpse: asyncio.Future[Observation], conclude: Conclude) -> Conclusion | None:
    """Return what would be decided on a glimpse; None where it failed, which is a fault of ours and must hold up nobody."""
    try:
        return conclude(glimpse.result())
    except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - all is waited for, and decided on
        _log.error("a glimpse failed, so all is waited for", rollout=rollout, exc_info=error)
        return None


async def _ends_before(look: asyncio.Task[Observation], other: Awaitable[object]) -> bool:
    """Wait for either, and return whether the look has come to its end; the other one is ended then."""
    rival = asyncio.ensure_future(other)
    try:
        await asyncio.wait({look, rival}, return_when=asyncio.FIRST_COMPLETED)
        return look.done()
    finally:
        rival.cancel()
