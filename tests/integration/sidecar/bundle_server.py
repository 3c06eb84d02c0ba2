"""A bundle server on loopback that a test steers: ETag, long polling, tokens, TLS, and every way of going wrong."""

from __future__ import annotations

import hashlib
import ssl
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Self

LONG_POLLING = "application/vnd.openpolicyagent.bundles"


class BundleHost(ThreadingHTTPServer):
    """Serves one bundle at `/bundle.tar.gz`; attributes may be set at any time."""

    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True

    def __init__(self, host: str, *, port: int = 0, certificate: tuple[Path, Path] | None = None) -> None:
        super().__init__((host, port), _Handler)
        scheme = "http"
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self.socket = context.wrap_socket(self.socket, server_side=True)
            scheme = "https"
        self.url = f"{scheme}://{host}:{self.server_port}"
        self.bundle = b""
        self.status = 200
        self.token = ""
        self.content_type = "application/gzip"
        self.redirect = ""
        self.sends_etag = True
        self.seen: list[dict[str, str]] = []
        """Headers of each request, in lower case, with `answered`."""
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    @property
    def etag(self) -> str:
        """The entity tag of what is served now."""
        return f'"{hashlib.sha256(self.bundle).hexdigest()[:16]}"'

    def answered(self, status: int) -> int:
        """Return how many requests were answered so."""
        return sum(one.get("answered") == str(status) for one in self.seen)

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that go away are part of the tests."""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.shutdown()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: BundleHost

    def do_GET(self) -> None:
        seen = {key.lower(): value for key, value in self.headers.items()}
        self.server.seen.append(seen)
        if self.server.redirect:
            seen["answered"] = "302"
            self._answer(302, b"", {"Location": self.server.redirect})
            return
        if self.server.token and seen.get("authorization") != f"Bearer {self.server.token}":
            seen["answered"] = "401"
            self._answer(401, b"")
            return
        self._hold_back(seen)
        if self.server.status != 200:
            seen["answered"] = str(self.server.status)
            self._answer(self.server.status, b"no")
            return
        etag = self.server.etag
        known = self.server.sends_etag and etag in seen.get("if-none-match", "")
        seen["answered"] = "304" if known else "200"
        headers = {"ETag": etag} if self.server.sends_etag else {}
        self._answer(304 if known else 200, b"" if known else self.server.bundle, headers)

    def _hold_back(self, seen: dict[str, str]) -> None:
        wait = [part for part in seen.get("prefer", "").split(";") if part.startswith("wait=")]
        if self.server.content_type != LONG_POLLING or not wait:
            return
        deadline = time.monotonic() + float(wait[0].removeprefix("wait="))
        while self.server.etag in seen.get("if-none-match", "") and time.monotonic() < deadline:
            time.sleep(0.02)

    def _answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for key, value in {"Content-Type": self.server.content_type, **(headers or {})}.items():
            self.send_header(key, value)
        if status != 304:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's word
        """Say nothing."""
