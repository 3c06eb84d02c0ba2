"""Policies that stand for real ones: a folder each, with base data and a few inputs to start from."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from .case import Case, Text
from .document import Document, Fields, parse, render
from .mining import Inputs, mine
from .tokens import tokens

_INPUTS: Final = "inputs.json"


@dataclass(frozen=True, slots=True)
class Specimen:
    """One policy of the corpus."""

    name: str
    modules: tuple[tuple[str, str], ...]
    data: Text
    seeds: tuple[Text, ...] = ()

    def case(self, chance: random.Random, inputs: int) -> Case:
        """Return the policy with `inputs` inputs made for it, and every path of it."""
        asked = Inputs(mine((source for _, source in self.modules), self.data), chance, self.seeds)
        return Case(f"corpus {self.name}", self.modules, self.data, asked.texts(inputs), paths_of(self.modules))


def corpus(folder: Path) -> list[Specimen]:
    """Return each policy folder right below `folder`, by name. Raises OSError, ValueError."""
    return [specimen(below) for below in sorted(folder.iterdir()) if below.is_dir()]


def specimen(folder: Path, *, name: str = "", inputs: Path | None = None) -> Specimen:
    """Read a policy folder, called `name` or as it is: a data.json's place there is its place in `data`.

    The folder's inputs.json, or the file `inputs`, holds inputs to start from. Raises OSError, ValueError.
    """
    paths = sorted(folder.rglob("*.rego"))
    modules = tuple((str(path.relative_to(folder)), path.read_text(encoding="utf-8")) for path in paths)
    data = Fields(())
    for path in sorted(folder.rglob("data.json")):
        document = _parsed(path)
        for key in reversed(path.parent.relative_to(folder).parts):
            document = Fields(((key, document),))
        data = _merged(data, document)
    inputs = inputs or folder / _INPUTS
    seeds = _parsed(inputs) if inputs.exists() else []
    return Specimen(name or folder.name, modules, render(data), tuple(map(render, seeds)))


def _parsed(path: Path) -> Document:
    return parse(path.read_text(encoding="utf-8"))


def _merged(one: Fields, other: Fields) -> Fields:
    pairs = dict(one.pairs)
    for key, value in other.pairs:
        below = pairs.get(key)
        pairs[key] = _merged(below, value) if isinstance(below, Fields) and isinstance(value, Fields) else value
    return Fields(tuple(pairs.items()))


def paths_of(modules: tuple[tuple[str, str], ...]) -> tuple[str, ...]:
    """Return the decision paths of `modules`: each package, and each rule that begins a line and is no function."""
    paths: dict[str, None] = {}
    for _, source in modules:
        package = ""
        for name, functional, is_package in _heads(source):
            if is_package:
                package = name
                paths[package] = None
            elif not functional:
                paths[f"{package}/{name}"] = None
    return tuple(paths)


def _heads(source: str) -> Iterator[tuple[str, bool, bool]]:
    """Yield the name at the start of each line outside brackets: its path, whether it is a function, whether the package."""
    depth = 0
    words = tokens(source)
    for place, word in enumerate(words):
        begins = depth == 0 and word.kind == "name" and (place == 0 or words[place - 1].kind == "break")
        if begins and word.text not in {"import", "else"}:
            at = place + (word.text in {"package", "default"})
            name, after = _dotted([each.text for each in words[at : at + 16]])
            yield name, after == "(", word.text == "package"
        depth += (word.text in {"{", "[", "("}) - (word.text in {"}", "]", ")"})


def _dotted(words: list[str]) -> tuple[str, str]:
    """Return the leading `a.b.c` as a path, and the word after it."""
    end = 1
    while end + 1 < len(words) and words[end] == ".":
        end += 2
    return "/".join(words[0:end:2]), words[end] if end < len(words) else ""
