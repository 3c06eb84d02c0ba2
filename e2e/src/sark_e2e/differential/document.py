"""JSON values with a spelling: `1.0` is not `1`, and an object may say a key twice. Made, changed and written as text."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from .case import Text


@dataclass(frozen=True, slots=True)
class Number:
    """A number as it is spelt."""

    text: str


@dataclass(frozen=True, slots=True)
class Fields:
    """An object with its keys in order, possibly twice."""

    pairs: tuple[tuple[str, Any], ...]


Document = Any
"""None, bool, str, Number, list, Fields."""

NUMBERS: Final = (
    *("0", "1", "1", "2", "2", "3", "10", "100", "-1", "-2", "1.0", "1e0", "0.1", "0.5", "1.5", "2.50", "-0", "0.0"),
    *("9007199254740993", "9223372036854775807", "9223372036854775808", "18446744073709551616", "1E2", "1e-7"),
    *("123456789012345678901234567890", "0.30000000000000004", "3.14159265358979323846", "1e21"),
)
STRINGS: Final = ("", "a", "b", "A", "ab", "1", "a.b", "a/b", "a b", "é", "☃", "\u0000", "true", "null", "10.0.0.1", "*")


def parse(text: Text) -> Document:
    """Read a JSON text with its spelling."""
    return json.loads(text, parse_float=Number, parse_int=Number, object_pairs_hook=lambda pairs: Fields(tuple(pairs)))


def render(document: Document) -> Text:
    """Write a document as it is spelt."""
    match document:
        case Number(text):
            return text
        case Fields(pairs):
            return "{" + ", ".join(f"{json.dumps(key)}: {render(value)}" for key, value in pairs) + "}"
        case list():
            return "[" + ", ".join(map(render, document)) + "]"
        case _:
            return json.dumps(document)


def children(document: Document) -> list[tuple[int, Document]]:
    """Return the parts of an object or array with their places."""
    match document:
        case Fields(pairs):
            return [(place, value) for place, (_, value) in enumerate(pairs)]
        case list():
            return list(enumerate(document))
        case _:
            return []


def with_child(document: Document, place: int, value: Document) -> Document:
    """Return `document` with the part at `place` replaced."""
    if isinstance(document, Fields):
        pairs = list(document.pairs)
        pairs[place] = (pairs[place][0], value)
        return Fields(tuple(pairs))
    return [*document[:place], value, *document[place + 1 :]]


def without_child(document: Document, place: int) -> Document:
    """Return `document` without the part at `place`."""
    if isinstance(document, Fields):
        return Fields(document.pairs[:place] + document.pairs[place + 1 :])
    return [*document[:place], *document[place + 1 :]]


def scalar(chance: random.Random, strings: Sequence[str] = STRINGS, numbers: Sequence[str] = NUMBERS) -> Document:
    """Return a value without parts."""
    roll = chance.random()
    if roll < 0.5:
        return chance.choice(strings or STRINGS)
    if roll < 0.8:
        return Number(chance.choice(numbers or NUMBERS))
    return chance.choice([True, False, None])


def anything(chance: random.Random, strings: Sequence[str], numbers: Sequence[str], depth: int = 2) -> Document:
    """Return a value that may have parts, of the given words."""
    roll = chance.random()
    if depth == 0 or roll < 0.55:
        return scalar(chance, strings, numbers)
    parts = [anything(chance, strings, numbers, depth - 1) for _ in range(chance.randint(0, 3))]
    if roll < 0.8:
        return parts
    keys = [chance.choice(strings or STRINGS) for _ in parts]
    return Fields(tuple(dict(zip(keys, parts, strict=True)).items()))


def mutated(document: Document, chance: random.Random, strings: Sequence[str], numbers: Sequence[str]) -> Document:
    """Return `document` with one change somewhere inside."""
    parts = children(document)
    if parts and chance.random() < 0.75:
        place, part = chance.choice(parts)
        if chance.random() < 0.15:
            return without_child(document, place)
        return with_child(document, place, mutated(part, chance, strings, numbers))
    return _changed(document, chance, strings, numbers)


def _changed(document: Document, chance: random.Random, strings: Sequence[str], numbers: Sequence[str]) -> Document:
    roll = chance.random()
    if roll < 0.25:
        return anything(chance, strings, numbers) if roll < 0.15 else None if roll < 0.2 else [document]
    match document:
        case bool() | None:
            return not document
        case str():
            return _near(document, chance) if chance.random() < 0.5 else scalar(chance, strings, numbers)
        case Number(text):
            return _respelt(text, chance)
        case Fields(pairs):
            return _with_field(pairs, chance, strings, numbers)
        case _:
            return _rearranged(document, chance, strings, numbers)


def _near(text: str, chance: random.Random) -> Document:
    """Return a string that almost is `text`."""
    if text.isdecimal() and chance.random() < 0.5:
        return Number(str(int(text)))
    options = [text.upper(), text.capitalize(), f"{text} ", f" {text}", text[:-1], text[1:], f"{text}a", f"{text}/", f"x{text}"]
    return chance.choice(options)


def _respelt(text: str, chance: random.Random) -> Document:
    """Return the number in another spelling, or a neighbour of it."""
    if text.lstrip("-").isdecimal():
        options: list[Document] = [Number(f"{text}.0"), Number(f"{text}e0"), Number(f"{text}0e-1"), text]
        options += [Number(str(int(text) + 1)), Number(str(int(text) - 1)), Number(f"{text}.5")]
        return chance.choice(options)
    return chance.choice([text, Number(chance.choice(NUMBERS)), Number("1")])


def _with_field(
    pairs: tuple[tuple[str, Document], ...], chance: random.Random, strings: Sequence[str], numbers: Sequence[str]
) -> Fields:
    if pairs and chance.random() < 0.2:
        key, _ = chance.choice(pairs)
        return Fields((*pairs, (key, scalar(chance, strings, numbers))))
    return Fields((*pairs, (chance.choice(strings or STRINGS), scalar(chance, strings, numbers))))


def _rearranged(items: list[Document], chance: random.Random, strings: Sequence[str], numbers: Sequence[str]) -> Document:
    match chance.randrange(4):
        case 0:
            return [*items, scalar(chance, strings, numbers)]
        case 1 if items:
            return [*items, chance.choice(items)]
        case 2:
            return items[::-1]
        case _:
            return Fields(tuple((str(place), item) for place, item in enumerate(items)))
