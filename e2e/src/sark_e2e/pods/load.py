"""What the load's pod runs: a steady number of calls to the example gateway, and the count of its answers at /stats.

Standard library and the mix alone. A connection is replaced after some calls, so that kube-proxy spreads them over all pods.
"""

from __future__ import annotations

import http.client
import json
import os
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from sark_e2e.traffic.mix import Mix

PORT: Final = 8090
_CALLS_A_CONNECTION: Final = 20
_TIMEOUT_SECONDS: Final = 5.0

_answers: Counter[str] = Counter()
_lock = threading.Lock()


def _count(answer: str) -> None:
    with _lock:
        _answers[answer] += 1


def _caller(host: str, number: int, pause: float) -> None:
    mix = Mix(seed=number)
    due = time.monotonic()
    while True:
        connection = http.client.HTTPConnection(host, timeout=_TIMEOUT_SECONDS)
        try:
            for _ in range(_CALLS_A_CONNECTION):
                _count(_call(connection, mix.question()["input"]))
                due = max(due + pause, time.monotonic() - 1.0)
                time.sleep(max(0.0, due - time.monotonic()))
        except (OSError, http.client.HTTPException) as error:
            _count(f"{type(error).__name__}")
            time.sleep(0.2)
        finally:
            connection.close()


def _call(connection: http.client.HTTPConnection, question: dict[str, Any]) -> str:
    user, tool = question["user"], question["tool"]
    call = {"name": tool["name"], "arguments": question["parameters"]}
    headers = {
        "Content-Type": "application/json",
        "X-User": user["id"],
        "X-Tenant": user["tenant"],
        "X-Roles": ",".join(user["roles"]),
        "X-Tool-Tenant": tool["tenant"],
    }
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call})
    connection.request("POST", "/mcp", body, headers)
    answer = connection.getresponse()
    answer.read()
    return {200: "allow", 403: "deny"}.get(answer.status, f"http {answer.status}")


class Stats(BaseHTTPRequestHandler):
    """The count so far."""

    def do_GET(self) -> None:
        """Answer with the number of answers by kind."""
        with _lock:
            data = json.dumps(_answers).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        """Log nothing."""


def main() -> None:
    """Call TARGET, RATE times a second with CALLERS threads, for ever."""
    rate, callers = float(os.environ["RATE"]), int(os.environ.get("CALLERS", "8"))
    for number in range(callers):
        threading.Thread(target=_caller, args=(os.environ["TARGET"], number, callers / rate), daemon=True).start()
    ThreadingHTTPServer(("", PORT), Stats).serve_forever()


if __name__ == "__main__":
    main()
