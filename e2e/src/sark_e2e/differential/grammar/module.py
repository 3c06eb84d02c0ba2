"""Whole random policies: modules, base data, and the paths worth asking for."""

from __future__ import annotations

import random
from typing import Final, get_args

from sark_e2e.differential.case import Case
from sark_e2e.differential.document import Fields, anything, render
from sark_e2e.differential.mining import Inputs, mine

from . import rule
from .scope import RuleKind, RuleName, Scope

_PACKAGES: Final = ("p", "p", "p", "p.sub", "q")
_KINDS: Final = get_args(RuleKind)
_WORDS: Final = ("a", "b", "ab", "c", "k", "x", "1", "")
_DIGITS: Final = ("0", "1", "2", "3", "1.0", "10", "1.5", "-1", "0.1")


def policy(chance: random.Random, inputs: int) -> Case:
    """Return a random policy with `inputs` inputs for it."""
    names: list[RuleName] = []
    texts: dict[str, list[str]] = {}
    for number in range(chance.randint(2, 7)):
        name = _name(chance, number)
        texts.setdefault(name.package, []).extend(rule.definitions(Scope(chance, name.package, tuple(names)), name))
        names.append(name)
    for written in texts.values():
        chance.shuffle(written)
    modules = tuple((f"{name}.rego", "\n\n".join([f"package {name}", *rules]) + "\n") for name, rules in sorted(texts.items()))
    data = render(_data(chance))
    asked = Inputs(mine((source for _, source in modules), data), chance)
    return Case("grammar", modules, data, asked.texts(inputs), _paths(names))


def _name(chance: random.Random, number: int) -> RuleName:
    kind: RuleKind = chance.choices(_KINDS, weights=[5, 2, 2, 2, 1])[0]
    return RuleName(f"{kind[0]}{number}", kind, chance.choice(_PACKAGES), chance.randint(1, 2) if kind == "function" else 0)


def _paths(names: list[RuleName]) -> tuple[str, ...]:
    valued = [name for name in names if name.kind != "function"]
    paths = [f"{name.package}.{name.name}".replace(".", "/") for name in valued]
    nested = [f"{path}/k" for path, name in zip(paths, valued, strict=True) if name.kind == "nested"]
    packages = sorted({name.package.replace(".", "/") for name in names})
    return (*paths, *nested, *packages)


def _data(chance: random.Random) -> Fields:
    """Return base data below `d`, with the names the expressions use."""
    keys = ("roles", "l", "m", "n", "s")
    parts: list[object] = [
        Fields(tuple((key, anything(chance, _WORDS, _DIGITS)) for key in ("a", "b", "c"))),
        [anything(chance, _WORDS, _DIGITS, 1) for _ in range(chance.randint(0, 4))],
        Fields((("a", Fields((("b", anything(chance, _WORDS, _DIGITS)),))), ("b", anything(chance, _WORDS, _DIGITS)))),
        anything(chance, _WORDS, _DIGITS, 0),
        chance.choice(_WORDS),
    ]
    return Fields((("d", Fields(tuple(zip(keys, parts, strict=True)))),))
