"""The files the browser loads, read once; each has its digest in its address, so that it may be kept for ever."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib.resources import files
from typing import Final

_TYPES: Final = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}
_NAMES: Final = (
    "app.css",
    "app.js",
    "icon.svg",
    "vendor/htmx.min.js",
    "vendor/hx-sse.min.js",
    "vendor/uPlot.iife.min.js",
    "vendor/uPlot.min.css",
)


@dataclass(frozen=True, slots=True)
class Asset:
    """One file."""

    body: bytes
    kind: str
    digest: str


class Assets:
    """All of them, in memory: no path from outside ever reaches a file system."""

    def __init__(self) -> None:
        self._found = {name: _read(name) for name in _NAMES}

    def get(self, name: str) -> Asset | None:
        """Return a file by its name."""
        return self._found.get(name)

    def href(self, name: str) -> str:
        """Return the address of a file."""
        return f"/static/{name}?v={self._found[name].digest}"


def _read(name: str) -> Asset:
    body = (files(__package__) / "static" / name).read_bytes()
    return Asset(body, _TYPES[name[name.rindex(".") :]], hashlib.sha256(body).hexdigest()[:16])
