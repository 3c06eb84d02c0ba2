"""Documents without what they say: each value becomes its type, its length and a hash, but for places that may be shown.

The hash is keyed anew in every process: equal values can be told within one sidecar's reports, and nobody can find a value by
trying words.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from .comparison import Pointer, pointer_text
from .documents import UNDEFINED, canonical_number

MAX_NODES = 200
"""Most values of one document that are described; of the rest only a count is."""
MAX_DEPTH = 12
MAX_SHOWN_TEXT = 256
"""Longest string that is shown in full, in characters."""
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}")
"""A member's name that may be shown: such as a schema has, not such as a person or an address."""
_ANY = "*"


class Redactor:
    """Describes documents."""

    def __init__(self, shown: Sequence[Pointer], key: bytes | None = None) -> None:
        """`shown` are the places whose values stay, with all that is below them; the token `*` stands for any one."""
        self._shown = tuple(shown)
        self._key = secrets.token_bytes(32) if key is None else key

    def redact(self, document: Any) -> Any:
        """Return `document` as JSON, every value outside the shown places as a description such as `<string 12 9f86d081>`."""
        return _Walk(self._shown, self._key).describe(document, (), shown=() in self._shown)

    def pointer(self, pointer: Pointer, *documents: Any) -> str:
        """Return a pointer into any of `documents`, whose names are shown as those of documents are.

        Digits are shown where they are a place in a list. As the name of a member they may be an account or a telephone number.
        """
        tokens: list[str] = []
        for token in pointer:
            kinds = {type(each) for each in documents}
            is_place = list in kinds and dict not in kinds
            tokens.append(token if is_place else shown_name(token, self._key))
            documents = tuple(_part(each, token) for each in documents)
        return pointer_text(tuple(tokens))


class PlainPrinter:
    """Stands in for a Redactor where everything may be shown."""

    def redact(self, document: Any) -> Any:
        """Return `document` as JSON."""
        return _plain(document)

    def pointer(self, pointer: Pointer, *_: Any) -> str:
        """Return the pointer."""
        return pointer_text(pointer)


class _Walk:
    """One document's walk: it counts what it has described."""

    def __init__(self, shown: tuple[Pointer, ...], key: bytes) -> None:
        self._shown = shown
        self._key = key
        self._left = MAX_NODES

    def describe(self, document: Any, at: Pointer, *, shown: bool) -> Any:
        self._left -= 1
        if document is UNDEFINED:
            return "<undefined>"
        if isinstance(document, dict):
            return self._object(document, at, shown=shown)
        if isinstance(document, list):
            return self._array(document, at, shown=shown)
        if shown and not (isinstance(document, str) and len(document) > MAX_SHOWN_TEXT):
            return _plain(document)
        return self._scalar(document)

    def _object(self, document: dict[str, Any], at: Pointer, *, shown: bool) -> Any:
        if len(at) >= MAX_DEPTH:
            return f"<object {len(document)}>"
        described: dict[str, Any] = {}
        for count, key in enumerate(sorted(document)):
            if self._left <= 0:
                described["..."] = f"<{len(document) - count} more>"
                break
            place = (*at, key)
            is_shown = shown or self._is_shown(place)
            name = key if is_shown and len(key) <= MAX_SHOWN_TEXT else shown_name(key, self._key)
            described[name] = self.describe(document[key], place, shown=is_shown)
        return described

    def _array(self, document: list[Any], at: Pointer, *, shown: bool) -> Any:
        if len(at) >= MAX_DEPTH:
            return f"<array {len(document)}>"
        described: list[Any] = []
        for index, item in enumerate(document):
            if self._left <= 0:
                described.append(f"<{len(document) - index} more>")
                break
            place = (*at, str(index))
            described.append(self.describe(item, place, shown=shown or self._is_shown(place)))
        return described

    def _scalar(self, value: Any) -> str:
        if isinstance(value, bool):
            return "<boolean>"
        if value is None:
            return "<null>"
        if isinstance(value, str):
            return f"<string {len(value)} {_hash(value, self._key)}>"
        return f"<number {_hash(canonical_number(value), self._key)}>"

    def _is_shown(self, place: Pointer) -> bool:
        return any(
            len(pointer) == len(place) and all(token in (_ANY, step) for token, step in zip(pointer, place, strict=True))
            for pointer in self._shown
        )


def shown_name(name: str, key: bytes) -> str:
    """Return a member's name, or a description when it does not look like a name of a schema."""
    return name if _NAME.fullmatch(name) else f"<name {len(name)} {_hash(name, key)}>"


def _part(document: Any, token: str) -> Any:
    """Return what is at `token` of an object or a list; nothing where there is none."""
    if isinstance(document, dict):
        return document.get(token)
    if isinstance(document, list) and token.isdecimal() and int(token) < len(document):
        return document[int(token)]
    return None


def parse_pointer(text: str) -> Pointer:
    """Return a JSON pointer taken apart; `text` is empty or begins with a slash."""
    return tuple(token.replace("~1", "/").replace("~0", "~") for token in text.split("/")[1:])


def _hash(text: str, key: bytes) -> str:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), key=key, digest_size=4).hexdigest()


def _plain(document: Any) -> Any:
    """A document as plain JSON; a number that a double would change keeps its digits as a string."""
    if document is UNDEFINED:
        return "<undefined>"
    if isinstance(document, dict):
        return {key: _plain(value) for key, value in document.items()}
    if isinstance(document, list):
        return [_plain(value) for value in document]
    if isinstance(document, Decimal):
        if document == document.to_integral_value() and abs(document) < 2**53:
            return int(document)
        return float(document) if Decimal(json.dumps(float(document))) == document else str(document)
    return document
