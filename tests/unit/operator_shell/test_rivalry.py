from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sark_api.flags import FeatureFlags, FlagDocument
from sark_api.names import FINALIZER
from sark_operator.core.observation import Missing, ObservedFlags
from sark_operator.shell.api import RolloutObject, UnreadableError
from sark_operator.shell.rivalry import find_rival

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
NO_DOCUMENT = ObservedFlags(resource_version="1", document=None)
UNREADABLE = ObservedFlags(resource_version="1", document=None, error="sha256 does not match")
AWAY = Missing("FlagsUnavailable", "GET configmaps: 503")
OVER = {"phase": "Reverted"}
WATCH_OVER = {"phase": "Completed", "completedAt": "2026-01-01T11:00:00.000Z"}
WATCHED = {"phase": "Completed", "completedAt": "2026-01-01T11:59:50.000Z"}
BROKEN = {"phase": "Sideways"}
UNLABELLED = {"target": {"matchLabels": ["app"], "flagsConfigMap": "till-flags"}}
ELSEWHERE = {"target": {"matchLabels": {"app": "till"}, "flagsConfigMap": "till-flags"}, "mode": "Sideways"}


def flags_applied(percent: int) -> Mapping[str, object]:
    applied = {"revision": 7, "shareRevision": 7, "percent": percent, "sha256": "", "writtenAt": "2026-01-01T11:00:00.000Z"}
    return {"phase": "Progressing", "flags": applied}


SHARE, NO_SHARE = flags_applied(25), flags_applied(0)


def rollout(
    name: str,
    age: int = 60,
    *,
    namespace: str = "shop",
    config_map: str = "gateway-flags",
    labels: dict[str, str] | None = None,
    status: Mapping[str, object] | None = None,
    spec: Mapping[str, object] | None = None,
    deleting: bool = False,
    guarded: bool = True,
) -> RolloutObject:
    """Return a rollout created `age` seconds ago whose uid is its name."""
    created = NOW - timedelta(seconds=age)
    metadata: dict[str, Any] = {
        "namespace": namespace,
        "name": name,
        "uid": name,
        "creationTimestamp": f"{created:%Y-%m-%dT%H:%M:%SZ}",
    }
    if guarded:
        metadata["finalizers"] = [FINALIZER]
    if deleting:
        metadata["deletionTimestamp"] = "2026-01-01T11:59:00Z"
    good = {
        "target": {"matchLabels": labels or {"app": "gateway"}, "flagsConfigMap": config_map},
        "prometheus": {"address": "http://prometheus:9090"},
        "watchAfter": "30s",
    }
    return RolloutObject({"metadata": metadata, "spec": good if spec is None else spec, "status": status or {}})


def document_of(name: str, *, salt: str | None = None, percent: int = 25) -> ObservedFlags:
    features = FeatureFlags(rollout_percentage=percent)
    document = FlagDocument(feature_flags=features, salt=salt or name, rollout=f"shop/{name}", revision=7)
    return ObservedFlags(resource_version="1", document=document.sealed())


MINE = rollout("mine")
OLDER, YOUNGER = 120, 30


