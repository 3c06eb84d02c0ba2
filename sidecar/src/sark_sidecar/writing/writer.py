"""Writes of clients: one at a time, to OPA first, then to the engine, and answered when both have it.

While a write is under way OPA's policies count as unknown, so that no decision is kept or found in Redis; each arm decides by
what was or by what is. When a second passes, or it is not known what came of it, the engine is set aside until a look at OPA
finds both alike: until then nobody can get a decision that the write has made wrong.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Protocol

import sark_engine
import structlog

from sark_sidecar import exact_json
from sark_sidecar.rest.answer import RestAnswer, problem
from sark_sidecar.rest.request import RestRequest
from sark_sidecar.rest.upstream import NothingSent, Undetermined
from sark_sidecar.settings import WriteSettings

from .documents import WrittenData
from .gate import EngineGate
from .place import ForbiddenPlace, UnclearPlace, place_of

log = structlog.get_logger()
_DOUBT_SECONDS = 1.0
_TAKES_LONG = "a write has been under way for more than a second"
_SETTLE_SECONDS = 1.0
_WELL = 400


class Upstream(Protocol):
    """Hands writes on to OPA."""

    async def change(self, request: RestRequest) -> RestAnswer:
        """Return OPA's answer. Raises NothingSent or Undetermined."""


class View(Protocol):
    """Looks at OPA."""

    @property
    def matches(self) -> bool:
        """Whether OPA serves what the engine serves."""

    def distrust(self, why: str) -> Callable[[], None]:
        """Know nothing of OPA until a look that begins from now on is over; return what takes that back."""

    async def look(self) -> None:
        """Look, and have the engine follow."""


class WriteCounter(Protocol):
    """Where writes are counted."""

    def written(self, *, failed: bool) -> None:
        """Count one."""


class Writer:
    """Takes writes."""

    def __init__(
        self,
        settings: WriteSettings,
        *,
        upstream: Upstream,
        view: View,
        data: WrittenData,
        gate: EngineGate,
        counter: WriteCounter,
        patience: float,
    ) -> None:
        """Wire the parts; `patience` is how many seconds the answer waits for the engine."""
        self._settings = settings
        self._upstream = upstream
        self._view = view
        self._data = data
        self._gate = gate
        self._counter = counter
        self._patience = patience
        self._one_at_a_time = asyncio.Lock()
        self._one_trial_at_a_time = asyncio.Lock()
        self._waiting = 0
        self._looks: set[asyncio.Task[None]] = set()
        """The one under way, and the next."""
        self._one_look_at_a_time = asyncio.Lock()
        self._next_look: asyncio.Task[None] | None = None
        """One that has not begun, for all who want a look meanwhile: looks may take longer than patience."""
        self._settling: asyncio.Task[None] | None = None

    def status(self) -> dict[str, Any]:
        """Return what is to be known of it."""
        return {
            "documents": self._data.names,
            "bytes": self._data.size,
            "waiting": self._waiting,
            "engine_set_aside": self._gate.reason,
        }

    async def answer(self, request: RestRequest) -> RestAnswer:
        """Write, and return OPA's answer; an error in OPA's shape when it is refused or failed."""
        try:
            place = place_of(request.path, self._data.names)
        except ForbiddenPlace as error:
            return problem(403, "invalid_operation", str(error))
        except UnclearPlace as error:
            return problem(400, "invalid_parameter", str(error))
        if self._waiting > self._settings.queue:
            return problem(503, "internal_error", "too many writes wait; try again")
        query = request.target.partition("?")[2]
        clear = RestRequest(request.method, f"{place}?{query}" if query else place, request.headers, request.body)
        self._waiting += 1
        try:
            if (refused := await self._unfit(request)) is not None:
                return refused
            async with self._one_at_a_time:
                answer = await self._write(clear)
        finally:
            self._waiting -= 1
        self._counter.written(failed=answer.status >= _WELL)
        return answer

    async def _unfit(self, request: RestRequest) -> RestAnswer | None:
        """Refuse what the engine could not hold before OPA has it."""
        if request.method == "DELETE":
            return None
        if any(name == "Content-Encoding" for name, _ in request.headers):
            return problem(400, "invalid_parameter", "the body of a write must not be compressed")
        try:
            # One at a time: what else needs these threads, as the flags do, waits for no more than one.
            async with self._one_trial_at_a_time:
                await asyncio.to_thread(self._try_out, request.body)
        except (exact_json.JsonError, sark_engine.PolicyError) as error:
            return problem(400, "invalid_parameter", f"the body cannot be written: {error}")
        return None

    async def _write(self, request: RestRequest) -> RestAnswer:
        if request.method != "DELETE" and self._data.size + len(request.body) > self._settings.max_bytes:
            limit = self._settings.max_bytes
            return problem(413, "invalid_parameter", f"with it the written documents could have more than {limit} bytes")
        is_open = not self._gate.reason
        doubting = asyncio.get_running_loop().call_later(_DOUBT_SECONDS, self._take_long)
        take_back = self._view.distrust("data is being written")
        try:
            answer = await self._upstream.change(request)
        except NothingSent as error:
            doubting.cancel()
            take_back()
            if is_open and self._gate.reason == _TAKES_LONG:
                # All is as it was before. No look at an OPA that is away would have the engine decide again.
                self._gate.open()
            log.warning("OPA cannot be reached", target=request.path, reason=str(error))
            return problem(500, "internal_error", "OPA cannot be reached; nothing was written")
        except Undetermined as error:
            log.warning("a write is in doubt", target=request.path, reason=str(error))
            answer = problem(
                500, "internal_error", f"{error}; it is not known whether it was written: read it, or write it again"
            )
            self._data.doubt()
            self._gate.shut("it is not known whether OPA has written what it was sent last")
        except BaseException:
            # Now and not in a second: by then another write may be under way, which would know nothing of this one.
            doubting.cancel()
            self._gate.shut("a write broke off")
            raise
        await self._look()
        doubting.cancel()
        if not self._view.matches and not self._gate.reason:
            self._gate.shut("after a write OPA and the embedded engine were not seen to serve the same")
        if self._gate.reason and (self._settling is None or self._settling.done()):
            self._settling = asyncio.ensure_future(self._settle())
        return answer

    def _take_long(self) -> None:
        """Set the engine aside; where it is so already, that reason stays."""
        if not self._gate.reason:
            self._gate.shut(_TAKES_LONG)

    @staticmethod
    def _try_out(body: bytes) -> None:
        """Give what is to be written to an engine that serves nobody. It takes its time; call it in a thread."""
        sark_engine.Policies([("trial.rego", "package trial")], exact_json.dumps({"value": exact_json.loads(body)}))

    async def _settle(self) -> None:
        """Look again and again until the gate opens: the usual looks may be far apart where OPA is slow."""
        while self._gate.reason:
            await asyncio.sleep(_SETTLE_SECONDS)
            if self._gate.reason:
                await self._look()

    async def _look(self) -> None:
        """Look at OPA, as long as patience lasts. The look goes on: what it has begun to give to the engine it must end."""
        look = self._next_look
        if look is None or look.done():
            self._next_look = look = asyncio.ensure_future(self._one_look())
            self._looks.add(look)
            look.add_done_callback(self._looks.discard)
        await asyncio.wait({look}, timeout=self._patience)

    async def _one_look(self) -> None:
        async with self._one_look_at_a_time:
            # It begins: who comes from now on needs the one after it.
            self._next_look = None
            await self._view.look()
