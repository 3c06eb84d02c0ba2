"""A proxy between the operator and a real Prometheus that makes its answers late, empty, partial, no numbers, or misdated."""

from __future__ import annotations

import http.server
import json
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any, Final, Self

SLOW_SECONDS: Final = 3.0
_OPENER: Final = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class PrometheusProxy:
    """`url` answers as the server at `target` does, changed by `mood`: "", "slow", "empty", "nan" or "partial".

    `ahead_seconds` is how far the server's clock is ahead, negative when it is behind: what it scrapes bears later or earlier
    times, and so does its present.
    A context manager.
    """

    def __init__(self, target: str, *, listen: str) -> None:
        self.mood = ""
        self.ahead_seconds = 0.0
        proxy = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self._serve(None)

            def do_POST(self) -> None:
                self._serve(self.rfile.read(int(self.headers.get("Content-Length") or 0)))

            def _serve(self, body: bytes | None) -> None:
                mood, ahead = proxy.mood, proxy.ahead_seconds
                url = f"{target}{_moved(self.path, ahead)}"
                status, answer = _asked(url, body, self.headers.get("Content-Type", ""))
                if mood == "slow":
                    time.sleep(SLOW_SECONDS)
                text = _changed(answer, mood, ahead)
                try:
                    self.send_response(status)
                    self.send_header("Content-Type", "application/json")
                    self.send_header("Content-Length", str(len(text)))
                    self.end_headers()
                    self.wfile.write(text)
                except OSError:
                    self.close_connection = True  # the operator did not wait

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = http.server.ThreadingHTTPServer((listen, 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, name="prometheus proxy", daemon=True)
        self.url = f"http://{listen}:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.mood = ""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)


def _asked(url: str, body: bytes | None, kind: str) -> tuple[int, bytes]:
    request = urllib.request.Request(url, data=body, headers={"Content-Type": kind} if kind else {})  # noqa: S310 - our own
    try:
        with _OPENER.open(request, timeout=30) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def _moved(path: str, ahead: float) -> str:
    """Return `path` with the times it asks for as this machine's clock has them."""
    if not ahead:
        return path
    url = urllib.parse.urlsplit(path)
    query = [
        (name, str(float(value) - ahead) if name in {"start", "end", "time"} else value)
        for name, value in urllib.parse.parse_qsl(url.query)
    ]
    return urllib.parse.urlunsplit(url._replace(query=urllib.parse.urlencode(query)))


def _changed(answer: bytes, mood: str, ahead: float) -> bytes:
    """Return the answer in its mood, and by the server's clock."""
    if mood not in {"empty", "nan", "partial"} and not ahead:
        return answer
    document: dict[str, Any] = json.loads(answer)
    data = document.get("data") or {}
    if mood == "partial":
        document["warnings"] = ["fetching series: one store did not answer"]  # as Thanos says it
    if mood == "empty":
        data["result"] = []
    for point in _points(data):
        point[0] += ahead
        if mood == "nan":
            point[1] = "NaN"
    return json.dumps(document).encode()


def _points(data: Mapping[str, Any]) -> Iterator[list[Any]]:
    """Yield every point of the answer: a list of time and value."""
    for series in data.get("result") or ():
        yield from [series["value"]] if "value" in series else []
        yield from series.get("values") or ()
