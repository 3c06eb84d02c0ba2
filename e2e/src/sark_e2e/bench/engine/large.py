"""Policies of 10 MB: many definitions of one rule, many packages, and few rules over much data."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from .corpus import compact

_RULES: Final = 50
"""Of each package of the second shape."""
_ACTIONS: Final = 8
_ALWAYS: Final = ("list", "describe", "download", "comment", "annotate", "subscribe")
"""What each grant of the third shape allows beside its own action."""


@dataclass(frozen=True)
class Shape:
    """A large policy on disk, with questions about its first definition, its last, and none."""

    name: str
    title: str
    policies: Path
    cases: Path
    last: Path
    """The question about the last definition alone: without an index one takes seconds."""
    questions: dict[str, tuple[str, dict[str, Any], bool]]
    """By name of case: path, input, and what it is."""


def definition(number: int, count: int) -> dict[str, str]:
    """Return what definition `number` of `count` wants of the input.

    No single condition finds one definition: a user has five of them, a resource ten, an action an eighth of all.
    """
    return {
        "user": f"user-{number % (count // 5):06}",
        "action": f"action-{number % _ACTIONS}",
        "resource": f"documents/folder-{number // 10:06}",
    }


def one_rule(folder: Path, count: int) -> Shape:
    """Write `count` definitions of one rule below `folder`."""
    policies = folder / "one-rule"
    policies.mkdir(parents=True)
    rules = (_rule(definition(number, count)) for number in range(count))
    (policies / "large.rego").write_text(_module("large", rules), encoding="utf-8")
    path = "large/allow"
    questions = {
        "first": (path, definition(0, count), True),
        "last": (path, definition(count - 1, count), True),
        "none": (path, _none(count), False),
    }
    return _shape("one rule", f"{count:,} definitions of one rule", policies, questions)


def many_packages(folder: Path, count: int) -> Shape:
    """Write packages of 50 definitions each below `folder`, `count` definitions in all."""
    policies = folder / "many-packages"
    policies.mkdir(parents=True)
    packages = max(count // _RULES, 1)
    for package in range(packages):
        rules = (_rule(definition(package * _RULES + number, count)) for number in range(_RULES))
        text = _module(f"large.p{package:04}", rules)
        (policies / f"p{package:04}.rego").write_text(text, encoding="utf-8")
    last = f"large/p{packages - 1:04}/allow"
    questions = {
        "first": ("large/p0000/allow", definition(0, count), True),
        "last": (last, definition(packages * _RULES - 1, count), True),
        "none": (last, _none(count), False),
    }
    return _shape("many packages", f"{packages:,} packages of {_RULES} rules", policies, questions)


def much_data(folder: Path, count: int) -> Shape:
    """Write one rule over `count` grants in data below `folder`."""
    policies = folder / "much-data"
    policies.mkdir(parents=True)
    module = "package large\n\ndefault allow := false\n\nallow if input.action in data.grants[input.user][input.resource]\n"
    (policies / "large.rego").write_text(module, encoding="utf-8")
    grants: dict[str, dict[str, list[str]]] = {}
    for wanted in (definition(number, count) for number in range(count)):
        grants.setdefault(wanted["user"], {})[wanted["resource"]] = [wanted["action"], *_ALWAYS]
    (policies / "data.json").write_text(compact({"grants": grants}), encoding="utf-8")
    path = "large/allow"
    questions = {
        "first": (path, definition(0, count), True),
        "last": (path, definition(count - 1, count), True),
        "none": (path, _none(count), False),
    }
    return _shape("much data", f"{count:,} grants in data", policies, questions)


def _none(count: int) -> dict[str, str]:
    """A known user with a known resource, which no definition has together."""
    return definition(0, count) | {"resource": definition(count - 1, count)["resource"]}


def _rule(wanted: dict[str, str]) -> str:
    conditions = "".join(f"\tinput.{name} == {json.dumps(value)}\n" for name, value in wanted.items())
    return f"\nallow if {{\n{conditions}}}\n"


def _module(package: str, rules: Iterator[str]) -> str:
    return f"package {package}\n\ndefault allow := false\n{''.join(rules)}"


def _shape(name: str, title: str, policies: Path, questions: dict[str, tuple[str, dict[str, Any], bool]]) -> Shape:
    lines = {
        case: compact({"name": case, "path": path, "input": asked, "result": result}) + "\n"
        for case, (path, asked, result) in questions.items()
    }
    cases, last = policies.with_suffix(".cases.jsonl"), policies.with_suffix(".last.jsonl")
    cases.write_text("".join(lines.values()), encoding="utf-8")
    last.write_text(lines["last"], encoding="utf-8")
    return Shape(name, title, policies, cases, last, questions)