@pytest.mark.parametrize(
    ("mine", "other", "flags", "holder"),
    [
        # Age decides while nothing else does.
        pytest.param(MINE, rollout("other", OLDER), NO_DOCUMENT, "other", id="the older one holds it"),
        pytest.param(MINE, rollout("other", YOUNGER), NO_DOCUMENT, "mine", id="the younger one waits"),
        pytest.param(MINE, rollout("another"), NO_DOCUMENT, "another", id="of one age, the smaller uid holds it"),
        pytest.param(MINE, rollout("other"), NO_DOCUMENT, "mine", id="of one age, the larger uid waits"),
        # The document in force comes before age.
        pytest.param(MINE, rollout("other", OLDER), document_of("mine"), "mine", id="the document names mine"),
        pytest.param(MINE, rollout("other", YOUNGER), document_of("other"), "other", id="the document names the other"),
        pytest.param(MINE, rollout("other", YOUNGER), document_of("gone"), "mine", id="the document names neither"),
        pytest.param(
            MINE, rollout("other", YOUNGER), document_of("other", salt="former"), "mine", id="a former rollout of that name"
        ),
        pytest.param(
            rollout("mine", status=NO_SHARE), rollout("other", status=SHARE), document_of("mine"), "mine", id="and share"
        ),
        # Where the document says nothing, a share known from the status comes before age.
        pytest.param(MINE, rollout("other", YOUNGER, status=SHARE), NO_DOCUMENT, "other", id="emptied: the other has a share"),
        pytest.param(rollout("mine", status=SHARE), rollout("other", OLDER), UNREADABLE, "mine", id="unreadable: mine has one"),
        pytest.param(rollout("mine", status=SHARE), rollout("other", OLDER), AWAY, "mine", id="unknown: mine has one"),
        pytest.param(MINE, rollout("other", YOUNGER, status=NO_SHARE), NO_DOCUMENT, "mine", id="0% is no share"),
        # What makes a rival.
        pytest.param(MINE, rollout("other", OLDER, config_map="b"), NO_DOCUMENT, "other", id="equal labels, another ConfigMap"),
        pytest.param(
            MINE, rollout("other", OLDER, labels={"app": "b"}), NO_DOCUMENT, "other", id="other labels, one ConfigMap"
        ),
        pytest.param(
            MINE, rollout("other", OLDER, config_map="b", labels={"app": "b"}), NO_DOCUMENT, "mine", id="nothing in common"
        ),
        pytest.param(
            MINE,
            rollout("other", OLDER, config_map="b", labels={"app": "gateway", "tier": "1"}),
            NO_DOCUMENT,
            "other",
            id="its pods are some of mine",
        ),
        pytest.param(
            rollout("mine", labels={"app": "gateway", "tier": "1"}),
            rollout("other", OLDER, config_map="b"),
            NO_DOCUMENT,
            "other",
            id="mine are some of its pods",
        ),
        pytest.param(
            MINE,
            rollout("other", OLDER, config_map="b", labels={"app": "till", "tier": "1"}),
            NO_DOCUMENT,
            "mine",
            id="more labels, of which one contradicts",
        ),
        pytest.param(
            MINE, rollout("other", OLDER, config_map="b", labels={"tier": "1"}), NO_DOCUMENT, "mine", id="they may share a pod"
        ),
        pytest.param(
            rollout("mine", labels={"app": "gateway", "tier": "1"}),
            rollout("other", OLDER, config_map="b", labels={"app": "gateway", "zone": "a"}),
            NO_DOCUMENT,
            "mine",
            id="they may share a pod, with a label in common",
        ),
        pytest.param(MINE, rollout("other", OLDER, namespace="b"), NO_DOCUMENT, "mine", id="another namespace"),
        # Who has let go.
        pytest.param(MINE, rollout("other", OLDER, status=OVER), document_of("other"), "mine", id="the other is reverted"),
        pytest.param(MINE, rollout("other", OLDER, status=WATCH_OVER), document_of("other"), "mine", id="the other is done"),
        pytest.param(MINE, rollout("other", OLDER, status=WATCHED), document_of("other"), "other", id="the other is watched"),
        pytest.param(MINE, rollout("other", OLDER, deleting=True), NO_DOCUMENT, "mine", id="the other is being deleted"),
        pytest.param(MINE, rollout("other", deleting=True), document_of("other"), "other", id="deleted, baseline not restored"),
        pytest.param(
            MINE, rollout("other", deleting=True, status=OVER), document_of("other"), "mine", id="deleted, baseline restored"
        ),
        pytest.param(
            MINE, rollout("other", deleting=True, guarded=False), document_of("other"), "mine", id="deleted and released"
        ),
        pytest.param(
            rollout("mine", deleting=True),
            rollout("other", OLDER),
            document_of("mine"),
            "mine",
            id="mine restores its baseline",
        ),
        pytest.param(
            rollout("mine", status=OVER), rollout("other", YOUNGER), document_of("mine"), "other", id="mine is reverted"
        ),
        pytest.param(
            rollout("mine", deleting=True), rollout("other", YOUNGER), NO_DOCUMENT, "other", id="mine is being deleted"
        ),
        # What cannot be read.
        pytest.param(MINE, rollout("other", OLDER, spec={}), NO_DOCUMENT, "mine", id="unreadable spec: ignored"),
        pytest.param(MINE, rollout("other", OLDER, status=BROKEN), NO_DOCUMENT, "mine", id="unreadable status: ignored"),
        pytest.param(MINE, rollout("other", YOUNGER, spec={}), document_of("other"), "other", id="unreadable but in force"),
        pytest.param(MINE, rollout("other", YOUNGER, status=BROKEN), document_of("other"), "other", id="the same by status"),
        pytest.param(MINE, rollout("other", spec={}, deleting=True), document_of("other"), "mine", id="unreadable and deleted"),
        pytest.param(MINE, rollout("other", YOUNGER, spec=ELSEWHERE), NO_DOCUMENT, "mine", id="unreadable and elsewhere"),
        pytest.param(MINE, rollout("other", YOUNGER, spec=ELSEWHERE), document_of("other"), "other", id="... but in force"),
        pytest.param(MINE, rollout("other", OLDER, spec={"target": 3}), NO_DOCUMENT, "mine", id="unreadable target"),
        pytest.param(MINE, rollout("other", OLDER, spec=UNLABELLED), NO_DOCUMENT, "mine", id="labels that are none"),
    ],
)
def test_one_of_two_holds_the_target(
    mine: RolloutObject, other: RolloutObject, flags: ObservedFlags | Missing, holder: str
) -> None:
    assert find_rival(mine, [other], flags, NOW) == ("" if holder == "mine" else other.key)


