"""The page of the rollout says of everything that can be edited what an edit in the middle of it does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sark_api.model import ApiModel
from sark_api.spec import BUILT_IN_CRITERIA, Criteria, Rollback, SarkRolloutSpec

PAGE = (Path(__file__).parents[3] / "docs" / "rollout.md").read_text(encoding="utf-8")
EDITS = PAGE.split("### Edits in the middle of a rollout")[1].split("\n\nDeletion waits")[0]
NAMED = set(re.findall(r"`([\w.]+)`", "".join(re.findall(r"^\| ([^|]*) \|", EDITS, re.MULTILINE))))


def names(model: type[ApiModel]) -> set[str]:
    return {info.alias or name for name, info in model.model_fields.items()}


@pytest.mark.parametrize("field", sorted(names(SarkRolloutSpec) - {"criteria", "rollback"}))
def test_an_edit_of_every_field_has_its_line(field: str) -> None:
    assert field in NAMED


@pytest.mark.parametrize("field", sorted(names(Rollback)))
def test_so_has_every_field_of_the_rollback(field: str) -> None:
    assert f"rollback.{field}" in NAMED


@pytest.mark.parametrize("field", sorted(names(Criteria) - set(BUILT_IN_CRITERIA) | {"alerts"}))
def test_so_has_what_holds_for_all_criteria(field: str) -> None:
    assert f"criteria.{field}" in NAMED


def test_no_line_is_about_a_field_that_does_not_exist() -> None:
    known = names(SarkRolloutSpec) | {f"rollback.{name}" for name in names(Rollback)} | {"minSamples", "action"}
    assert known | {f"criteria.{name}" for name in names(Criteria)} >= NAMED
