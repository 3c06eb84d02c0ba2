"""The large policies have the asked number of definitions, and each question hits what its name says."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from sark_e2e.bench.engine.large import Shape, definition, many_packages, much_data, one_rule

COUNT = 1_000
Make = Callable[[Path, int], Shape]


def test_definitions_are_all_different_and_no_condition_finds_one():
    definitions = [definition(number, COUNT) for number in range(COUNT)]

    assert len({tuple(each.values()) for each in definitions}) == COUNT
    shared = {name: set(Counter(each[name] for each in definitions).values()) for name in ("user", "action", "resource")}
    assert shared == {"user": {5}, "action": {COUNT // 8}, "resource": {10}}


@pytest.mark.parametrize(("make", "modules", "heads"), [(one_rule, 1, COUNT), (many_packages, 20, 50)])
def test_a_shape_has_its_modules_and_definitions(make: Make, modules: int, heads: int, tmp_path: Path):
    shape = make(tmp_path, COUNT)

    texts = [path.read_text(encoding="utf-8") for path in sorted(shape.policies.iterdir())]
    assert len(texts) == modules
    assert all(text.count("\nallow if {") == heads for text in texts)
    assert len({re.findall(r"^package (\S+)", text)[0] for text in texts}) == modules


def test_much_data_grants_what_the_definitions_would(tmp_path: Path):
    shape = much_data(tmp_path, COUNT)

    grants = json.loads((shape.policies / "data.json").read_text(encoding="utf-8"))["grants"]
    granted = [(user, resource, actions[0]) for user, resources in grants.items() for resource, actions in resources.items()]
    wanted = [definition(number, COUNT) for number in range(COUNT)]
    assert sorted(granted) == sorted((each["user"], each["resource"], each["action"]) for each in wanted)


@pytest.mark.parametrize("make", [one_rule, many_packages, much_data])
def test_questions_find_the_first_the_last_and_none(make: Make, tmp_path: Path):
    shape = make(tmp_path, COUNT)
    definitions = [definition(number, COUNT) for number in range(COUNT)]

    found = {
        case: [n for n, each in enumerate(definitions) if each == asked] for case, (_, asked, _) in shape.questions.items()
    }
    assert found == {"first": [0], "last": [COUNT - 1], "none": []}
    lines = [json.loads(line) for line in shape.cases.read_text(encoding="utf-8").splitlines()]
    assert [(line["name"], line["result"]) for line in lines] == [("first", True), ("last", True), ("none", False)]
