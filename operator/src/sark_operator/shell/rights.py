"""Which of the namespaces can be served: a Role that was deleted, alone or with its namespace, concerns that namespace alone.

It is asked for by our own requests, at the start and again and again, for kopf tells nobody that a watch is refused.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Final, NoReturn, Protocol

import structlog

from sark_operator.shell.api import ClusterError, UnavailableError
from sark_operator.shell.telemetry import Telemetry

START_RETRY_SECONDS: Final = 2.0
"""Time between two questions for an API server that is away at the start."""
RECHECK_SECONDS: Final = 30.0
"""Time between two rounds of questions."""

_log = structlog.get_logger("sark.rights")


class Source(Protocol):
    """Who is asked."""

    async def check_rollouts(self, namespace: str) -> None:
        """Ask whether rollouts may be listed and watched there, or everywhere; raises `ClusterError` when they may not."""
        ...


class Rights:
    """What the API server last said about each place that is to be served. One that was never asked for counts as served."""

    def __init__(self, source: Source, namespaces: Sequence[str], telemetry: Telemetry) -> None:
        """Ask `source` for each of `namespaces`, or for the whole cluster where there are none."""
        self._source = source
        self._telemetry = telemetry
        self._problems = dict.fromkeys(namespaces or ("",), "")
        """Why a namespace cannot be served; empty where it can."""

    @property
    def missing(self) -> str:
        """Why nothing at all can be served, as a clause; empty while one namespace can be."""
        return next(iter(self._problems.values())) if all(self._problems.values()) else ""

    def refusals(self) -> Sequence[str]:
        """Return what is not served, and why not, one sentence each."""
        return [f"{_place(namespace)} is not served: {problem}" for namespace, problem in self._problems.items() if problem]

    async def begin(self, stop: asyncio.Event) -> None:
        """Ask for each place once, until `stop` is set.

        An API server that is away is waited for: a process that ends is started ever more seldom, and late when the server is
        back.
        """
        for namespace in self._problems:
            while not stop.is_set():
                try:
                    await self._ask(namespace)
                    break
                except UnavailableError as error:
                    _log.warning("waiting for the API server", problem=str(error))
                    with suppress(TimeoutError):
                        await asyncio.wait_for(stop.wait(), max(START_RETRY_SECONDS, error.retry_after))

    async def keep(self) -> NoReturn:
        """Ask again and again. While the API server is away, what it said last counts."""
        while True:
            await asyncio.sleep(RECHECK_SECONDS)
            for namespace in self._problems:
                try:
                    await self._ask(namespace)
                except UnavailableError as error:
                    _log.debug("nobody says what may be served", namespace=namespace, problem=str(error))
                except Exception:  # noqa: BLE001 - who stops asking would go on saying what was so
                    _log.exception("asking what may be served failed unexpectedly", namespace=namespace)

    async def _ask(self, namespace: str) -> None:
        problem = ""
        try:
            await self._source.check_rollouts(namespace)
        except UnavailableError:
            raise
        except ClusterError as error:
            problem = str(error)
        before, self._problems[namespace] = self._problems[namespace], problem
        self._telemetry.unserved(namespace, unserved=bool(problem))
        if problem and not before:
            _log.error(
                "not served: give the rights back, or take the namespace out of those to be served",
                namespace=namespace,
                problem=problem,
            )
        elif before and not problem:
            _log.info("served again", namespace=namespace)


def _place(namespace: str) -> str:
    return f"namespace {namespace}" if namespace else "the cluster"
