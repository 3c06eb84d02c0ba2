"""Every rule of the CRD through the real API server: the valid is accepted, the invalid refused with its sentence."""

from __future__ import annotations

import copy
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from sark_e2e.control_plane import ControlPlane

pytestmark = pytest.mark.integration

EXAMPLE = yaml.safe_load((Path(__file__).parents[3] / "examples" / "gateway.yaml").read_text())
Edit = Callable[[dict[str, Any]], None]


def put(path: str, value: object) -> Edit:
    """Set the member at the dotted `path` of the spec."""

    def edit(spec: dict[str, Any]) -> None:
        *parents, last = path.split(".")
        for parent in parents:
            spec = spec.setdefault(parent, {})
        spec[last] = value

    return edit


def drop(path: str) -> Edit:
    """Remove the member at the dotted `path` of the spec."""

    def edit(spec: dict[str, Any]) -> None:
        *parents, last = path.split(".")
        for parent in parents:
            spec = spec[parent]
        del spec[last]

    return edit


def steps(*percents: int, bake: str = "15s") -> Edit:
    """Replace the steps."""
    return put("steps", [{"percent": percent, "bake": bake} for percent in percents])


def seed(spec: dict[str, Any]) -> None:
    """Use the preset instead of steps."""
    del spec["steps"]
    spec["schedule"] = "Seed"


def migration(spec: dict[str, Any]) -> None:
    """Use the other preset."""
    seed(spec)
    spec["schedule"] = "Migration"


def both(spec: dict[str, Any]) -> None:
    spec["schedule"] = "Seed"


VALID = {
    "the example": lambda _: None,
    "one step": steps(100),
    "the preset": seed,
    "paused": put("mode", "Paused"),
    "a warning criterion": put("criteria.errorRate.action", "Warn"),
    "an https address with a path": put("prometheus.address", "https://metrics.example:9090/prometheus"),
    "a tenant": put("prometheus.tenant", "team-a"),
    "a custom criterion": put("criteria.custom", [{"name": "queue", "query": "max(queue_length)", "max": "7.5"}]),
    "a promotion": put("request", {"id": 1, "action": "Promote", "attempt": 1, "percent": 5}),
    "a skip": put("request", {"id": 1, "action": "Skip", "attempt": 1, "percent": 5, "to": 50, "by": "Zo\u00eb"}),
    "a window": put("windows", [{"days": ["Mon"], "start": "09:00", "end": "16:30", "timeZone": "Europe/Berlin"}]),
    "a step with a shadow": put("steps", [{"percent": 100, "bake": "15s", "shadow": {"samplePercent": 10}}]),
    "a shadow step": put(
        "steps", [{"percent": 0, "bake": "15s", "shadow": {"samplePercent": 10}}, {"percent": 100, "bake": "15s"}]
    ),
    "the other preset": migration,
    "retries": put("rollback.retry", {"limit": 3, "after": "2h"}),
    "a step with approval": put("steps", [{"percent": 100, "bake": "15s", "approval": "Required"}]),
    "blind for ever": put("rollback.blindFor", "0s"),
}

