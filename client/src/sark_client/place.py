"""Where a sidecar is asked."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv6Address
from typing import Final
from urllib.parse import urlsplit

_HOST: Final = re.compile(r"[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*\.?")
"""What the name service and the Host header take; a name of other letters has a form of these (xn--)."""
_MAX_HOST: Final = 253


@dataclass(frozen=True, slots=True)
class Place:
    """An address."""

    host: str
    port: int
    unix_path: str = ""
    """Of a Unix-domain socket; then host and port are not used."""

    @property
    def authority(self) -> str:
        """What the Host header says."""
        if self.unix_path:
            return "localhost"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def __str__(self) -> str:
        """Return it for people."""
        return self.unix_path or self.authority


def parse_place(url: str) -> Place:
    """Return the place that `url` names: `http://127.0.0.1:8180`, or `unix:/run/sark/data.sock`.

    Raises:
        ValueError: it names none; the message says what to write.
    """
    try:
        place = _place(url)
    except ValueError:
        # Its brackets hold no address, or its port is none.
        place = None
    if place is None:
        raise ValueError(f"{url!r} is no place of a sidecar; write http://127.0.0.1:8180 or unix:/run/sark/data.sock")
    return place


def _place(url: str) -> Place | None:
    parts = urlsplit(url)
    if "?" in url or "#" in url:
        # Left out without a word, a part of the file's name would be among it.
        return None
    if parts.scheme == "unix" and parts.path.startswith("/") and not parts.netloc:
        return Place("", 0, parts.path)
    if parts.scheme == "http" and parts.hostname and parts.path in {"", "/"} and "@" not in parts.netloc:
        port = 80 if parts.port is None else parts.port
        return Place(parts.hostname, port) if port and _is_host(parts.hostname) else None
    return None


def _is_host(name: str) -> bool:
    if ":" in name:
        IPv6Address(name)
        return True
    return len(name) <= _MAX_HOST and _HOST.fullmatch(name) is not None
