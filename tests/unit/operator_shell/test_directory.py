"""Who else there is, remembered without what tells nothing of that."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec import Raw

from sark_operator.core.observation import ObservedFlags
from sark_operator.shell.api import RolloutObject, UnreadableError
from sark_operator.shell.directory import Directory
from sark_operator.shell.rivalry import find_rival

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
FLAGS = ObservedFlags(resource_version="1", document=None)
TOLD: dict[str, Any] = {
    "message": "bakes",
    "criteria": [{"name": "errorRate", "verdict": "Pass", "action": "Revert", "message": "0% <= 1%"}],
    "evidence": [{"name": "errorRate", "percent": 50, "pools": [0, -17]}],
}
APPLIED = {"revision": 7, "shareRevision": 7, "percent": 25, "sha256": "", "writtenAt": "2026-01-01T11:00:00.000Z"}
STATUSES: list[dict[str, Any]] = [
    {},
    {"phase": "Progressing", "flags": APPLIED},
    {"phase": "Progressing", "flags": {**APPLIED, "percent": 0}},
    {"phase": "Reverted"},
    {"phase": "Completed", "completedAt": "2026-01-01T11:00:00.000Z"},
    {"phase": "Completed", "completedAt": "2026-01-01T11:59:50.000Z"},
    {"phase": "Sideways"},
]


def rollout(name: str, second: int, status: dict[str, Any], **labels: str) -> RolloutObject:
    metadata = {
        "namespace": "shop",
        "name": name,
        "uid": name,
        "creationTimestamp": f"2026-01-01T11:00:{second:02}Z",
        "generation": 3,
        "finalizers": ["sark.dev/baseline"],
        "labels": {"team": "auth"},
        "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}"},
        "managedFields": [{"manager": "sark-operator", "fieldsV1": {"f:status": {}}}],
    }
    spec = {
        "target": {"matchLabels": {"app": "gateway"}, "flagsConfigMap": "gateway-flags"},
        "prometheus": {"address": "http://prometheus:9090"},
        "watchAfter": "30s",
        "criteria": {"alerts": {"matchLabels": labels}} if labels else {},
    }
    return RolloutObject({"metadata": metadata, "spec": spec, "status": status})


@pytest.mark.parametrize(
    "status", STATUSES, ids=lambda status: f"{status.get('phase')}-{status.get('flags', {}).get('percent')}"
)
def test_who_holds_a_target_is_told_from_memory_as_from_the_whole_object(status: dict[str, Any]):
    # Given two rollouts on one target, the other one with all that its status tells people
    mine, other = rollout("mine", 30, {}), rollout("other", 10, {**TOLD, **status})

    # When the other is remembered
    directory = Directory()
    directory.put(other)

    # Then it holds the target, or not, as it does by the object itself
    assert find_rival(mine, directory.others(mine), FLAGS, NOW) == find_rival(mine, [other], FLAGS, NOW)


def test_what_is_large_and_tells_nothing_is_not_remembered():
    mine, other = rollout("mine", 30, {}), rollout("other", 10, {**TOLD, "phase": "Reverted"})
    directory = Directory()
    directory.put(other)
    (kept,) = directory.others(mine)
    assert kept.document()["status"] == {"phase": "Reverted"}
    assert not kept.raw["metadata"].keys() & {"managedFields", "annotations", "labels"}


def test_what_is_large_is_remembered_as_text():
    mine, other = rollout("mine", 30, {}), rollout("other", 10, {"phase": "Progressing", "flags": APPLIED})
    directory = Directory()
    directory.put(other)
    (kept,) = directory.others(mine)
    assert {part: type(kept.raw[part]) for part in ("spec", "status")} == {"spec": Raw, "status": Raw}
    assert (kept.spec(), kept.status(), kept.identity()) == (other.spec(), other.status(), other.identity())


def test_a_status_that_cannot_be_read_is_remembered_as_one():
    mine, other = rollout("mine", 30, {}), rollout("other", 10, {"phase": "Progressing", "criteria": ["no criterion"]})
    directory = Directory()
    directory.put(other)
    (kept,) = directory.others(mine)
    with pytest.raises(UnreadableError):
        kept.status()


def test_whom_an_alert_is_about_is_found_by_its_name_or_by_the_labels_that_are_asked_for():
    directory = Directory()
    for name, labels in (("named", {}), ("asking", {"team": "auth", "env": "prod"}), ("other", {"team": "shop"})):
        spec = {"criteria": {"alerts": {"matchLabels": labels}}}
        directory.put(RolloutObject({"metadata": {"namespace": "shop", "name": name, "uid": name}, "spec": spec}))
    alerts = [{"alertname": "A", "sark_rollout": "shop/named"}, {"alertname": "B", "team": "auth", "env": "prod", "pod": "x"}]
    assert directory.concerned(alerts) == ("named", "asking")
    assert directory.concerned([{"alertname": "C", "team": "auth"}]) == ()
    assert directory.concerned([]) == ()
