"""Bearer tokens kept in files, read when they are needed so that a new one is used at once."""

from __future__ import annotations

from pathlib import Path

from sark_sidecar.whole_file import read_whole

_MAX_BYTES = 16_384


class TokenError(Exception):
    """The file holds no token that can be used; the message names the file and never what it holds."""


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
