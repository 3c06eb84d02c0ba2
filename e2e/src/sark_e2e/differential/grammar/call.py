"""Every builtin that policies use, called on words that it may stumble over: a rule for each call, all on one input."""

from __future__ import annotations

import random
import re
from pathlib import Path
from typing import Any, Final

import yaml

from sark_e2e.differential.case import Case
from sark_e2e.differential.document import NUMBERS, STRINGS, Document, Fields, Number, anything, mutated, parse, render

_TABLE: Final[dict[str, Any]] = yaml.safe_load((Path(__file__).parent / "calls.yaml").read_text(encoding="utf-8"))
_CALLS: Final[list[str]] = _TABLE["calls"]
_WORDS: Final[dict[str, list[str]]] = _TABLE["words"]
_DOCUMENTS: Final[dict[str, list[str]]] = _TABLE["documents"]
_PLACE: Final = re.compile(r"\{([a-zA-Z])\}")
_RULES: Final = 24
_NUMBERS: Final = [number for number in NUMBERS if "e" not in number.lower()]
"""One number that the engine declines would leave all calls of an input unanswered."""


def calls(chance: random.Random, inputs: int) -> Case:
    """Return a module of calls with `inputs` inputs for their arguments."""
    places: list[str] = []

    def place(letter: re.Match[str]) -> str:
        places.append(letter[1])
        return f'input["{letter[1]}{len(places)}"]'

    rules = [f"r{number} := {_PLACE.sub(place, template)}" for number, template in enumerate(chance.sample(_CALLS, _RULES))]
    texts = tuple(render(_arguments(places, chance)) for _ in range(inputs))
    source = "\n\n".join(["package b", *rules]) + "\n"
    return Case("builtins", (("b.rego", source),), "{}", texts, tuple(f"b/r{number}" for number in range(_RULES)))


def _arguments(places: list[str], chance: random.Random) -> Document:
    return Fields(tuple((f"{letter}{number}", _argument(letter, chance)) for number, letter in enumerate(places, 1)))


def _argument(letter: str, chance: random.Random) -> Document:
    value = _fitting(letter, chance)
    # Some calls take as long as these are large.
    return mutated(value, chance, STRINGS, _NUMBERS) if letter not in "cik" and chance.random() < 0.1 else value


def _fitting(letter: str, chance: random.Random) -> Document:
    if letter in _DOCUMENTS:
        return parse(chance.choice(_DOCUMENTS[letter]))
    if letter == "n":
        return Number(chance.choice(_NUMBERS))
    if letter == "A":
        return [chance.choice(_WORDS["p"]) for _ in range(chance.randint(0, 3))]
    if letter == "e":
        documents = _DOCUMENTS["a"] + _DOCUMENTS["o"]
        return parse(chance.choice(documents)) if chance.random() < 0.3 else anything(chance, STRINGS, _NUMBERS)
    return chance.choice([*_WORDS[letter], *STRINGS] if letter == "s" else _WORDS[letter])
