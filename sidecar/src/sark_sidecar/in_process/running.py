"""The thread that a decision point lives on: its event loop runs all of a sidecar but the data port."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future

import structlog
from sark_engine import Server

from sark_sidecar.leaving import run_to_end
from sark_sidecar.service import Service, StartError
from sark_sidecar.settings import Settings

log = structlog.get_logger()


class Running:
    """One run, from its start to its end."""

    def __init__(self, settings: Settings) -> None:
        """Start nothing yet."""
        self._settings = settings
        self._ready: Future[Server] = Future()
        self._stop = threading.Event()
        self._service: Service | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self.problem = ""
        """Why it ended by itself; empty when it did not."""
        # Not waited for when an application ends without closing it: whatever it holds ends with the process.
        self._thread = threading.Thread(target=self._run, name="sark-decision-point", daemon=True)

    @property
    def is_alive(self) -> bool:
        """Whether it has begun and not ended."""
        return self._thread.is_alive()

    def start(self, timeout: float) -> Server:
        """Start, and return the server to ask once it is ready, after so many seconds at most.

        Raises:
            sark_sidecar.service.StartError: it cannot be started, or is not ready in time.
        """
        self._thread.start()
        try:
            return self._ready.result(timeout)
        except TimeoutError as error:
            waiting = self._service.waiting if self._service is not None else "its thread has not begun"
            self.stop()
            raise StartError(f"not ready within {timeout:g} s: {waiting}") from error
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Answer what is under way, and end."""
        self._stop.set()
        if self._loop is not None and self._service is not None and self._thread.is_alive():
            try:
                self._loop.call_soon_threadsafe(self._service.stop)
            except RuntimeError:
                # The loop is closed: it has ended meanwhile.
                log.debug("the decision point had ended already")
        self._thread.join()

    def _run(self) -> None:
        try:
            run_to_end(self._serve())
        except BaseException as error:  # noqa: BLE001 - whoever waits for the start is told, whatever it is
            if self._ready.done():
                self.problem = str(error)
                log.error("the decision point has ended", reason=str(error))  # noqa: TRY400 - the reason is the whole story
            else:
                self._ready.set_exception(error)
        else:
            if not self._ready.done():
                self._ready.cancel()

    async def _serve(self) -> None:
        self._service = Service(self._settings, in_process=True, on_ready=self._ready.set_result)
        self._loop = asyncio.get_running_loop()
        if self._stop.is_set():
            self._service.stop()
        await self._service.run()
