"""ASGI middleware: nobody reaches the application without a decision that allows it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from sark_sidecar.in_process import BusyError, Decision, DecisionError, DecisionPoint

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


class Authorization:
    """Asks `point` about every HTTP request and every WebSocket; the decision is in `scope["state"]["decision"]`."""

    def __init__(self, application: Application, point: DecisionPoint, question: Callable[[Scope], Any]) -> None:
        """`question` makes the policy's input of what is known of a connection: its path, method, headers."""
        self._application = application
        self._point = point
        self._question = question

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let through what is allowed."""
        # `lifespan` is the server's own; whatever else there may be one day needs a decision.
        if scope["type"] != "lifespan":
            refusal = await self._refusal(scope)
            if refusal is not None:
                await _refuse(scope, send, *refusal)
                return
        await self._application(scope, receive, send)

    async def _refusal(self, scope: Scope) -> tuple[int, bytes] | None:
        try:
            decision: Decision = await self._point.decide_async(self._question(scope))
        except BusyError:
            return 503, b"try again"
        except DecisionError:
            return 500, b"no decision"
        scope.setdefault("state", {})["decision"] = decision
        return None if decision.allow else (403, (decision.reason or "denied").encode())


async def _refuse(scope: Scope, send: Send, status: int, text: bytes) -> None:
    if scope["type"] == "websocket":
        # Closed before it was accepted: the server answers 403.
        await send({"type": "websocket.close", "code": 1008})
        return
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", b"text/plain; charset=utf-8")]})
    await send({"type": "http.response.body", "body": text})
