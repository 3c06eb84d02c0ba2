"""Questions asked of a server that is starting: does its port take connections, does a path answer 200?"""

from __future__ import annotations

import http.client
import socket
import ssl
import urllib.error
import urllib.request
from typing import Final

from .process import Probe

TIMEOUT_SECONDS: Final = 2.0


def http_ok(url: str, *, context: ssl.SSLContext | None = None) -> Probe:
    """Return a probe that is satisfied when GET `url` answers 200. Proxies of the environment are not used."""
    handlers: list[urllib.request.BaseHandler] = [urllib.request.ProxyHandler({})]
    if context is not None:
        handlers.append(urllib.request.HTTPSHandler(context=context))
    opener = urllib.request.build_opener(*handlers)

    def ask() -> str | None:
        try:
            with opener.open(url, timeout=TIMEOUT_SECONDS) as answer:
                return None if answer.status == http.HTTPStatus.OK else f"{url} answered {answer.status}"
        except urllib.error.HTTPError as error:
            with error:
                return f"{url} answered {error.code}"
        except (OSError, http.client.HTTPException) as error:
            return f"{url}: {getattr(error, 'reason', error)}"

    return ask


def accepts(host: str, port: int) -> Probe:
    """Return a probe that is satisfied when `host`:`port` takes a TCP connection."""

    def ask() -> str | None:
        try:
            socket.create_connection((host, port), timeout=TIMEOUT_SECONDS).close()
        except OSError as error:
            return f"{host}:{port}: {error.strerror or error}"
        return None

    return ask