INVALID = {
    "no steps and no schedule": (drop("steps"), "give either steps (a list such as 5, 10, 25, 50, 100 percent) or schedule"),
    "steps and schedule": (both, "and not both"),
    "steps that stand still": (steps(5, 5, 100), "steps must grow"),
    "steps that go down": (steps(25, 10, 100), "steps must grow"),
    "a plan that ends early": (steps(5, 50), "the last step must be 100 percent"),
    "an empty plan": (steps(), "should have at least 1 items"),
    "zero percent without a shadow": (steps(0, 100), "give it shadow.samplePercent"),
    "less than nothing": (steps(-1, 100), "greater than or equal to 0"),
    "more than all": (steps(101), "less than or equal to 100"),
    "a fraction of a percent": (put("steps", [{"percent": 2.5, "bake": "15s"}, {"percent": 100}]), "must be of type integer"),
    "a bake shorter than the window": (steps(100, bake="5s"), "bake must be at least criteria.window"),
    "a duration in days": (put("interval", "1d"), "spec.interval"),
    "an interval of nothing": (put("interval", "0s"), "interval must be between 1s and 10m"),
    "an interval of an hour": (put("interval", "1h"), "interval must be between 1s and 10m"),
    "a validity shorter than two intervals": (put("interval", "20s"), "validFor must be at least twice the interval"),
    "a validity of a moment": (put("validFor", "5s"), "validFor must be at least 10s"),
    "a window too short": (put("criteria.window", "2s"), "criteria.window must be at least 5s"),
    "a memory window too short": (put("criteria.memoryGrowth.window", "5s"), "memoryGrowth.window must be at least 30s"),
    "a query timeout of an hour": (put("prometheus.timeout", "1h"), "prometheus.timeout must be between 1s and 60s"),
    "no labels": (put("target.matchLabels", {}), "should have at least 1 properties"),
    "no target": (drop("target"), "spec.target: Required value"),
    "no metrics": (drop("prometheus"), "spec.prometheus: Required value"),
    "an address without scheme": (put("prometheus.address", "prometheus:9090"), "spec.prometheus.address"),
    "an address with a query": (put("prometheus.address", "http://p:9090/?x=1"), "spec.prometheus.address"),
    "an address with a password": (
        put("prometheus.address", "https://me:hush@metrics.example"),
        "prometheus.address must not hold a user name or password",
    ),
    "a tenant of two words": (put("prometheus.tenant", "team a"), "spec.prometheus.tenant"),
    "a port out of range": (put("target.adminPort", 70000), "less than or equal to 65535"),
    "an unknown mode": (put("mode", "Yolo"), 'supported values: "Auto", "Paused", "Rollback"'),
    "an unknown action": (put("criteria.errorRate.action", "Explode"), 'supported values: "Revert", "Hold", "Warn"'),
    "a misspelt field": (put("criteria.errorRates", {}), 'unknown field "spec.criteria.errorRates"'),
    "a custom limit that is no number": (
        put("criteria.custom", [{"name": "queue", "query": "up", "max": "many"}]),
        "spec.criteria.custom[0].max",
    ),
    "a custom criterion with a built-in name": (
        put("criteria.custom", [{"name": "errorRate", "query": "up", "max": "1"}]),
        "a custom criterion may not bear the name of a built-in one",
    ),
    "two custom criteria of one name": (
        put("criteria.custom", [{"name": "queue", "query": "up", "max": "1"}, {"name": "queue", "query": "up", "max": "2"}]),
        "Duplicate value",
    ),
    "a skip to nowhere": (
        put("request", {"id": 1, "action": "Skip", "attempt": 1, "percent": 5}),
        "give request.to (the percent of the step to go to) with Skip",
    ),
    "a promotion to somewhere": (
        put("request", {"id": 1, "action": "Promote", "attempt": 1, "percent": 5, "to": 50}),
        "give request.to (the percent of the step to go to) with Skip, and only there",
    ),
    "a skip downwards": (
        put("request", {"id": 1, "action": "Skip", "attempt": 1, "percent": 50, "to": 5}),
        "request.to must be above request.percent",
    ),
    "a window on no day": (put("windows", [{"days": [], "start": "09:00", "end": "10:00"}]), "should have at least 1 items"),
    "a window at no time": (put("windows", [{"days": ["Mon"], "start": "9", "end": "10:00"}]), "spec.windows[0].start"),
    "a window on Mars": (
        put("windows", [{"days": ["Mon"], "start": "09:00", "end": "10:00", "timeZone": "Mars/Olympus"}]),
        "Mars/Olympus",
    ),
    "too many retries": (put("rollback.retry", {"limit": 100}), "less than or equal to 10"),
    "attempt zero": (put("attempt", 0), "greater than or equal to 1"),
}


