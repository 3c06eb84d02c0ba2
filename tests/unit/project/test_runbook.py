"""Whoever is told of an alert or a reason finds what to do; and what the pages say is shown by tests is in those tests."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from sark_api.reasons import REASONS

ROOT = Path(__file__).parents[3]
RUNBOOK = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
HEADINGS = set(re.findall(r"^### (\w+)$", RUNBOOK, re.MULTILINE))
QUIET = set(re.findall(r"`(\w+)`", RUNBOOK.split("## Nothing to do")[1]))
RULES: Any = yaml.safe_load((ROOT / "manifests" / "alerts" / "sark-rollout.rules.yml").read_text(encoding="utf-8"))


def test_every_reason_has_one_entry():
    assert HEADINGS | (QUIET & set(REASONS)) == set(REASONS)
    assert set() == HEADINGS & QUIET


def test_every_warning_says_what_to_do():
    assert {reason.name for reason in REASONS.values() if reason.event == "Warning"} <= HEADINGS


def test_every_alert_has_its_line_and_leads_to_its_entry():
    lines = dict(re.findall(r"^\| \[(\w+)\]\(alerts\.md#(\w+)\) \|", RUNBOOK, re.MULTILINE))
    assert lines == {rule["alert"]: rule["alert"].lower() for group in RULES["groups"] for rule in group["rules"]}
    severities = dict(re.findall(r"^\| \[(\w+)\]\([^)]*\) \| (\w+) \|", RUNBOOK, re.MULTILINE))
    assert severities == {rule["alert"]: rule["labels"]["severity"] for group in RULES["groups"] for rule in group["rules"]}


@pytest.mark.parametrize("page", ["failures.md", "security-model.md", "capability.md"])
def test_the_tests_a_page_names_exist(page: str):
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    paths = set(re.findall(r"`((?:[\w.-]+/)+test_\w+\.py)`", text))
    assert paths
    for path in paths:
        assert any((ROOT / folder / path).is_file() for folder in ("", "tests", "tests/integration")), path
    known = "\n".join(test.read_text(encoding="utf-8") for test in (ROOT / "tests").rglob("test_*.py"))
    for name in re.findall(r"`(test_\w+)`", text):
        assert f"def {name}(" in known, name


def test_the_page_of_failures_names_every_scenario_of_notices():
    notices = (ROOT / "tests" / "integration" / "operator" / "test_notifications.py").read_text(encoding="utf-8")
    scenarios = set(re.findall(r"^def (test_\w+)\(", notices, re.MULTILINE))
    assert scenarios
    assert scenarios <= set(re.findall(r"`(test_\w+)`", (ROOT / "docs" / "failures.md").read_text(encoding="utf-8")))
