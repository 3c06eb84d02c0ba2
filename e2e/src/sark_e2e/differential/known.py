"""Differences that are known and not yet mended, each a file with the words to recognise it by. The list may only shrink."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import yaml

from .case import Case
from .parts import parts
from .tokens import tokens


@dataclass(frozen=True, slots=True)
class Known:
    """One known difference."""

    name: str
    words: frozenset[str]
    """Builtins or operators; a difference is taken for this one when the policy it was reduced to has one of them."""


def known_differences(folder: Path) -> list[Known]:
    """Return those written in `folder`, by name; none when there is no such folder. Raises KeyError, yaml.YAMLError."""
    paths = sorted(folder.glob("*.yaml")) if folder.is_dir() else []
    return [Known(path.stem, frozenset(yaml.safe_load(path.read_text(encoding="utf-8"))["words"])) for path in paths]


def recognised(case: Case, known: list[Known]) -> Known | None:
    """Return the known difference whose words are in the policies of `case`."""
    found = {word for _, source in case.modules for word in _words(source)}
    return next((one for one in known if one.words & found), None)


def recognised_at(case: Case, known: list[Known]) -> Known | None:
    """As `recognised`, but only by the rules that define the path asked."""
    name = case.paths[0].rpartition("/")[2]
    defining = [
        part for _, source in case.modules for part in parts(source) if part.startswith((f"{name} ", f"default {name} "))
    ]
    found = {word for part in defining for word in _words(part)}
    return next((one for one in known if one.words & found), None)


def _words(source: str) -> set[str]:
    """Return the signs of `source`, and its names, as they stand and joined by dots: `regex`, `match` and `regex.match`."""
    texts = [word.text for word in tokens(source) if word.kind in {"name", "sign"}]
    dotted = ""
    found = set(texts)
    for before, text in zip(["", *texts], texts, strict=False):
        dotted = f"{dotted}.{text}" if before == "." else dotted if text == "." else text
        found.add(dotted)
    return found
