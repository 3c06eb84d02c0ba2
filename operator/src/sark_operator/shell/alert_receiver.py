"""Where Alertmanager says that an alert began or ended: it wakes the rollouts concerned, and that is all it does.

Nothing that is sent here is believed. What fires is asked of Prometheus in the tick that follows; so a forged message can make
the operator look, and look again, and no more. It cannot end a hold, let a step begin, or take a share back.

Everything from outside is bounded: connections, their age, the body, the number of alerts, how often a rollout is woken.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import structlog
from aiohttp import web

from sark_operator.shell.bounded_server import BoundedServer, one_request_per_connection
from sark_operator.shell.settings import Address
from sark_operator.shell.telemetry import Telemetry

PATH: Final = "/v1/alerts"
VERSION: Final = "4"
"""Version of Alertmanager's webhook payload that is understood."""
MAX_BODY: Final = 1024 * 1024
MAX_ALERTS: Final = 1000
MAX_LABELS: Final = 64
CONNECTION_SECONDS: Final = 10.0
MAX_CONNECTIONS: Final = 16
LEAST_SECONDS: Final = 1.0
"""A rollout is woken at most once in this time; what comes in between wakes it once more at its end."""
MAX_TOKEN_BYTES: Final = 4096
_MAX_KNOWN: Final = 20_000

_log = structlog.get_logger("sark.alerts")


class TokenError(Exception):
    """The token cannot be used; the message says what to mend."""


class PayloadError(ValueError):
    """The body is no notification of Alertmanager; the message says why."""


@dataclass(frozen=True, slots=True)
class Notice:
    """One alert of a notification."""

    firing: bool
    labels: Mapping[str, str]


def read_token(path: Path) -> bytes:
    """Return the token in a file, without blanks around it. It is read for each message, so that it can be exchanged.

    Raises:
        TokenError: it cannot be read, is empty, or is absurdly long.
    """
    try:
        with path.open("rb") as file:
            token = file.read(MAX_TOKEN_BYTES + 1).strip()
    except OSError as error:
        raise TokenError(f"the alert token file {path} cannot be read: {error.strerror}") from error
    if not token or len(token) > MAX_TOKEN_BYTES:
        raise TokenError(f"the alert token file {path} must hold one token of at most {MAX_TOKEN_BYTES} bytes")
    return token


def authorized(header: str, token: bytes) -> bool:
    """Return whether an Authorization header carries `token`; it takes as long whatever is wrong with it."""
    scheme, _, given = header.partition(" ")
    sent = hashlib.sha256(given.strip().encode("utf-8", "surrogateescape")).digest()
    same = hmac.compare_digest(sent, hashlib.sha256(token).digest())
    return same and scheme.lower() == "bearer"


def parse_notices(body: bytes) -> tuple[Notice, ...]:
    """Return the alerts of a notification.

    Raises:
        PayloadError: it is no notification of the version that is understood, or too large a one.
    """
    try:
        payload = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise PayloadError("the body is not JSON") from error
    if not isinstance(payload, dict):
        raise PayloadError("the body is not an object")
    if payload.get("version") != VERSION:
        raise PayloadError(f'version must be "{VERSION}", as Alertmanager sends it')
    alerts = payload.get("alerts")
    if not isinstance(alerts, list) or len(alerts) > MAX_ALERTS:
        raise PayloadError(f"alerts must be a list of at most {MAX_ALERTS}")
    return tuple(_notice(place, alert) for place, alert in enumerate(alerts))


def _notice(place: int, alert: Any) -> Notice:
    status = alert.get("status") if isinstance(alert, dict) else None
    labels = alert.get("labels") if isinstance(alert, dict) else None
    if status not in ("firing", "resolved"):
        raise PayloadError(f"alerts[{place}].status must be firing or resolved")
    if not isinstance(labels, dict) or len(labels) > MAX_LABELS:
        raise PayloadError(f"alerts[{place}].labels must be an object of at most {MAX_LABELS}")
    if not all(isinstance(value, str) for value in labels.values()):
        raise PayloadError(f"alerts[{place}].labels must be texts")
    return Notice(status == "firing", labels)


