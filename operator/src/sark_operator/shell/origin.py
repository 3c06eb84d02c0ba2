"""Which server an address leads to, however it is spelt: read as `requests` reads it before it sends anything there."""

from __future__ import annotations

from functools import lru_cache
from typing import Final
from urllib.parse import SplitResult, urlsplit

import requests

_PORTS: Final = {"http": 80, "https": 443}


@lru_cache(maxsize=1024)
def origin(address: str) -> str:
    """Return scheme, host and port; `address` itself when it is no URL."""
    try:
        parts = sent(address)
        return f"{parts.scheme}://{(parts.hostname or '').rstrip('.')}:{port(parts)}"
    except ValueError:
        return address


def sent(address: str) -> SplitResult:
    """Return the parts of what is sent: the host in lower case and ASCII, the path without dots. Raises `ValueError`."""
    try:
        return urlsplit(requests.Request("GET", address).prepare().url or "")
    except (requests.RequestException, UnicodeError) as error:
        raise ValueError(str(error)) from error


def port(parts: SplitResult) -> int:
    """Return the port, also one that goes without saying. Raises `ValueError`."""
    return parts.port or _PORTS.get(parts.scheme, 0)
