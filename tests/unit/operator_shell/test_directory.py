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
    assert find_rival(mine, directory.near(mine, ""), FLAGS, NOW) == find_rival(mine, [other], FLAGS, NOW)


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


def test_most_have_targets_of_their_own_and_are_not_near(monkeypatch: pytest.MonkeyPatch):
    # Given a namespace in which every rollout has its own target
    directory, mine = Directory(), on_target("mine", "mine")
    for name in ("mine", "a", "b", "c"):
        directory.put(on_target(name, name))
    assert names(directory, mine) == []

    # When nothing changes but statuses
    looked_at: list[str] = []
    monkeypatch.setattr("sark_operator.shell.directory.is_elsewhere", lambda _, other: bool(looked_at.append(other.name)))
    directory.put(on_target("a", "a", status={"phase": "Completed"}))

    # Then nobody is looked at again
    assert names(directory, mine) == []
    assert looked_at == []


@pytest.mark.parametrize("change", ["it comes", "its ConfigMap", "its labels", "ours"])
def test_whoever_comes_to_our_target_is_near_from_then_on(change: str):
    directory, mine = Directory(), on_target("mine", "mine")
    directory.put(mine)
    if change != "it comes":
        directory.put(on_target("other", "other"))
    assert names(directory, mine) == []

    # When one of both, that has been looked for before, goes to the target of the other
    match change:
        case "ours":
            mine = on_target("mine", "other")
        case "its labels":
            directory.put(on_target("other", "other", app="mine", tier="front"))
        case _:
            directory.put(on_target("other", "mine"))

    # Then it is near, and no longer once it is gone
    assert names(directory, mine) == ["other"]
    directory.drop("other")
    assert names(directory, mine) == []


def test_the_one_that_the_document_names_is_near_wherever_its_target_is():
    directory, mine = Directory(), on_target("mine", "mine")
    for other in (mine, on_target("elsewhere", "elsewhere"), on_target("near", "mine")):
        directory.put(other)
    assert names(directory, mine, "shop/elsewhere") == ["near", "elsewhere"]
    assert names(directory, mine, "shop/near") == ["near"]
    assert names(directory, mine, "shop/mine") == ["near"]
    assert names(directory, mine, "shop/gone") == ["near"]


@pytest.mark.parametrize("spec", [{}, {"target": None}, {"target": {"matchLabels": ["app"], "flagsConfigMap": "other"}}])
def test_one_whose_target_cannot_be_read_may_be_near(spec: dict[str, Any]):
    directory, mine = Directory(), on_target("mine", "mine")
    directory.put(RolloutObject({"metadata": {"namespace": "shop", "name": "odd", "uid": "odd"}, "spec": spec}))
    assert names(directory, mine) == ["odd"]


def test_another_namespace_is_never_near():
    directory, mine = Directory(), on_target("mine", "mine")
    directory.put(on_target("other", "mine", namespace="till"))
    assert names(directory, mine, "till/other") == []


def on_target(
    name: str, target: str, *, namespace: str = "shop", status: dict[str, Any] | None = None, **labels: str
) -> RolloutObject:
    metadata = {"namespace": namespace, "name": name, "uid": name}
    spec = {
        "target": {"matchLabels": labels or {"app": target}, "flagsConfigMap": f"{target}-flags"},
        "prometheus": {"address": "http://prometheus:9090"},
    }
    return RolloutObject({"metadata": metadata, "spec": spec, "status": status or {}})


def names(directory: Directory, mine: RolloutObject, named: str = "") -> list[str]:
    return [other.name for other in directory.near(mine, named)]


def test_whom_an_alert_is_about_is_found_by_its_name_or_by_the_labels_that_are_asked_for():
    directory = Directory()
    for name, labels in (("named", {}), ("asking", {"team": "auth", "env": "prod"}), ("other", {"team": "shop"})):
        spec = {"criteria": {"alerts": {"matchLabels": labels}}}
        directory.put(RolloutObject({"metadata": {"namespace": "shop", "name": name, "uid": name}, "spec": spec}))
    alerts = [{"alertname": "A", "sark_rollout": "shop/named"}, {"alertname": "B", "team": "auth", "env": "prod", "pod": "x"}]
    assert directory.concerned(alerts) == ("named", "asking")
    assert directory.concerned([{"alertname": "C", "team": "auth"}]) == ()
    assert directory.concerned([]) == ()
