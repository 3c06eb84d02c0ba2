"""CEL in what is installed: nothing but what the oldest Kubernetes that the chart promises compiles.

An API server compiles a new expression with the functions that the version before its own knew, so that it can be taken back:
those of Kubernetes 1.32 are first accepted by 1.33. apiserver/pkg/cel/environment/base.go of Kubernetes says since when it
knows what. The API server of the other tests is new and takes them all.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

ROOT = Path(__file__).parents[3]
FROM_THE_FIRST: Final = {
    ("all", 2),
    ("duration", 1),
    ("exists", 2),
    ("exists_one", 2),
    ("getHours", 1),
    ("has", 1),
    ("isSorted", 0),
    ("map", 2),
    ("matches", 1),
    ("size", 1),
    ("timestamp", 1),
}
"""Name and number of arguments of what rules have known since they came, in 1.23. What came later belongs here only when the
version before the chart's kubeVersion knew it."""
KEYS: Final = {"expression", "messageExpression", "rule"}


def expressions(node: Any) -> Iterator[str]:
    """Yield every CEL expression in an object."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key in KEYS and isinstance(value, str):
                yield value
            else:
                yield from expressions(value)
    elif isinstance(node, list):
        for each in node:
            yield from expressions(each)


def calls(expression: str) -> Iterator[tuple[str, int]]:
    """Yield the name and the number of arguments of every call in it."""
    text = re.sub(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"", "''", expression)
    for call in re.finditer(r"\b([A-Za-z_]\w*)\(", text):
        depth, commas, end = 1, 0, call.end()
        while depth:
            depth += {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}.get(text[end], 0)
            commas += text[end] == "," and depth == 1
            end += 1
        yield call[1], commas + 1 if text[call.end() : end - 1].strip() else 0


def too_new(expression: str) -> list[str]:
    """Return what the oldest Kubernetes does not know in it."""
    found = [f"{name}() with {count} arguments" for name, count in calls(expression) if (name, count) not in FROM_THE_FIRST]
    return found + re.findall(r"\.\?|\[\?", expression)


@pytest.mark.parametrize("path", ["crds/sarkrollouts.sark.dev.yaml", "manifests/injection/policy.yaml"])
def test_every_expression_is_one_the_oldest_kubernetes_compiles(path: str):
    found = {
        each: too_new(each)
        for document in yaml.safe_load_all((ROOT / path).read_text(encoding="utf-8"))
        for each in expressions(document)
    }
    assert len(found) > 2
    assert {each: names for each, names in found.items() if names} == {}


@pytest.mark.parametrize(
    ("expression", "named"),
    [
        ("self.all(i, s, i == 0 || self[i - 1].percent < s.percent)", ["all() with 3 arguments"]),
        ("self.exists(name, value, value == 'a,b')", ["exists() with 3 arguments"]),
        ("self.sort() == self && self.all(s, size([s, s]) == 2)", ["sort() with 0 arguments"]),
        ("isIP(self.address)", ["isIP() with 1 arguments"]),
        ("self.?steps == self.steps", [".?"]),
        ("self.all(s, s.name != 'sort(' && size([s, {'a': [1, 2]}]) == 2)", []),
    ],
)
def test_what_is_too_new_is_found(expression: str, named: list[str]):
    assert too_new(expression) == named
