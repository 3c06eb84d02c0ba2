"""Shell patterns as OPA reads those of `exclude_files`: a star does not cross a slash."""

from __future__ import annotations

import re
from functools import lru_cache


@lru_cache(maxsize=256)
def file_pattern(pattern: str) -> re.Pattern[str]:
    r"""Return the regular expression of `pattern`, with `*`, `?`, `[a-z]`, `[^a-z]` and `\` before a character meant literally.

    Raises:
        ValueError: a bracket or an escape is not finished.
    """
    parts: list[str] = []
    rest = pattern
    while rest:
        head, rest = rest[0], rest[1:]
        if head == "*":
            parts.append("[^/]*")
        elif head == "?":
            parts.append("[^/]")
        elif head == "[":
            ranges, rest = _bracket(pattern, rest)
            parts.append(ranges)
        else:
            if head == "\\":
                head, rest = _literal(pattern, rest)
            parts.append(re.escape(head))
    return re.compile("".join(parts), re.DOTALL)


def _bracket(pattern: str, rest: str) -> tuple[str, str]:
    negated = rest.startswith("^")
    rest = rest.removeprefix("^")
    ranges: list[str] = []
    while not (rest.startswith("]") and ranges):
        low, rest = _bound(pattern, rest)
        high = low
        if rest.startswith("-"):
            high, rest = _bound(pattern, rest[1:])
        if low > high:
            raise ValueError(f"{pattern!r} is not a pattern: {low}-{high} is no range")
        ranges.append(f"{re.escape(low)}-{re.escape(high)}")
    return f"[{'^' if negated else ''}{''.join(ranges)}]", rest[1:]


def _bound(pattern: str, rest: str) -> tuple[str, str]:
    if not rest or rest[0] in "-]":
        raise ValueError(f"{pattern!r} is not a pattern: a bracket is not finished")
    if rest[0] == "\\":
        return _literal(pattern, rest[1:])
    return rest[0], rest[1:]


def _literal(pattern: str, rest: str) -> tuple[str, str]:
    if not rest:
        raise ValueError(f"{pattern!r} is not a pattern: it ends with a backslash")
    return rest[0], rest[1:]
