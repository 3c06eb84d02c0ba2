"""Where a sidecar is asked."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit


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
    parts = urlsplit(url)
    if parts.scheme == "unix" and parts.path.startswith("/"):
        return Place("", 0, parts.path)
    if parts.scheme == "http" and parts.hostname and parts.path in {"", "/"} and not (parts.query or parts.username):
        return Place(parts.hostname, parts.port or 80)
    raise ValueError(f"{url!r} is no place of a sidecar; write http://127.0.0.1:8180 or unix:/run/sark/data.sock")