class AlertReceiver:
    """The port Alertmanager sends to."""

    def __init__(
        self,
        address: Address,
        token_file: Path,
        telemetry: Telemetry,
        *,
        concerned: Callable[[Sequence[Mapping[str, str]]], Sequence[str]],
        wake: Callable[[str], None],
        leads: Callable[[], bool],
    ) -> None:
        """Listen at `address`.

        `concerned` returns the uids of the rollouts that alerts with these labels are about; `wake` lets one look now; `leads`
        tells whether this process is the one that works.
        """
        self._token_file = token_file
        self._telemetry = telemetry
        self._concerned = concerned
        self._wake = wake
        self._leads = leads
        self._woken: OrderedDict[str, float] = OrderedDict()
        self._waiting: dict[str, asyncio.TimerHandle] = {}
        app = web.Application(middlewares=[one_request_per_connection], client_max_size=MAX_BODY)
        app.add_routes([web.post(PATH, self._take)])
        self._server = BoundedServer(app, address, max_connections=MAX_CONNECTIONS, connection_seconds=CONNECTION_SECONDS)

    @property
    def port(self) -> int:
        """The port it listens on, once it is started."""
        return self._server.port

    async def start(self) -> None:
        """Listen.

        Raises:
            TokenError: the token file cannot be used.
            OSError: the address cannot be bound.
        """
        read_token(self._token_file)
        await self._server.start()

    async def stop(self) -> None:
        """Stop listening."""
        for handle in self._waiting.values():
            handle.cancel()
        self._waiting.clear()
        await self._server.stop()

    async def _take(self, request: web.Request) -> web.Response:
        try:
            token = read_token(self._token_file)
        except TokenError as error:
            _log.error("alerts are refused", problem=str(error))
            return self._answer("refused", 503, "the token cannot be read")
        if not authorized(request.headers.get("Authorization", ""), token):
            return self._answer("unauthorized", 401, "a bearer token is needed")
        try:
            body = await request.read()
        except web.HTTPRequestEntityTooLarge:
            return self._answer("too_large", 413, f"at most {MAX_BODY} bytes")
        try:
            notices = parse_notices(body)
        except PayloadError as error:
            return self._answer("malformed", 400, str(error))
        if not self._leads():
            return self._answer("standing_by", 503, "another operator leads; try again")  # Alertmanager does
        uids = self._concerned([notice.labels for notice in notices])
        for uid in uids:
            self._soon(uid)
        firing = sum(notice.firing for notice in notices)
        _log.info("alerts received", firing=firing, resolved=len(notices) - firing, rollouts=len(uids))
        return self._answer("accepted", 200, f"{len(uids)} rollouts look now")

    def _answer(self, outcome: str, status: int, text: str) -> web.Response:
        self._telemetry.alerts(outcome)
        headers = {"WWW-Authenticate": "Bearer"} if status == 401 else None  # noqa: PLR2004 - HTTP's own number
        return web.Response(text=text + "\n", status=status, headers=headers)

    def _soon(self, uid: str) -> None:
        """Wake a rollout now, or as soon as it may be woken again."""
        if uid in self._waiting:
            return
        loop = asyncio.get_running_loop()
        left = self._woken.get(uid, -LEAST_SECONDS) + LEAST_SECONDS - loop.time()
        if left <= 0:
            self._wake_now(uid)
        else:
            self._waiting[uid] = loop.call_later(left, self._wake_now, uid)

    def _wake_now(self, uid: str) -> None:
        self._waiting.pop(uid, None)
        self._woken[uid] = asyncio.get_running_loop().time()
        self._woken.move_to_end(uid)
        while len(self._woken) > _MAX_KNOWN:
            self._woken.popitem(last=False)
        self._wake(uid)
