"""Kinds of values in the configuration: each is checked where it is read, and says what to write instead."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

_MAX_MODE = 0o777


class Section(BaseModel):
    """A part of the configuration: no unknown keys, and no change once it is read."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _http_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("it must be an address such as http://localhost:8181")
    if parts.username or parts.password:
        raise ValueError("it must not contain a user name or password")
    return value.rstrip("/")


def _pointer(value: str) -> str:
    if not value.startswith("/"):
        raise ValueError(f"{value!r} is not a JSON pointer; it starts with a slash, as in /user/id")
    return value


def _octal(value: object) -> object:
    """Read digits as chmod does; a number is taken as it is (YAML reads a bare 0660 as octal itself)."""
    if not isinstance(value, str):
        return value
    try:
        return int(value, 8)
    except ValueError:
        raise ValueError(f"{value!r} is not a file mode; write it in octal digits, as in 0660") from None


def _mode(value: int) -> int:
    if not 0 <= value <= _MAX_MODE:
        raise ValueError(f"0{value:o} is not a file mode; write it in octal digits, as in 0660")
    return value


def _socket(value: Path) -> Path:
    if not value.is_absolute():
        raise ValueError(f"{str(value)!r} must be an absolute path, as in /run/sark/data.sock")
    return value


def is_loopback(host: str) -> bool:
    """Return whether nobody outside this network namespace is reached at, or reaches, `host`."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


HttpUrl = Annotated[str, AfterValidator(_http_url)]
Pointer = Annotated[str, Field(max_length=256), AfterValidator(_pointer)]
Port = Annotated[int, Field(ge=0, le=65_535)]
FileMode = Annotated[int, BeforeValidator(_octal), AfterValidator(_mode)]
SocketPath = Annotated[Path, AfterValidator(_socket)]
