"""Where a write goes: a path that can mean one thing only, at or below a document that may be written."""

from __future__ import annotations

import re
from collections.abc import Collection
from urllib.parse import quote, unquote

BASE = "/v1/data"
_WELL_ESCAPED = re.compile(r"(?:[^%]|%[0-9A-Fa-f]{2})*\Z")
# A byte order mark is an internal error to OPA: it makes a query of the path.
_MISREAD = re.compile(r'[\x00-\x1f\x7f/"\\\ufeff]')
_MAX_SEGMENTS = 32
_MAX_SEGMENT = 256


class UnclearPlace(ValueError):  # noqa: N818 - the client's mistake
    """The path could be read in several ways, or in none."""


class ForbiddenPlace(ValueError):  # noqa: N818 - the client's mistake
    """Nobody may write there."""


def place_of(path: str, names: Collection[str]) -> str:
    """Return the path to write at, in its one spelling.

    Raises:
        UnclearPlace: it has an empty segment, one that is no text, or one that OPA and this could read differently.
        ForbiddenPlace: it is not at or below one of `names`.
    """
    below = path.removeprefix(BASE)
    segments = [_decoded(segment) for segment in below.split("/")[1:]]
    if not segments or segments[0] not in names:
        raise ForbiddenPlace(
            f"only {', '.join(f'{BASE}/{name}' for name in names)} and what lies below may be written (writes.documents); "
            "everything else comes from the source of the policies"
        )
    if len(segments) > _MAX_SEGMENTS:
        raise UnclearPlace(f"the path has more than {_MAX_SEGMENTS} segments")
    # Of an escaped path OPA looks for what is below in the whole, and takes the first place where it stands.
    decoded = "/".join(segments)
    if "%" in below and f"{BASE}/{decoded}".find(decoded) != len(BASE) + 1:
        raise UnclearPlace("the path could be read in more than one way; write it without percent signs")
    return BASE + "".join(f"/{quote(segment, safe='')}" for segment in segments)


def _decoded(segment: str) -> str:
    try:
        decoded = unquote(segment, errors="strict")
    except UnicodeDecodeError as error:
        raise UnclearPlace("a segment of the path is not UTF-8") from error
    if (
        not _WELL_ESCAPED.match(segment)
        or _MISREAD.search(decoded)
        or decoded in {"", ".", ".."}
        or len(decoded) > _MAX_SEGMENT
    ):
        raise UnclearPlace(
            f"a segment of the path is empty, a dot, longer than {_MAX_SEGMENT} characters, badly escaped, or has a slash, "
            "quote, backslash, control character or byte order mark in it"
        )
    return decoded
