"""Text from a cluster made safe for a terminal: a message or a label must not move the cursor or change colours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_KEPT = "\n\t"


def printable(text: str) -> str:
    """Return `text` with every control character but line ends and tabs replaced by a question mark."""
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() or letter in _KEPT else "?" for letter in text)


def line_of(text: str) -> str:
    """Return `text` as one line: with every control character, line ends and tabs too, replaced by a question mark."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def cleaned(value: Any) -> Any:
    """Return a JSON value with every string in it, keys too, made printable."""
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, Mapping):
        return {printable(str(key)): cleaned(member) for key, member in value.items()}
    if isinstance(value, list):
        return [cleaned(member) for member in value]
    return value
