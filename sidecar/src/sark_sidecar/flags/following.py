"""Keeping the flags in force: feeds the pure state from the sources and the clock, and tells the data plane what changed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from math import inf
from pathlib import Path
from typing import Any

import structlog

from sark_api.report import FlagState
from sark_sidecar.telemetry import Telemetry
from sark_sidecar.unforeseen import unforeseen

from . import state
from .persisted import load_document, save_document
from .state import Flags, Origin, Share

log = structlog.get_logger()
_LONGEST_NAP = 1.0
"""Seconds between looks at the wall clock, so that a clock that jumps cannot delay an expiry by more."""
KEEP_AGAIN_SECONDS = 2.0
"""After this long a document that could not be kept on disk is tried again."""
LAST_SAVE_SECONDS = 3.0
"""How long the end waits for a document to be on disk."""


def utc_now() -> datetime:
    """Return the wall clock's time."""
    return datetime.now(UTC)


class FlagFollower:
    """Owns the current `Flags`. Every change of the share reaches `apply` before anybody can read it here."""

    def __init__(
        self,
        *,
        follows_api: bool,
        apply: Callable[[Share], None],
        telemetry: Telemetry,
        state_file: Path | None = None,
        fixed: Share | None = None,
        clock: Callable[[], datetime] = utc_now,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start with the `fixed` share, else without a document: baseline, 0 %."""
        self._apply = apply
        self._telemetry = telemetry
        self._state_file = state_file
        self._clock = clock
        self._unsaved = asyncio.Event()
        self._monotonic = monotonic
        self._ends = inf
        """When the document's validity ends by the monotonic clock, which nobody sets back."""
        self._flags = Flags(since=clock(), follows_api=follows_api, fixed=fixed)
        self.answered = asyncio.Event()
        """Set once any source has said something, be it that there is no document."""
        self.problem = ""
        """Why the source cannot be read now; empty when it can."""
        self.state_file_problem = ""
        """Why the document in force is not kept on disk; empty when it is."""
        apply(self._flags.share)
        telemetry.flags(self._flags)

    @property
    def flags(self) -> Flags:
        """What is in force."""
        return self._flags

    def receive(self, text: str | bytes, origin: Origin) -> None:
        """Take a document from a source; one that cannot be read is refused, whatever it is.

        What `apply` raises is raised: then what was in force before still is.
        """
        if origin is not Origin.STATE_FILE:
            self.answered.set()
        if self._is_primary(origin):
            self.problem = ""
        self._become(self._offered(text, origin), origin)

    def _offered(self, text: str | bytes, origin: Origin) -> Flags:
        now = self._clock()
        try:
            return state.offer(self._flags, text, origin, now)
        except Exception as error:
            # Whatever a text does to its reader, the last good document stays in force.
            after = state.refuse(self._flags, unforeseen(error), origin, now, state.digest_of(text))
            if after is not self._flags:
                log.exception("a flag document broke its reader", origin=origin.value)
            return after

    def absent(self, reason: str, origin: Origin) -> None:
        """Take note that a source has no document; the last good one stays in force until its validity ends."""
        self.answered.set()
        log.warning("no flag document", origin=origin.value, reason=reason)
        if self._is_primary(origin):
            self.problem = reason

    def link(self, up: bool, reason: str) -> None:
        """Take note of the watch going up or down."""
        if up != self._flags.connected or reason != self.problem:
            (log.info if up else log.warning)("flag watch", up=up, reason=reason)
        if up != self._flags.connected or not up:
            self.problem = reason
        self._become(state.connect(self._flags, up=up), Origin.WATCH)

    async def restore(self) -> None:
        """Begin with the document kept from the last run, if there is one."""
        if self._state_file is None:
            return
        try:
            text = await asyncio.to_thread(load_document, self._state_file)
        except (OSError, ValueError) as error:
            log.warning("kept flag document cannot be read", error=str(error))
            return
        except Exception:
            log.exception("kept flag document cannot be read")
            return
        if text is not None:
            self.receive(text, Origin.STATE_FILE)

    async def keep_time(self) -> None:
        """Apply the end of a document's validity when it comes, event or not; run until cancelled."""
        while True:
            deadline = self._flags.deadline
            left = (deadline - self._clock()).total_seconds() if deadline else _LONGEST_NAP
            # A millisecond past the deadline: at the very instant the document is still valid.
            await asyncio.sleep(min(_LONGEST_NAP, max(left, 0.0) + 0.001))
            now = self._clock()
            if deadline is not None and self._monotonic() > self._ends:
                now = max(now, deadline + timedelta(milliseconds=1))
            self._become(state.tick(self._flags, now), None)

    async def keep_state(self) -> None:
        """Write each adopted document to the state file, again and again if need be; run until cancelled.

        What is being written then, or was about to be, is waited for a while: after a restart an older one would be in force.
        """
        try:
            while True:
                await self._unsaved.wait()
                await self._keep()
        except asyncio.CancelledError:
            if self._unsaved.is_set():
                await asyncio.wait([asyncio.ensure_future(self._keep())], timeout=LAST_SAVE_SECONDS)
            raise

    async def _keep(self) -> None:
        self._unsaved.clear()
        document = self._flags.document
        if self._state_file is None or document is None:
            return
        try:
            await _whole(asyncio.to_thread(save_document, self._state_file, document))
            self.state_file_problem = ""
        except OSError as error:
            await self._not_kept(error.strerror or str(error), None)
        except Exception as error:  # noqa: BLE001 - flags that are followed count for more than one that is kept
            await self._not_kept(unforeseen(error), error)

    async def _not_kept(self, reason: str, fault: Exception | None) -> None:
        """Count it, tell it once, and have it tried again in a while; `fault` is one that nobody foresaw."""
        self._telemetry.state_file_failed()
        problem = f"flags.state_file {self._state_file} cannot be written: {reason}"
        if problem != self.state_file_problem:
            (log.error if fault else log.warning)("flag document cannot be kept", problem=problem, exc_info=fault)
        self.state_file_problem = problem
        await asyncio.sleep(KEEP_AGAIN_SECONDS)
        self._unsaved.set()

    def _is_primary(self, origin: Origin) -> bool:
        return origin is (Origin.WATCH if self._flags.follows_api else Origin.FILE)

    def _become(self, after: Flags, origin: Origin | None) -> None:
        before, share = self._flags, after.share
        ends = self._ends
        if after.document is not before.document:
            left = (after.deadline - self._clock()).total_seconds() if after.deadline else inf
            ends = self._monotonic() + left
        if share != before.share:
            try:
                # The data plane knows the end too: nothing that holds up this loop may put it off.
                self._apply(replace(share, ends=ends if after.deadline else inf))
            except Exception:
                # Whoever called goes on or ends the sidecar; nobody must have to guess what is in force.
                log.exception("the data plane does not take the flags; those before stay in force", **_fields(share))
                raise
        self._flags, self._ends = after, ends
        if after is before:
            return
        self._telemetry.flags(after)
        if after.state is not before.state:
            is_worse = after.state in {FlagState.STALE, FlagState.EXPIRED}
            (log.warning if is_worse else log.info)("flags state", now=after.state.value, before=before.state.value)
        if after.refused > before.refused and origin is not None:
            log.warning("flag document refused", origin=origin.value, reason=after.last_refusals[origin].reason)
        if share != before.share:
            log.info("flags applied", origin=origin.value if origin else "clock", state=after.state.value, **_fields(share))
        if after.document is not before.document and after.document is not None and origin is not Origin.STATE_FILE:
            self._unsaved.set()


async def _whole(saving: Coroutine[Any, Any, None]) -> None:
    """Wait for it, for a while also when nobody wants to any more."""
    task = asyncio.ensure_future(saving)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task], timeout=LAST_SAVE_SECONDS)
        raise


def _fields(share: Share) -> dict[str, object]:
    return {
        "rollout": share.rollout,
        "revision": share.revision,
        "percentage": share.percentage,
        "rust_opa": share.rust_opa,
        "rust_cache": share.rust_cache,
        "shadow": share.shadow,
    }
