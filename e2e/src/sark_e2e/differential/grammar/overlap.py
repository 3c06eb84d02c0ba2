"""Packages that lie in each other and in base data: what a reference finds, a rule or a document, and what both make together.

Few names for everything, so that packages, rules and the keys of base data meet. What OPA does not load is taken out again.
"""

from __future__ import annotations

import random
import re
from typing import Final

from sark_e2e.differential.case import Case
from sark_e2e.differential.document import Document, Fields, Number, render

_PACKAGES: Final = ("p", "p.a", "p.a.c", "p.b", "p.d.e", "q")
_NAMES: Final = ("a", "b", "c", "d", "e", "f")
_PLACE: Final = re.compile(r"<([a-z])>")
_HEADS: Final = (
    *("<n> := <v>", "<n> := <v> if <c>", "default <n> := <w>\n\n<n> := <v> if <c>", "<n> contains <v> if <c>"),
    *('<n>[<v>] := <w> if <c>\n\n<n>["a"] := 1', "<n>.<n> := <v> if <c>", "<n>(x) := x", "<n> if <c>"),
)
_VALUES: Final = ("input.x", "input.k", "1", '"a"', '{"a": input.x}', "[1, input.x]", '{"a", "b"}', "{}")
_CONDITIONS: Final = ("input.x", 'input.k == "a"', "input.x > 1", "not input.x", "true", "data.p.f", "count(data.q) > 1")
_TERMS: Final = (
    *("<r>", "<r>", "count(<r>)", "object.keys(<r>)", "{k | <r>[k]}", "{v | v := <r>[_]}", "{[k, v] | some k, v in <r>}"),
    *('object.get(<r>, "a", "none")', 'object.get(<r>, ["a", "f"], "none")', "{x | walk(<r>, x)}", "json.marshal(<r>)"),
    *("type_name(<r>)", "<r>[input.k]", '<r>[input.k]["a"]', 'object.union(<r>, {"f": 0})', 'json.filter(<r>, ["a/c"])'),
    *("{k | some k; <r>[k].a}", "{k | <r>[k] == input.x}", "[<r>, <r>]", "{[k, l] | <r>[k][l]}", "data[input.k]"),
)
_QUESTIONS: Final = (
    *("<r> == <r>", "not <r>", "input.k in <r>", "input.k in object.keys(<r>)", "some k, v in <r>; v == <r>", "is_object(<r>)"),
    *("every k, v in <r> { v != input.x }", "<r>[_] == input.x", "<r>", "x := <r>; x.a", '"a" in {k | <r>[k]}'),
)
_MOCKS: Final = ("7", '{"a": 1}', "input", "{}", "null", '{"c": {}}')
_REFERENCE: Final = re.compile(r"data\.[pq](?:\.[a-f])*")


def overlap(chance: random.Random, inputs: int) -> Case:
    """Return packages and base data that overlap, and a package of questions about them, with `inputs` inputs."""
    packages = chance.sample(_PACKAGES, k=chance.randint(2, 4))
    modules = [(f"{name}.rego", "\n\n".join([f"package {name}", *_rules(chance)]) + "\n") for name in packages]
    asked = [f"r{number} {_body(chance)}" for number in range(12)]
    modules.append(("z.rego", "\n\n".join(["package z", *asked]) + "\n"))
    texts = tuple(render(_input(chance)) for _ in range(inputs))
    paths = {f"z/r{number}": None for number in range(len(asked))} | dict.fromkeys(_paths(chance, packages))
    return Case("overlap", tuple(modules), render(_data(chance)), texts, tuple(paths))


def _rules(chance: random.Random) -> list[str]:
    names = chance.sample(_NAMES, k=chance.randint(1, 3))
    return [_filled(chance, chance.choice(_HEADS).replace("<n>", name)) for name in names]


def _body(chance: random.Random) -> str:
    is_term = chance.random() < 0.6
    text = _filled(chance, chance.choice(_TERMS if is_term else _QUESTIONS))
    can_mock = ";" not in text and not text.startswith("every")
    mock = _mocked(chance, text) if can_mock and chance.random() < 0.35 else ""
    if not is_term:
        return f"if {{ {text}{mock} }}"
    return f":= x if {{ x := {text}{mock} }}" if mock else f":= {text}"


def _mocked(chance: random.Random, text: str) -> str:
    """Return replacements for `text`, most of them below what it reads, and some inside of each other."""
    read = _REFERENCE.search(text)
    targets = [f"{read[0]}.{chance.choice(_NAMES)}" if read and chance.random() < 0.7 else _reference(chance)]
    if chance.random() < 0.35:
        targets.append(f"{targets[0]}.{chance.choice(_NAMES)}" if chance.random() < 0.7 else _reference(chance))
        chance.shuffle(targets)
    # Into base data that is a replacement OPA writes another one, for all who read it afterwards.
    mocks = [*_MOCKS, "data.d"] if len(targets) == 1 else _MOCKS
    return "".join(f" with {target} as {chance.choice(mocks)}" for target in targets)


def _filled(chance: random.Random, template: str) -> str:
    """Return `template` with something of its own at each place."""

    def given(letter: re.Match[str]) -> str:
        match letter[1]:
            case "r":
                return _reference(chance)
            case "c":
                return chance.choice(_CONDITIONS)
            case "w":
                return chance.choice([value for value in _VALUES if "input" not in value])
            case "n":
                return chance.choice(_NAMES)
            case _:
                return chance.choice(_VALUES)

    return _PLACE.sub(given, template)


def _reference(chance: random.Random) -> str:
    depth = chance.choices([0, 1, 2, 3, 4], weights=[1, 5, 5, 3, 1])[0]
    return "data." + ".".join([chance.choice(["p", "p", "p", "q"]), *(chance.choice(_NAMES) for _ in range(depth))])


def _paths(chance: random.Random, packages: list[str]) -> list[str]:
    """Return the packages, what is around them and below."""
    paths = [package.replace(".", "/") for package in packages]
    return [*paths, "p", "q", *(_reference(chance).removeprefix("data.").replace(".", "/") for _ in range(4))]


def _data(chance: random.Random) -> Fields:
    return Fields(tuple((key, _document(chance, 3)) for key in ("p", "q", "d") if chance.random() < 0.8))


def _document(chance: random.Random, depth: int) -> Document:
    """Return an object of few keys for the most part: what has no keys hides the packages below it."""
    if depth == 0 or chance.random() < 0.12:
        leaves: list[Document] = ["a", "b", Number("1"), Number("2"), True, False, None, [Number("1"), "a"], Fields(()), []]
        return chance.choice(leaves)
    keys = chance.sample(_NAMES, k=chance.randint(0, 3))
    return Fields(tuple((key, _document(chance, depth - 1)) for key in keys))


def _input(chance: random.Random) -> Document:
    values: list[Document] = [Number("1"), Number("2"), "a", "b", True, False, None, Fields((("a", Number("1")),)), []]
    pairs = [("x", chance.choice(values)), ("k", chance.choice([*_NAMES, "p", "q", Number("0")]))]
    return Fields(tuple(pair for pair in pairs if chance.random() < 0.9))
