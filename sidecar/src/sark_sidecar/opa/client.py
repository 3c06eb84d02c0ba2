"""OPA over HTTP: one pooled session, one deadline for each decision, and every failure a named one."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable
from typing import Any, Literal, Self

import aiohttp
import orjson
from yarl import URL

from sark_sidecar import exact_json
from sark_sidecar.reading import AnswerTooLarge, read_at_most
from sark_sidecar.settings import OpaSettings

from . import answer
from .answer import Answer
from .question import MOST_READ_BYTES, Question
from .rule_graph import DataPath

FailureKind = Literal["timeout", "connection", "evaluation"]
_MAX_POLICY_BYTES = 134_217_728
_OK = 200
_BAD_REQUEST = 400
_SERVER_ERROR = 500
_BEFORE_RESULT = re.compile(rb'\{(?:"decision_id":"[^"\\]*",)?"result":')
"""What OPA writes before a result."""
_WARNING = re.compile(rb',"warning":\{"code":"api_usage_warning","message":"[^"\\]*"\}\Z')
"""What it writes behind one when the question has no input."""
_OF_THE_QUESTION = re.compile(r"\Ainvalid_parameter:|\brego_[a-z_]+_error\b")


class OpaFailure(Exception):  # noqa: N818 - OPA's, not ours
    """OPA gave no decision."""

    def __init__(self, kind: FailureKind, message: str, *, is_outage: bool = True) -> None:
        """Say which kind, as the metric's label spells it, and a sentence for the log.

        `is_outage` is False when OPA is well and only this question has no decision: no reason to spare OPA other questions.
        """
        super().__init__(message)
        self.kind = kind
        self.is_outage = is_outage


class OpaServer:
    """A client of one OPA server."""

    def __init__(self, settings: OpaSettings, *, max_decision_bytes: int) -> None:
        """Open nothing yet."""
        self._settings = settings
        self._max_bytes = max_decision_bytes
        self._base = URL(settings.url)
        connector = aiohttp.TCPConnector(limit=settings.max_connections, keepalive_timeout=60, ttl_dns_cache=10)
        self._session = aiohttp.ClientSession(
            connector=connector,
            timeout=aiohttp.ClientTimeout(total=settings.timeout),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"Content-Type": "application/json"},
        )

    async def __aenter__(self) -> Self:
        """Return the client."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close its connections."""
        await self._session.close()

    async def decide(self, question: Question) -> Answer:
        """Return OPA's answer: a decision, undefined, or its own refusal of a bad request.

        Raises:
            OpaFailure: no answer in time, no connection, or an answer that is no decision.
        """
        try:
            async with asyncio.timeout(self._settings.timeout):
                status, raw = await self._ask(question)
        except TimeoutError as error:
            raise OpaFailure("timeout", f"OPA did not answer within {self._settings.timeout:g} s") from error
        except aiohttp.ClientError as error:
            raise OpaFailure("connection", f"OPA cannot be reached: {error}") from error
        except AnswerTooLarge as error:
            raise OpaFailure("evaluation", f"OPA: {error}", is_outage=False) from error
        if status == _BAD_REQUEST:
            return Answer(_BAD_REQUEST, raw, "error")
        if status != _OK:
            message, is_evaluation = _complaint(raw)
            is_outage = status >= _SERVER_ERROR and not is_evaluation
            raise OpaFailure("evaluation", f"OPA answered {status}: {message}", is_outage=is_outage)
        return _read(raw, question)

    async def modules(self) -> bytes:
        """Return the answer of `GET /v1/policies`.

        Raises:
            OpaFailure: OPA did not answer it.
        """
        return await self._get("/v1/policies")

    async def documents(self, paths: Iterable[DataPath]) -> list[tuple[DataPath, Any]]:
        """Return the documents at `paths`, without those that do not exist.

        Raises:
            OpaFailure: OPA did not answer for one of them.
        """
        found = []
        for path in paths:
            raw = await self._get(Question("/".join(path), None).url_path)
            try:
                members = await asyncio.to_thread(exact_json.loads, raw)
            except exact_json.JsonError as error:
                raise OpaFailure("evaluation", "OPA's answer is not JSON") from error
            if not isinstance(members, dict):
                raise OpaFailure("evaluation", "OPA's answer is not a JSON object")
            if "result" in members:
                found.append((path, members["result"]))
        return found

    async def _ask(self, question: Question) -> tuple[int, bytes]:
        """A kept-alive connection may have been closed meanwhile; then ask once more, within the same deadline."""
        try:
            return await self._post(question)
        except aiohttp.ClientConnectorError:
            raise
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError, ConnectionResetError):
            return await self._post(question)

    async def _post(self, question: Question) -> tuple[int, bytes]:
        # Following a redirect would ask without the body: OPA would decide about nothing at all.
        url = self._url(question.url_path, question.parameters)
        async with self._session.post(url, data=question.body, allow_redirects=False) as reply:
            return reply.status, await read_at_most(reply, self._max_bytes)

    async def _get(self, path: str) -> bytes:
        try:
            async with self._session.get(self._url(path, ""), allow_redirects=False) as reply:
                if reply.status != _OK:
                    raise OpaFailure("evaluation", f"OPA answered {reply.status} to GET {path}")
                return await read_at_most(reply, _MAX_POLICY_BYTES)
        except TimeoutError as error:
            raise OpaFailure("timeout", f"OPA did not answer GET {path} within {self._settings.timeout:g} s") from error
        except (aiohttp.ClientError, OSError, AnswerTooLarge) as error:
            raise OpaFailure("connection", f"OPA cannot be reached: {error}") from error

    def _url(self, path: str, parameters: str) -> URL:
        """Percent-encoding is ours: yarl's would decode `%2F` in a segment."""
        query = f"?{parameters}" if parameters else ""
        return URL(f"{self._base}".rstrip("/") + path + query, encoded=True)


