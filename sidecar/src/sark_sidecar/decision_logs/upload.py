"""Events sent to a service over HTTP as OPA sends them; what it does not take is sent again, with growing pauses."""

from __future__ import annotations

import asyncio
import contextlib
import random
import ssl
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import aiohttp
import structlog

from sark_sidecar.bearer import TokenError, read_token
from sark_sidecar.settings import LogServiceSettings
from sark_sidecar.unforeseen import unforeseen

from .backlog import Backlog
from .chunks import ChunkSize, pack

log = structlog.get_logger()
_IDLE_SECONDS = 0.1
_FIRST_PAUSE_SECONDS = 0.5
_HURRY_SECONDS = 0.3
_TOO_LARGE = 413


class UploadError(Exception):
    """The service did not take a chunk; the message is for the status and the log."""


class ChunkRefused(UploadError):  # noqa: N818 - what happened
    """It takes chunks, but not so large ones."""


class Upload:
    """Sends events to one service."""

    name = "service"

    def __init__(self, settings: LogServiceSettings, *, buffer_bytes: int, on_loss: Callable[[str, int], None]) -> None:
        """`on_loss` is told the reason and the number of events that the service will not get."""
        self._settings = settings
        self._address = f"{settings.url}{settings.resource}" + (f"/{quote(settings.partition)}" if settings.partition else "")
        self._waiting = Backlog(buffer_bytes)
        self._size = ChunkSize(settings.max_chunk_bytes)
        self._on_loss = on_loss
        self._waits_since: float | None = None
        self._hurry = asyncio.Event()
        self._under_way = 0
        self._failures = 0
        self._uploads = 0
        self._uploaded = 0
        self._problem = ""

    def offer(self, events: list[bytes]) -> None:
        """Let events wait to be sent."""
        self._lose("buffer", self._waiting.add(events))
        if self._waits_since is None:
            self._waits_since = time.monotonic()

    async def run(self) -> None:
        """Send until cancelled."""
        while True:
            if self._is_due(time.monotonic()):
                await self._send_some()
            else:
                await asyncio.sleep(_IDLE_SECONDS)

    async def finish(self) -> None:
        """Send what waits; the caller sets the time there is for it."""
        self._hurry.set()
        while self.pending():  # noqa: ASYNC110 - it is over soon
            await asyncio.sleep(_IDLE_SECONDS)

    def stop(self) -> None:
        """Nothing of it waits outside the event loop."""

    def pending(self) -> int:
        """Return how many events have not been taken yet."""
        return len(self._waiting) + self._under_way

    def status(self) -> dict[str, Any]:
        """Return the part of the status page."""
        return {
            "url": self._address,
            "uploads": self._uploads,
            "uploaded": self._uploaded,
            "waiting_bytes": self._waiting.size,
            "failures_in_a_row": self._failures,
            "problem": self._problem,
        }

    def _is_due(self, now: float) -> bool:
        if not len(self._waiting):
            return False
        is_full = self._waiting.size >= self._size.uncompressed
        since = now if self._waits_since is None else self._waits_since
        return is_full or self._hurry.is_set() or now - since >= self._settings.min_delay

    async def _send_some(self) -> None:
        events = self._waiting.take(self._size.uncompressed)
        self._waits_since = time.monotonic() if len(self._waiting) else None
        self._under_way = len(events)
        try:
            packed = await asyncio.to_thread(pack, events)
            if not self._size.fits(len(packed), len(events)):
                self._split(events)
                return
            while not await self._attempt(events, packed):
                await self._rest()
        finally:
            self._under_way = 0

    def _split(self, events: list[bytes]) -> None:
        """Send less at a time; an event that is alone too large is never sent."""
        if len(events) == 1:
            self._lose("too_large", 1)
        else:
            self._lose("buffer", self._waiting.put_back(events))
            self._waits_since = self._waits_since or time.monotonic()

    async def _attempt(self, events: list[bytes], packed: bytes) -> bool:
        """Return whether these events are done with."""
        try:
            await self._send(packed)
        except ChunkRefused:
            self._size.refused()
            self._split(events)
            return True
        except UploadError as error:
            self._failures += 1
            if str(error) != self._problem:
                log.warning("decisions could not be sent; they are sent again", service=self._address, reason=str(error))
            self._problem = str(error)
            return False
        except Exception as error:
            self._failures += 1
            problem = unforeseen(error)
            if problem != self._problem:
                log.exception("decisions could not be sent; they are sent again", service=self._address)
            self._problem = problem
            return False
        if self._failures:
            log.info("decisions are sent again", service=self._address, failures=self._failures)
        self._failures, self._problem = 0, ""
        self._size.taken(len(packed))
        self._uploads += 1
        self._uploaded += len(events)
        return True

    async def _rest(self) -> None:
        """Wait after a failure, longer after each one; hardly when there is little time left."""
        if self._hurry.is_set():
            await asyncio.sleep(_HURRY_SECONDS)
            return
        longest = min(self._settings.max_delay, _FIRST_PAUSE_SECONDS * float(2 ** min(self._failures, 16)))
        # Drawn, so that not all sidecars come at once.
        pause = longest * random.uniform(0.5, 1.0)  # noqa: S311 - no secret
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._hurry.wait(), pause)

    async def _send(self, packed: bytes) -> None:
        headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
        settings = self._settings
        try:
            if settings.token_file is not None:
                headers["Authorization"] = f"Bearer {await asyncio.to_thread(read_token, settings.token_file)}"
            trust = await self._trust()
            # A connection of its own each time: uploads are rare, and token and authorities may have been replaced meanwhile.
            session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(ssl=trust, limit=1, force_close=True),
                timeout=aiohttp.ClientTimeout(total=settings.timeout),
                cookie_jar=aiohttp.DummyCookieJar(),
            )
            # A redirect could take token and decisions elsewhere.
            async with session, session.post(self._address, data=packed, headers=headers, allow_redirects=False) as reply:
                status = reply.status
        except TokenError as error:
            raise UploadError(f"decision_logs.service.token_file {error}") from error
        except TimeoutError as error:
            raise UploadError(f"no answer within {settings.timeout:g} s") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise UploadError(f"it cannot be reached: {error}") from error
        if status == _TOO_LARGE:
            raise ChunkRefused("it answered 413")
        if not 200 <= status < 300:  # noqa: PLR2004 - what HTTP calls success
            raise UploadError(f"it answered {status}")

    async def _trust(self) -> ssl.SSLContext | bool:
        """Authorities to trust; without TLS there is nothing to read."""
        if not self._address.startswith("https:"):
            return True
        return await asyncio.to_thread(ssl.create_default_context, cafile=self._settings.ca_file)

    def _lose(self, reason: str, events: int) -> None:
        if events:
            self._on_loss(reason, events)
