"""What clients wrote, read back from OPA and given to the embedded engine.

OPA is asked what it holds after every write and at every look at its policies. So an OPA that has started again, and has
forgotten, is followed in that too; and what was written past this sidecar is as well, at the next look.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, NoReturn, Protocol

import sark_engine
import structlog

from sark_sidecar import exact_json
from sark_sidecar.opa.rule_graph import DataPath, RuleGraph
from sark_sidecar.opa.view import WrittenRefused
from sark_sidecar.policies.sources import PolicySourceError
from sark_sidecar.unforeseen import unforeseen

from .gate import EngineGate

log = structlog.get_logger()
_SETTLING_SECONDS = 2.0
"""What OPA was sent and has not answered may lie in its socket: it is looked at again after so long."""


class DocumentServer(Protocol):
    """The part of OPA that is asked here."""

    async def documents(self, paths: list[DataPath]) -> list[tuple[DataPath, Any]]:
        """Return the documents that exist. Raises OpaFailure."""


class WrittenData:
    """Follows the documents with these names."""

    def __init__(
        self,
        names: Sequence[str],
        *,
        max_bytes: int,
        server: DocumentServer,
        lay_over: Callable[[Mapping[str, Any]], Awaitable[None]],
        gate: EngineGate,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`lay_over` gives documents to the engine, by name, or raises PolicySourceError."""
        self.names = tuple(names)
        self._max_bytes = max_bytes
        self._server = server
        self._lay_over = lay_over
        self._gate = gate
        self._clock = clock
        self._in_doubt = False
        self._alike_since: float | None = None
        self.size = 0
        """Bytes of all of them together, as JSON."""

    async def take_over(self, graph: RuleGraph) -> None:
        """Give the engine what OPA holds now.

        Raises:
            OpaFailure: OPA did not say.
            WrittenRefused: the engine cannot be given it; the gate is shut.
        """
        for name in self.names:
            if graph.is_virtual((name,)) or graph.has_rules_below((name,)):
                self._refuse(f"data.{name} is written by clients, and OPA has rules there")
        found = await self._server.documents([(name,) for name in self.names])
        documents = {path[0]: value for path, value in found}
        try:
            self.size = len(await asyncio.to_thread(exact_json.dumps, documents))
            if self.size > self._max_bytes:
                self._refuse(f"written documents have {self.size} bytes; writes.max_bytes is {self._max_bytes}")
            await self._lay_over(documents)
        except (exact_json.JsonError, PolicySourceError, sark_engine.EngineError) as error:
            self._refuse(str(error))
        except WrittenRefused:
            raise
        except Exception as error:
            # The engine may lack what OPA decides by: it is set aside, whatever the reason.
            log.exception("the embedded engine cannot be given what was written")
            self._refuse(unforeseen(error))

    def doubt(self) -> None:
        """Take note that OPA may yet write what it was sent."""
        self._in_doubt, self._alike_since = True, None

    def compared(self, *, equal: bool) -> None:
        """Open the gate when OPA and the engine were seen to serve the same; in doubt, when they still do some time later."""
        if not equal:
            self._alike_since = None
            return
        if self._in_doubt:
            now = self._clock()
            self._alike_since = now if self._alike_since is None else self._alike_since
            if now - self._alike_since < _SETTLING_SECONDS:
                return
            self._in_doubt = False
        self._gate.open()

    def _refuse(self, reason: str) -> NoReturn:
        self._gate.shut(reason)
        raise WrittenRefused(reason)
