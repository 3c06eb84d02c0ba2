"""Bearer tokens kept in files, read when they are needed so that a new one is used at once."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from pathlib import Path

from sark_sidecar.whole_file import read_whole

_MAX_BYTES = 16_384
_MOST_TOKENS = 64


class TokenError(Exception):
    """The file holds no token that can be used; the message names the file and never what it holds."""


def tokens_in(raw: bytes) -> list[str]:
    """Return the tokens of a file that holds one a line.

    Raises:
        TokenError: it holds none, or something that is none.
    """
    lines = [line.strip() for line in raw.splitlines() if line.strip()]
    if not lines or len(lines) > _MOST_TOKENS:
        raise TokenError(f"it must hold 1 to {_MOST_TOKENS} tokens, one a line, not {len(lines)}")
    for number, line in enumerate(lines, start=1):
        if not all(ord("!") <= byte <= ord("~") for byte in line):
            raise TokenError(f"token {number} must be printable ASCII without spaces")
    return [line.decode() for line in lines]


def shows_token(header: str, tokens: Sequence[str]) -> bool:
    """Return whether the Authorization header has one of the tokens; the time it takes tells at most how long they are."""
    scheme, _, shown = header.partition(" ")
    if scheme.lower() != "bearer":
        return False
    # No short cut: each is compared.
    found = [hmac.compare_digest(token.encode(), shown.strip().encode("utf-8", "replace")) for token in tokens]
    return any(found)


def read_token(path: Path) -> str:
    """Return the one token in the file. Blocks.

    Raises:
        TokenError: the file is missing or cannot be read, or holds something else.
    """
    try:
        raw = read_whole(path, _MAX_BYTES)
    except (OSError, ValueError) as error:
        raise TokenError(f"{path}: {getattr(error, 'strerror', error)}") from error
    token = (raw or b"").strip()
    if not 0 < len(token) <= _MAX_BYTES or not token.isascii() or any(byte <= ord(" ") for byte in token):
        raise TokenError(f"{path} must hold one token and nothing else")
    return token.decode()
