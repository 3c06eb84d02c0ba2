"""The alerts that ship: valid for Prometheus, firing when they should, the same in both forms, and each with a page to open."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from sark_e2e import binaries

ROOT = Path(__file__).parents[2]
ALERTS = ROOT / "manifests" / "alerts"
RULES: Any = yaml.safe_load((ALERTS / "sark-rollout.rules.yml").read_text(encoding="utf-8"))
EACH = [rule for group in RULES["groups"] for rule in group["rules"]]
PAGE = (ROOT / "docs" / "alerts.md").read_text(encoding="utf-8")


def promtool(*arguments: str) -> None:
    command = [binaries.program("promtool"), *arguments]
    done = subprocess.run(command, cwd=ALERTS, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_prometheus_takes_them():
    promtool("check", "rules", "--lint=all", "--lint-fatal", "sark-rollout.rules.yml")


def test_each_fires_when_it_should_and_just_does_not_below():
    promtool("test", "rules", "sark-rollout.test.yml")


def test_each_has_a_test_that_expects_it_to_fire():
    tests: Any = yaml.safe_load((ALERTS / "sark-rollout.test.yml").read_text(encoding="utf-8"))["tests"]
    fired = {case["alertname"] for test in tests for case in test["alert_rule_test"] if case["exp_alerts"]}
    assert fired == {rule["alert"] for rule in EACH}


@pytest.mark.parametrize("rule", EACH, ids=lambda rule: str(rule["alert"]))
def test_each_says_what_it_is_and_where_to_read_on(rule: dict[str, Any]):
    annotations = rule["annotations"]
    assert set(annotations) == {"summary", "description", "runbook_url"}
    assert annotations["runbook_url"].endswith(f"/docs/alerts.md#{rule['alert'].lower()}")
    section = re.search(rf"^### {rule['alert']}\n\n\*(\w+)\*: (.+)", PAGE, re.MULTILINE)
    assert section is not None, f"docs/alerts.md has no section {rule['alert']}"
    assert section[1] == rule["labels"]["severity"]
    # A rollout that is judged by better means must not be stopped by a threshold that shipped with it.
    assert rule["labels"]["sark_action"] == "Warn"


def test_the_form_for_the_prometheus_operator_is_made_of_the_same():
    made = subprocess.run(
        [sys.executable, ROOT / "tools" / "prometheus_rule.py"], capture_output=True, text=True, timeout=60, check=True
    ).stdout
    assert made == (ALERTS / "prometheus-rule.yaml").read_text(encoding="utf-8"), (
        "prometheus-rule.yaml is stale: run make rules"
    )
    assert yaml.safe_load(made)["spec"]["groups"] == RULES["groups"]
