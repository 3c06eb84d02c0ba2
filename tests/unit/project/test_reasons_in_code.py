"""Every reason that the operator and the command give or look for is in the one table."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from sark_api import reasons
from sark_api.conditions import CONDITIONS
from sark_api.reasons import REASONS

SOURCES = Path(__file__).parents[3] / "operator" / "src"
MODULES = sorted(
    ".".join(path.relative_to(SOURCES).with_suffix("").parts)
    for folder in ("sark_operator", "sark_cli")
    for path in (SOURCES / folder).rglob("*.py")
    if path.name != "__main__.py"
)
PLACE_OF_THE_REASON = {"Missing": 0, "EventNote": 0, "Finding": 0, "found": 0, "warn": 1}
"""Which argument of a call is a reason."""
GIVEN = re.compile(r"[A-Z][a-z0-9]+(?:[A-Z][a-z0-9]+)+")


def reasons_given(tree: ast.AST) -> Iterator[ast.expr]:
    """Yield every expression that stands where a reason belongs: in a call, a keyword, or a comparison."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            place = PLACE_OF_THE_REASON.get(called)
            if place is not None and len(node.args) > place:
                yield node.args[place]
            yield from (keyword.value for keyword in node.keywords if keyword.arg == "reason")
        elif isinstance(node, ast.Compare) and any(getattr(side, "attr", "") == "reason" for side in ast.walk(node.left)):
            yield from (part for side in node.comparators for part in ast.walk(side) if isinstance(part, ast.expr))


def unknown(module: str, text: str) -> set[str]:
    """Return the reasons in a module's text that are not in the table; what only passes one on gives none."""
    known = vars(importlib.import_module(module))
    found: set[str] = set()
    for given in reasons_given(ast.parse(text)):
        name = given.value if isinstance(given, ast.Constant) else known.get(getattr(given, "id", ""))
        if isinstance(name, str) and GIVEN.fullmatch(name) and name not in REASONS:
            found.add(name)
    return found


@pytest.mark.parametrize("module", MODULES)
def test_every_reason_in_the_code_is_in_the_table(module: str) -> None:
    text = (SOURCES / Path(*module.split("."))).with_suffix(".py").read_text(encoding="utf-8")

    assert unknown(module, text) == set()
    assert not re.search(r"(?<!\w)Reason\(", text), "a reason is made in its table alone"


@pytest.mark.parametrize(
    "text",
    [
        'Missing("MetricsOdd", "why")',
        'observation.Missing("MetricsOdd", "why")',
        'recorder.warn(rollout, "MetricsOdd", "why")',
        'EventNote(reason="MetricsOdd")',
        'if answer.reason == "MetricsOdd": ...',
        'if answer.reason in ("Advanced", "MetricsOdd"): ...',
    ],
)
def test_one_that_is_not_is_found(text: str) -> None:
    assert unknown("sark_operator.core.problems", text) == {"MetricsOdd"}


def test_so_is_one_behind_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sark_operator.shell.prometheus.TIMEOUT", "MetricsOdd")
    assert unknown("sark_operator.shell.prometheus", 'Missing(TIMEOUT, "why")') == {"MetricsOdd"}


def test_every_reason_of_the_table_is_given_somewhere() -> None:
    code = "".join(path.read_text(encoding="utf-8") for path in SOURCES.rglob("*.py"))
    names = {constant: reason for constant, reason in vars(reasons).items() if isinstance(reason, reasons.Reason)}

    assert {constant for constant in names if f"reasons.{constant}" not in code and f"import {constant}" not in code} == set()
    assert {reason.name for reason in names.values()} == set(REASONS)


def test_every_condition_of_the_table_is_given() -> None:
    text = (SOURCES / "sark_operator" / "core" / "conditions.py").read_text(encoding="utf-8")

    assert len(re.findall(r"^        types\.\w+: ", text, re.MULTILINE)) == len(CONDITIONS)
