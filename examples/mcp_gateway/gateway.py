"""A small MCP gateway: takes `tools/call` as JSON-RPC over HTTP and asks the sidecar beside it whether the user may.

Python's standard library and `sark_client` alone. No decision is no permission.

OPA_URL=http://127.0.0.1:8180 python3 gateway.py
"""

from __future__ import annotations

import json
import os
import signal
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from sark_client import BusyError, Client, DecisionError

MAX_BODY = 65_536
DENIED, NO_DECISION, BAD_REQUEST = -32001, -32002, -32600


class Gateway(BaseHTTPRequestHandler):
    """One connection. Who the user is has been proven by what stands in front, which sets the X- headers."""

    protocol_version = "HTTP/1.1"
    timeout = 60
    sidecar: Client

    def do_GET(self) -> None:
        """Answer the readiness probe."""
        self._answer(200 if self.path == "/healthz" else 404, {})

    def do_POST(self) -> None:
        """Answer one call of a tool."""
        length = self.headers.get("Content-Length", "")
        if self.path != "/mcp" or not length.isdecimal() or int(length) > MAX_BODY:
            self.close_connection = True
            self._answer(400, {})
            return
        try:
            call = json.loads(self.rfile.read(int(length)))
            question = self._question(call["params"])
        except (ValueError, KeyError, TypeError):
            self._answer(400, _error(None, BAD_REQUEST, "not a tools/call"))
            return
        self._answer(*self._decided(call.get("id"), question))

    def _decided(self, number: Any, question: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        try:
            decision = self.sidecar.decide(question)
        except BusyError:
            return 503, _error(number, NO_DECISION, "no decision: try again")
        except DecisionError:
            return 500, _error(number, NO_DECISION, "no decision")
        if not decision.allow:
            return 403, _error(number, DENIED, decision.reason or "denied")
        # A real gateway would pass the call on to the tool's server here, with these parameters.
        called = json.dumps({"tool": question["tool"]["name"], "called_with": decision.filtered_parameters})
        return 200, {"jsonrpc": "2.0", "id": number, "result": {"content": [{"type": "text", "text": called}]}}

    def _question(self, parameters: dict[str, Any]) -> dict[str, Any]:
        tenant = self.headers.get("X-Tenant", "")
        return {
            "user": {
                "id": self.headers.get("X-User", ""),
                "tenant": tenant,
                "roles": [role for role in self.headers.get("X-Roles", "").split(",") if role],
            },
            "action": "invoke",
            "tool": {"name": parameters["name"], "tenant": self.headers.get("X-Tool-Tenant", tenant)},
            "parameters": parameters.get("arguments", {}),
        }

    def _answer(self, status: int, body: dict[str, Any]) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        """Log nothing: a decision is logged by the sidecar, if at all."""


def _error(number: Any, code: int, message: str) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": number, "error": {"code": code, "message": message}}


class Server(ThreadingHTTPServer):
    """Answers what has begun before it ends."""

    daemon_threads = True
    request_queue_size = 128


def main() -> None:
    """Serve until asked to end."""
    with Client(os.environ.get("OPA_URL", "http://127.0.0.1:8180"), path="mcp/gateway/decision", timeout=2.0) as sidecar:
        Gateway.sidecar = sidecar
        server = Server(("", int(os.environ.get("PORT", "8080"))), Gateway)
        signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
        server.serve_forever()


if __name__ == "__main__":
    main()
