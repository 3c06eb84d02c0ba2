"""Asking sidecars which flags they apply: `GET /flags` on every ready pod's admin port."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import aiohttp
from pydantic import ValidationError
from yarl import URL

from sark_api.report import FLAGS_PATH, MAX_REPORT_BYTES, FlagReport, FlagState
from sark_operator.core.observation import PodReport
from sark_operator.shell.api import ReadyPod
from sark_operator.shell.credential_files import AccessError
from sark_operator.shell.shares import Shares
from sark_operator.shell.sidecar_access import SidecarAccess, Way

ANSWER_SECONDS = 2.0
"""A sidecar that has not answered by then has not confirmed anything."""
CONCURRENCY = 64
"""Sidecars asked at once, over all rollouts."""
OF_A_NAMESPACE = 16
"""Of these, sidecars of one namespace: where all are silent, as behind a network policy, they take no turn from others."""
TURN_SECONDS = 20.0
"""How long a sidecar waits to be asked. Where thousands are silent their turns would come later than an evaluation may end, and
nothing would be decided; one that was not asked has not confirmed anything either, and a breach is taken back all the same."""
HURRIED_SECONDS = 1.0
"""The same where the baseline is asked for, which needs no confirmation to be written."""


class SidecarDirectory:
    """The door to the sidecars."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        access: SidecarAccess,
        *,
        answer_seconds: float = ANSWER_SECONDS,
        turn_seconds: float = TURN_SECONDS,
    ) -> None:
        self._session = session
        self._access = access
        self._answer_seconds = answer_seconds
        self._turn_seconds = turn_seconds
        self._free = asyncio.Semaphore(CONCURRENCY)
        self._shares = Shares(OF_A_NAMESPACE)
        """By namespace."""

    async def reports(
        self, pods: Sequence[ReadyPod], port: int, namespace: str, *, hurried: bool = False
    ) -> tuple[PodReport, ...]:
        """Return what every pod's sidecar says of itself; one that cannot be asked says why in `error`.

        `hurried` ones have little time for their turn: what is to be decided does not depend on them.
        """
        try:
            way = self._access.way(namespace)
        except AccessError as error:
            return tuple(_silent(pod, port, f"--sidecar-config of the operator: {error}") for pod in pods)
        share = self._shares.of(namespace)
        turn = min(self._turn_seconds, HURRIED_SECONDS) if hurried else self._turn_seconds
        ends = asyncio.get_running_loop().time() + turn

        async def report(pod: ReadyPod) -> PodReport:
            try:
                async with _until(ends, share), _until(ends, self._free):
                    return await self._asked(pod, port, way)
            except _NoTurnError:
                return _silent(pod, port, f"not asked within {turn:g} s: too many other sidecars do not answer")

        return tuple(await asyncio.gather(*map(report, pods)))

    async def _asked(self, pod: ReadyPod, port: int, way: Way) -> PodReport:
        try:
            async with asyncio.timeout(self._answer_seconds):
                report = FlagReport.model_validate_json(await self._fetch(pod, port, way))
        except TimeoutError:
            problem = f"no answer within {self._answer_seconds:g} s"
        except ValidationError as error:
            problem = _complaint(error)
        except _AnswerError as error:
            problem = str(error)
        except aiohttp.ClientSSLError as error:
            problem = f"cannot speak TLS: {_tls_words(error)}"
        except aiohttp.ServerDisconnectedError:
            problem = "it hangs up"
            if way.tls is None:
                problem += "; if it speaks TLS, --sidecar-config of the operator must name its authority"
        except aiohttp.ClientConnectorError as error:
            problem = f"cannot connect: {_words(error.os_error)}"
        except Exception as error:  # noqa: BLE001 - whatever one answers, the others are heard, and the way back is decided
            problem = f"{type(error).__name__}: {error}"
        else:
            return _confirmed(pod, report)
        return _silent(pod, port, problem)

    async def _fetch(self, pod: ReadyPod, port: int, way: Way) -> bytes:
        url = URL.build(scheme=way.scheme, host=pod.address, port=port, path=FLAGS_PATH)
        async with self._session.get(
            url, allow_redirects=False, headers=way.headers, ssl=way.tls or True, server_hostname=way.server_name
        ) as response:
            if response.status == 401:  # noqa: PLR2004 - HTTP's own number
                raise _AnswerError("HTTP 401: it wants a token, which --sidecar-config of the operator must name")
            if response.status != 200:  # noqa: PLR2004 - HTTP's own number
                raise _AnswerError(f"HTTP {response.status}; is this the sidecar's admin port?")
            body = bytearray()
            async for chunk in response.content.iter_chunked(MAX_REPORT_BYTES):
                body += chunk
                if len(body) > MAX_REPORT_BYTES:
                    raise _AnswerError(f"answer is longer than {MAX_REPORT_BYTES} bytes")
            return bytes(body)


class _NoTurnError(Exception):
    """There was no place in time."""


@asynccontextmanager
async def _until(ends: float, places: asyncio.Semaphore) -> AsyncIterator[None]:
    """Have one of the `places`, waiting for it until `ends` by the loop's clock. Raises `_NoTurnError`."""
    try:
        async with asyncio.timeout_at(ends):
            await places.acquire()
    except TimeoutError:
        raise _NoTurnError from None
    try:
        yield
    finally:
        places.release()


class _AnswerError(Exception):
    """An answer that is not a report."""


def _silent(pod: ReadyPod, port: int, problem: str) -> PodReport:
    return PodReport(name=pod.name, error=f"GET {FLAGS_PATH} on port {port}: {problem}")


def _tls_words(error: aiohttp.ClientSSLError) -> str:
    cause = getattr(error, "certificate_error", None) or error.os_error
    return getattr(cause, "verify_message", "") or getattr(cause, "reason", "") or str(cause)


def _words(error: OSError) -> str:
    """Return the system's own words; asyncio puts the address in their place."""
    return os.strerror(error.errno).lower() if error.errno else str(error)


def _complaint(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(step) for step in first["loc"])
    return f"not a flag report: {where + ': ' if where else ''}{first['msg']}"


def _confirmed(pod: ReadyPod, report: FlagReport) -> PodReport:
    return PodReport(
        name=pod.name,
        percent=report.percentage,
        revision=report.revision,
        sha256=report.sha256,
        rollout=report.rollout,
        expired=report.state is FlagState.EXPIRED,
        since=report.since,
        policy_revision=report.policy_revision,
        baseline_policy_revision=report.baseline_policy_revision,
        baseline_only_count=report.baseline_only_count,
        baseline_only=tuple((path.path, path.reason) for path in report.baseline_only),
    )


def open_session() -> aiohttp.ClientSession:
    """Return the session sidecars are asked with: pods are reached directly, never through the environment's proxies."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=CONCURRENCY, keepalive_timeout=30),
        timeout=aiohttp.ClientTimeout(total=ANSWER_SECONDS),
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
        headers={"User-Agent": "sark-operator"},
    )
