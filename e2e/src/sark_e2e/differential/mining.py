"""Inputs that reach a policy's guards: made of the paths, keys and constants that policy and data mention."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from .case import Text
from .document import Document, Fields, Number, anything, children, mutated, parse, render, scalar
from .tokens import Token, tokens

Path = tuple[str, ...]
"""Keys below `input`; ANY stands for a variable or an index."""
ANY: Final = "*"
Tree: TypeAlias = "dict[str, Tree]"
_COMPARE: Final = frozenset({"==", "=", "!=", "<", ">", "<=", ">=", ":="})
_MOST_PATHS: Final = 60


@dataclass(slots=True)
class Vocabulary:
    """What a policy and its data talk about."""

    strings: list[str] = field(default_factory=list)
    numbers: list[str] = field(default_factory=list)
    paths: list[Path] = field(default_factory=list)
    guards: dict[Path, list[Document]] = field(default_factory=dict)
    """Constants that stand in a comparison with a path."""


def mine(sources: Iterable[str], data: Text) -> Vocabulary:
    """Return the words of `sources` and `data`."""
    strings: dict[str, None] = {}
    numbers: dict[str, None] = {}
    paths: dict[Path, None] = {}
    found = Vocabulary()
    for source in sources:
        words = tokens(source)
        for place, word in enumerate(words):
            if word.kind == "string":
                strings[_unquoted(word.text)] = None
            elif word.kind == "number":
                numbers[word.text] = None
            elif word.kind == "name" and word.text == "input":
                path, end = _path_at(words, place + 1)
                if path:
                    paths[path] = None
                    found.guards.setdefault(path, []).extend(_constants_beside(words, place, end))
    for text in _words_of(parse(data)):
        strings.setdefault(text)
    found.strings, found.numbers, found.paths = list(strings), list(numbers), list(paths)[:_MOST_PATHS]
    return found


def _words_of(document: Document) -> Iterator[str]:
    if isinstance(document, str):
        yield document
    if isinstance(document, Fields):
        yield from (key for key, _ in document.pairs)
    for _, part in children(document):
        yield from _words_of(part)


def _path_at(words: list[Token], place: int) -> tuple[Path, int]:
    """Return the keys of the reference that goes on at `place`, and where it ends."""
    keys: list[str] = []
    while place + 1 < len(words):
        sign, following = words[place], words[place + 1]
        if sign.spaced or sign.text not in {".", "["}:
            break
        if sign.text == "." and following.kind == "name":
            keys.append(following.text)
            place += 2
        elif sign.text == "[" and place + 2 < len(words) and words[place + 2].text == "]":
            keys.append(_unquoted(following.text) if following.kind == "string" else ANY)
            place += 3
        else:
            break
    return tuple(keys), place


def _constants_beside(words: list[Token], start: int, end: int) -> list[Document]:
    """Return the constants that the reference in `words[start:end]` is compared with, on either side."""
    found = []
    if end + 1 < len(words) and words[end].text in _COMPARE:
        found.append(words[end + 1])
    if start >= 2 and words[start - 1].text in _COMPARE:
        found.append(words[start - 2])
    return [document for word in found for document in _constant(word)]


def _constant(word: Token) -> list[Document]:
    if word.kind == "string":
        return [_unquoted(word.text)]
    if word.kind == "number":
        return [Number(word.text)]
    literal = {"true": True, "false": False, "null": None}
    return [literal[word.text]] if word.text in literal else []


def _unquoted(text: str) -> str:
    if text.startswith("`"):
        return text[1:-1]
    try:
        return str(json.loads(text))
    except ValueError:
        return text[1:-1]


class Inputs:
    """Makes inputs for one vocabulary."""

    def __init__(self, vocabulary: Vocabulary, chance: random.Random, seeds: Iterable[Text] = ()) -> None:
        self._words = vocabulary
        self._chance = chance
        self._seeds = [parse(seed) for seed in seeds]

    def texts(self, count: int) -> tuple[Text | None, ...]:
        """Return `count` inputs, and the absent one."""
        made = (render(self._one()) for _ in range(count))
        # To the data API a null input is no input.
        return (None, *(text for text in made if text != "null"))

    def _one(self) -> Document:
        chance = self._chance
        if chance.random() < 0.03:
            return anything(chance, self._words.strings, self._words.numbers, depth=3)
        made = chance.choice(self._seeds) if self._seeds and chance.random() < 0.6 else self._built()
        for _ in range(chance.choice([0, 0, 1, 1, 2, 3])):
            made = mutated(made, chance, self._words.strings, self._words.numbers)
        return made

    def _built(self) -> Document:
        """Set most of the paths, most of them to what the policy compares them with."""
        tree: Tree = {}
        leaves: dict[Path, Document] = {}
        for path in self._words.paths:
            if self._chance.random() < 0.85:
                _grow(tree, path)
                leaves[path] = self._leaf(path)
        return self._document(tree, (), leaves)

    def _leaf(self, path: Path) -> Document:
        guards = self._words.guards.get(path)
        if guards and self._chance.random() < 0.7:
            return self._chance.choice(guards)
        if self._chance.random() < 0.3:
            return anything(self._chance, self._words.strings, self._words.numbers)
        return scalar(self._chance, self._words.strings, self._words.numbers)

    def _document(self, tree: Tree, path: Path, leaves: dict[Path, Document]) -> Document:
        if not tree:
            return leaves.get(path)
        if set(tree) == {ANY}:
            below = tree[ANY]
            items = [self._branch(below, (*path, ANY), leaves) for _ in range(self._chance.randint(0, 3))]
            if self._chance.random() < 0.7:
                return items
            return Fields(tuple({self._chance.choice(self._words.strings or ["a"]): item for item in items}.items()))
        return Fields(tuple((key, self._branch(below, (*path, key), leaves)) for key, below in tree.items() if key != ANY))

    def _branch(self, below: Tree, path: Path, leaves: dict[Path, Document]) -> Document:
        if below:
            return self._document(below, path, leaves)
        return leaves[path] if self._chance.random() < 0.8 and path in leaves else self._leaf(path)


def _grow(tree: Tree, path: Path) -> None:
    for key in path:
        tree = tree.setdefault(key, {})