@pytest.mark.parametrize("flags", [NO_DOCUMENT, UNREADABLE, AWAY, document_of("a"), document_of("b")])
@pytest.mark.parametrize("ages", [(60, 60), (60, 30), (30, 60)])
@pytest.mark.parametrize("statuses", [({}, {}), (SHARE, {}), ({}, SHARE), (SHARE, SHARE), (OVER, SHARE), (NO_SHARE, WATCHED)])
@pytest.mark.parametrize("more", [{}, {"tier": "1"}], ids=["equal labels", "more labels"])
def test_both_come_to_the_same_answer(
    flags: ObservedFlags | Missing,
    ages: tuple[int, int],
    statuses: tuple[Mapping[str, object], Mapping[str, object]],
    more: dict[str, str],
) -> None:
    labels = ({"app": "gateway"}, {"app": "gateway", **more})
    a, b = (
        rollout(name, age, status=status, labels=selected)
        for name, age, status, selected in zip("ab", ages, statuses, labels, strict=True)
    )

    answers = {find_rival(a, [b], flags, NOW), find_rival(b, [a], flags, NOW)}

    # Exactly one of them holds it, and the other names that one
    assert len(answers) == 2
    assert "" in answers


def test_a_waiting_rollout_names_the_one_that_holds_the_target() -> None:
    # Given two stronger ones, of which the younger is in force
    others = [rollout("oldest", 300), rollout("younger", YOUNGER), rollout("youngest", 1)]

    assert find_rival(MINE, others, document_of("younger"), NOW) == "shop/younger"


def test_a_rollout_is_no_rival_of_itself() -> None:
    assert find_rival(MINE, [rollout("mine", OLDER)], NO_DOCUMENT, NOW) == ""


def test_one_that_cannot_be_read_itself_says_so() -> None:
    with pytest.raises(UnreadableError):
        find_rival(rollout("mine", spec={}), [], NO_DOCUMENT, NOW)
