"""Answers the requests that are no questions for an arm."""

from __future__ import annotations

import asyncio
from concurrent.futures import Executor
from typing import Protocol

import structlog

from sark_sidecar.admin.status import Parts

from . import own
from .answer import RestAnswer, document, problem
from .health import HealthEngine, health, health_rule
from .request import BadTarget, RestRequest

log = structlog.get_logger()
_METRICS = (("Content-Type", "text/plain; version=0.0.4; charset=utf-8"),)
_OWN_ERROR = 500
_WRITES = frozenset({"PUT", "PATCH", "DELETE"})


class Upstream(Protocol):
    """Hands requests on to OPA."""

    async def forward(self, request: RestRequest) -> RestAnswer:
        """Return OPA's answer; never raise for what OPA does."""


class Writing(Protocol):
    """Takes writes of data."""

    async def answer(self, request: RestRequest) -> RestAnswer:
        """Return the answer to one."""


class RestCounter(Protocol):
    """Where such requests are counted."""

    def passed_on(self, *, failed: bool) -> None:
        """Count one that went to OPA."""


class RestAnswering:
    """Answers by path; what is not the sidecar's own goes to OPA."""

    def __init__(
        self,
        parts: Parts,
        upstream: Upstream,
        engine: HealthEngine,
        counter: RestCounter,
        *,
        threads: Executor,
        writing: Writing | None = None,
    ) -> None:
        """Wire the parts; `threads` runs health rules, and without `writing` nothing can be written."""
        self._threads = threads
        self._writing = writing
        self._parts = parts
        self._upstream = upstream
        self._engine = engine
        self._counter = counter

    async def answer(self, request: RestRequest) -> RestAnswer:
        """Return the answer; an error in OPA's shape when something fails, never a decision."""
        try:
            if self._writing is not None and request.method in _WRITES:
                return await self._writing.answer(request)
            if request.path.startswith("/health/"):
                # A rule is a policy: it may take as long as any.
                states = own.plugin_states(self._parts)
                loop = asyncio.get_running_loop()
                return await loop.run_in_executor(self._threads, health_rule, request, states, self._engine)
            mine = self._own(request)
            if mine is not None:
                return mine
            answer = await self._upstream.forward(request)
        except BadTarget as error:
            return problem(400, "invalid_parameter", str(error))
        except Exception:
            log.exception("a request could not be answered", path=request.path)
            return problem(500, "internal_error", "the sidecar failed to answer; see its log")
        self._counter.passed_on(failed=answer.status >= _OWN_ERROR)
        return answer

    def _own(self, request: RestRequest) -> RestAnswer | None:
        """Return the answer to what the sidecar answers itself."""
        path, parts = request.path, self._parts
        if path == "/health":
            return health(request, own.plugin_states(parts))
        if path == "/metrics" and parts.metrics is not None:
            return RestAnswer(200, parts.metrics(), _METRICS)
        if path == "/v1/config":
            return document({"result": own.config(parts.settings)}, pretty=request.is_on("pretty"))
        if path == "/v1/status":
            return document({"result": own.opa_status(parts)}, pretty=request.is_on("pretty"))
        return None
