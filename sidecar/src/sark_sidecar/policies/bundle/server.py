"""Policies from a bundle over HTTP: polled or long-polled, verified, and kept on disk when they serve."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import structlog

from sark_api.instant import format_precise_instant
from sark_sidecar.policies.compilation import CompiledPolicies
from sark_sidecar.policies.sources import PolicySourceError
from sark_sidecar.settings import PolicySettings
from sark_sidecar.unforeseen import unforeseen
from sark_sidecar.whole_file import replace_whole

from .content import compile_bundle
from .download import BundleServerError, Download, download
from .kept import load_kept
from .schedule import LONG_POLL_FLOOR_SECONDS, Schedule

log = structlog.get_logger()


class BundleServer:
    """The source `policies.bundle.url`."""

    def __init__(self, settings: PolicySettings, url: str, on_persist_failure: Callable[[], None]) -> None:
        """Ask nothing yet."""
        self._settings = settings
        self._url = url
        self._on_persist_failure = on_persist_failure
        self._schedule = Schedule(settings.bundle.min_delay, settings.bundle.max_delay)
        self._failures = 0
        self._waits = False
        self._rests = False
        """Whether the next request comes after a pause: not the first one, and not when the server held the last one back."""
        self._offered: tuple[bytes, Download] | None = None
        self._etag = ""
        self._content = b""
        """SHA-256 of the bundle that serves."""
        self._status: dict[str, Any] = {
            "url": url,
            "name": settings.bundle.name,
            "active_revision": "",
            "type": "snapshot",
            "size": 0,
            "persist_problem": "",
        }

    async def stored(self) -> CompiledPolicies | None:
        """Return the bundle kept on disk, if there is a good one."""
        path = self._settings.bundle.persist_file
        if path is None:
            return None
        try:
            kept = await asyncio.to_thread(load_kept, path, self._settings)
        except PolicySourceError as error:
            log.warning("the bundle kept on disk is not used", path=str(path), reason=str(error))
            return None
        except Exception:
            log.exception("the bundle kept on disk is not used", path=str(path))
            return None
        if kept is not None:
            log.info("the bundle kept on disk serves until its server answers", path=str(path), revision=kept.label)
            self._status["active_revision"] = kept.label
        return kept

    async def load(self) -> CompiledPolicies | None:
        """Ask the server once; None when it has nothing new.

        Raises:
            PolicySourceError: it gave no answer, or one that is refused.
        """
        wait = round(self._settings.bundle.long_polling_timeout or 0) if self._waits else 0
        began = time.monotonic()
        self._stamp("last_request")
        try:
            answer = await download(self._settings.bundle, self._url, etag=self._etag, wait=wait or None)
        except Exception as error:
            self._failed(error)
            raise
        self._waits = answer.waits if answer.raw is not None else self._waits
        long_polling = self._waits and self._settings.bundle.long_polling_timeout is not None
        held = answer.raw is not None or time.monotonic() - began >= LONG_POLL_FLOOR_SECONDS
        self._rests = not (long_polling and held)
        self._stamp("last_successful_request")
        if answer.raw is None:
            self._nothing_wrong()
            return None
        digest = hashlib.sha256(answer.raw).digest()
        if digest == self._content:
            self._etag = answer.etag
            self._rests = True
            self._nothing_wrong()
            return None
        self._stamp("last_successful_download")
        try:
            compiled = await asyncio.to_thread(compile_bundle, answer.raw, self._settings)
        except Exception as error:
            self._failed(error)
            raise
        self._offered = (digest, answer)
        return compiled

    async def serves(self, compiled: CompiledPolicies) -> None:
        """Keep the bundle on disk, and ask from now on for what is newer."""
        if self._offered is None:
            return
        (self._content, answer), self._offered = self._offered, None
        self._etag = answer.etag
        self._status.update(active_revision=compiled.label, size=len(answer.raw or b""))
        self._stamp("last_successful_activation")
        self._nothing_wrong()
        await self._keep(answer.raw or b"")

    async def pause(self, *, failed: bool) -> None:
        """Wait as OPA's downloader does; a server that holds requests back is asked at once."""
        if failed:
            self._failures += 1
            await asyncio.sleep(self._schedule.after_failures(self._failures))
        else:
            self._failures = 0
            await asyncio.sleep(self._schedule.after_success() if self._rests else 0)

    def status(self) -> Mapping[str, Any]:
        """Return it in the words of OPA's status of a bundle."""
        return self._status

    def _nothing_wrong(self) -> None:
        for key in ("code", "message", "http_code"):
            self._status.pop(key, None)

    def _failed(self, error: Exception) -> None:
        # Without the ETag the whole bundle comes again: what was refused may be accepted next time.
        self._etag = ""
        self._waits = False
        self._status.update(
            code="bundle_error", message=str(error) if isinstance(error, PolicySourceError) else unforeseen(error)
        )
        self._status.pop("http_code", None)
        if isinstance(error, BundleServerError):
            self._status["http_code"] = str(error.status)

    def _stamp(self, key: str) -> None:
        self._status[key] = format_precise_instant(datetime.now(UTC))

    async def _keep(self, raw: bytes) -> None:
        path = self._settings.bundle.persist_file
        if path is None:
            return
        try:
            await asyncio.to_thread(replace_whole, path, raw)
            self._status["persist_problem"] = ""
        except OSError as error:
            self._status["persist_problem"] = f"{path}: {error.strerror}"
            self._on_persist_failure()
            log.warning("the bundle could not be kept on disk; a restart needs its server", path=str(path), reason=str(error))
