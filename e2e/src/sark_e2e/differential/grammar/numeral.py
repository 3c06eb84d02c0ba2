"""Numbers in every spelling that JSON has: a worth is one thing, and what OPA makes of how it is written is another.

A rule for each operation, and inputs whose numbers are whole or not, small, at the edges of 53, 63 and 64 bits or beyond, with
fractions of zeros and exponents in either direction. What the engine leaves to OPA is not compared, as is every number with an
exponent that it does not hold as it is: so few inputs have one, and no policy.
"""

from __future__ import annotations

import random
import re
from pathlib import Path
from typing import Final

import yaml

from sark_e2e.differential.case import Case
from sark_e2e.differential.document import Document, Fields, Number, render

_TABLE: Final[dict[str, list[str]]] = yaml.safe_load((Path(__file__).parent / "numerals.yaml").read_text(encoding="utf-8"))
_PLACE: Final = re.compile(r"<([a-z])>")
_RULES: Final = 20
_EDGES: Final = (2**31, 2**53, 2**63, 2**64, 2**127, 10**18, 10**20, 10**30)
_DATA: Final = (
    '{"d": {"one": 1, "two": 2.0, "big": 9007199254740993, "l": [0, 1, 2.0, 10.0, 100], "o": {"1": "a", "2": "b", "1.0": "c"},'
    ' "s": "1", "half": 0.5}}'
)
_FUNCTIONS: Final = """f(1) := true

f(2.0) := true

f(x) if x == 9007199254740993

g(x, x) := true

g(10.0, _) := true"""


def numerals(chance: random.Random, inputs: int) -> Case:
    """Return a module of operations on numbers with `inputs` inputs for them."""
    rules = [f"r{number} {_body(chance)}" for number in range(_RULES)]
    source = "\n\n".join(["package n", *rules, _FUNCTIONS]) + "\n"
    texts = tuple(render(_input(chance)) for _ in range(inputs))
    return Case("numerals", (("n.rego", source),), _DATA, texts, tuple(f"n/r{number}" for number in range(_RULES)))


def _body(chance: random.Random) -> str:
    if chance.random() < 0.55:
        return f":= {_filled(chance, chance.choice(_TABLE['terms']))}"
    condition = _filled(chance, chance.choice(_TABLE["conditions"]))
    can_fail = ";" not in condition and not condition.startswith("every")
    return f"if {{ {'not ' if can_fail and chance.random() < 0.3 else ''}{condition} }}"


def _filled(chance: random.Random, template: str) -> str:
    """Return `template` with an operand of its own at each place."""

    def operand(letter: re.Match[str]) -> str:
        match letter[1]:
            case "l":
                return _PLACE.sub(operand, chance.choice(_TABLE["lists"]))
            case "t":
                return chance.choice(_TABLE["texts"])
            case "s" | "e":
                return chance.choice([str(chance.randint(-2, 6)), "input.n", "input.n"])
            case "k":
                return chance.choice(["10", "16", "8", "2", "input.n"])
            case _:
                return chance.choice(_TABLE["constants" if chance.random() < 0.3 else "operands"])

    return _PLACE.sub(operand, template)


def _input(chance: random.Random) -> Document:
    small = spelt(chance, chance.choice([0, 1, 2, 3, -1, 10]))
    return Fields(
        (
            ("a", Number(numeral(chance))),
            ("b", Number(numeral(chance))),
            ("n", Number(small)),
            *((name, numeral(chance) if chance.random() < 0.8 else chance.choice(_TABLE["odd"])) for name in ("t", "u")),
            ("l", [Number(numeral(chance)) for _ in range(chance.randint(0, 4))]),
        )
    )


def numeral(chance: random.Random) -> str:
    """Return a number of any size, spelt in some way."""
    worths = (chance.randint(-3, 12), chance.choice(_EDGES) + chance.randint(-1, 1), chance.randint(0, 10**6))
    worth = chance.choices(worths, weights=[6, 2, 1])[0]
    return spelt(chance, -worth if chance.random() < 0.1 else worth)


def spelt(chance: random.Random, worth: int) -> str:
    """Return `worth`, or a number near it, in one of the spellings of JSON."""
    digits, zeros = str(worth), chance.choice([1, 1, 2, 3, 10, 17, 18, 19, 20])
    mark, shift = chance.choice(["e", "E", "e+", "E+"]), chance.choice([0, 1, 2, 5, 20])
    fraction = chance.choice(["5", "25", "1", "10", "50", "9999999999999999", "000000000000000001"])
    plain = (
        digits,
        digits,
        f"{digits}.{'0' * zeros}",
        f"{digits}.5",
        f"{digits}.{fraction}",
        digits if digits.startswith("-") else f"-{digits}",
    )
    powers = (
        f"{digits}{mark}{chance.choice(['0', '00', '1', '2'])}",
        f"{digits}{'0' * shift}e-{shift}",
        f"{digits}.0{mark}0",
        f"{digits}.{'0' * zeros}{mark}{zeros}",
        f"{digits}e-{chance.choice([1, 2, 7, 30])}",
    )
    return chance.choice(plain if chance.random() < 0.97 else powers)