@pytest.mark.parametrize("case", VALID)
def test_a_valid_object_is_accepted(case: str, crd: ControlPlane, namespace: str) -> None:
    assert create(crd, namespace, VALID[case]) == ""


@pytest.mark.parametrize("case", INVALID)
def test_an_invalid_object_is_refused_with_its_sentence(case: str, crd: ControlPlane, namespace: str) -> None:
    edit, sentence = INVALID[case]
    assert sentence in create(crd, namespace, edit)


def test_the_target_cannot_be_changed(crd: ControlPlane, namespace: str) -> None:
    # Given a rollout
    assert apply(crd, namespace, manifest(lambda _: None)) == ""
    # When another target is applied
    answer = apply(crd, namespace, manifest(put("target.flagsConfigMap", "other")))
    # Then it is refused and the sentence says what to do
    assert "target cannot be changed: delete this SarkRollout" in answer


def test_defaults_are_the_reports_numbers(crd: ControlPlane, namespace: str) -> None:
    # Given the shortest object that is valid
    shortest = manifest(lambda _: None)
    shortest["spec"] = {
        "target": EXAMPLE["spec"]["target"],
        "prometheus": {"address": "http://prometheus:9090"},
        "steps": [{"percent": 100}],
    }
    # When it is applied and read back
    assert apply(crd, namespace, shortest) == ""
    spec = json.loads(crd.kubectl("get", "sarkrollout", "gateway", "-n", namespace, "-o", "json"))["spec"]
    # Then the thresholds are the report's: 1 %, twice the baseline, 2 MiB/h, 48 h
    assert spec["criteria"]["errorRate"]["limitBasisPoints"] == 100
    assert spec["criteria"]["latencyP95"]["limitPercentOfBaseline"] == 200
    assert spec["criteria"]["memoryGrowth"]["limitKibibytesPerHour"] == 2048
    assert spec["steps"] == [{"percent": 100, "bake": "48h", "hold": "0s", "shadow": {"samplePercent": 0}, "approval": "None"}]
    assert spec["watchAfter"] == "48h"


def test_a_new_request_needs_a_higher_id(crd: ControlPlane, namespace: str) -> None:
    # Given an object with a request
    promotion = {"id": 3, "action": "Promote", "attempt": 1, "percent": 5}
    assert apply(crd, namespace, manifest(put("request", promotion))) == ""
    # When another one comes under the same or a lower id, then it is refused, and under a higher one it is taken
    for number in (3, 2):
        complaint = apply(crd, namespace, manifest(put("request", promotion | {"id": number, "percent": 25})))
        assert "a new request needs a request.id higher than the last one's" in complaint
    assert apply(crd, namespace, manifest(put("request", promotion | {"id": 4, "percent": 25}))) == ""


def test_explain_names_unit_and_default(crd: ControlPlane) -> None:
    text = " ".join(crd.kubectl("explain", "sarkrollout.spec.criteria.errorRate").split())
    assert "in basis points (1/100 of a percent)" in text
    assert "Default 100 = 1%" in text


def manifest(edit: Edit) -> dict[str, Any]:
    """The example with its spec edited."""
    changed = copy.deepcopy(EXAMPLE)
    edit(changed["spec"])
    return changed


def create(crd: ControlPlane, namespace: str, edit: Edit) -> str:
    return apply(crd, namespace, manifest(edit), "--dry-run=server")


def apply(crd: ControlPlane, namespace: str, body: dict[str, Any], *flags: str) -> str:
    """Apply `body`; return what the API server complained of, or the empty string."""
    done = subprocess.run(
        [crd.kubectl_path, "--kubeconfig", str(crd.kubeconfig), "apply", "-n", namespace, "-f", "-", *flags],
        input=json.dumps(body),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return "" if done.returncode == 0 else done.stderr