def _read(raw: bytes, question: Question) -> Answer:
    try:
        if len(raw) > MOST_READ_BYTES and not question.parameters and (decided := _as_written(raw)) is not None:
            return decided
        members = exact_json.loads(raw)
        if not isinstance(members, dict):
            raise OpaFailure("evaluation", "OPA's answer is not a JSON object")
        if question.parameters:
            # Explanations and the like are part of the answer: hand it on as it is.
            outcome = answer.outcome_of(members["result"]) if "result" in members else "undefined"
            return Answer(_OK, raw, outcome)
        if "result" not in members:
            return answer.UNDEFINED
        return answer.decision(exact_json.dumps(members["result"]), members["result"], keep=True)
    except exact_json.JsonError as error:
        # It nests too deeply for us, or has a number beyond all bounds: whoever asks that must not open the circuit for all.
        is_object = raw.startswith(b"{") and raw.rstrip().endswith(b"}")
        raise OpaFailure("evaluation", f"OPA's answer cannot be read: {error}", is_outage=not is_object) from error


def _as_written(raw: bytes) -> Answer | None:
    """Return the decision in a large answer, its result as OPA wrote it; None when there is more in the answer.

    To write it anew with every digit takes the event loop several times as long, and with it everything else.

    Raises:
        JsonError: it nests too deeply.
    """
    before, text = _BEFORE_RESULT.match(raw), raw.rstrip()
    if before is None or not text.endswith(b"}"):
        return None
    result = _WARNING.sub(b"", text[before.end() : -1])
    try:
        # Only if nothing but the result stands there it is a document by itself.
        value = orjson.loads(result)
    except orjson.JSONDecodeError:
        return None
    exact_json.dumps(value)
    return answer.decision(result.strip(), value, keep=True)


def _complaint(raw: bytes) -> tuple[str, bool]:
    """Return what an error says, and whether it is OPA's own about this question, which says nothing about the next one.

    An evaluation that fails lists `errors`. A path that cannot be, as one with a number below `data`, fails to compile: then
    the compiler's kind of error is in the message. One that OPA cannot even parse is an `invalid_parameter`, which OPA puts in
    the message of an `internal_error`. Without that look a few such questions would open the circuit for all.
    """
    try:
        members = exact_json.loads(raw)
    except exact_json.JsonError:
        return "not JSON", False
    if not isinstance(members, dict):
        return "", False
    message = str(members.get("message", ""))
    return message[:300], isinstance(members.get("errors"), list) or _OF_THE_QUESTION.search(message) is not None
