"""What a list and a watch say of pods: labels, readiness, and the version from which to go on."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sark_operator.shell.api import ReadyPod
from sark_operator.shell.pods import EventError, ExpiredError, Pods, SeenPod, seen_pod


def pod(name: str, version: int = 1, *, app: str = "shop", ready: bool = True, address: str = "10.0.0.1") -> dict[str, Any]:
    return {
        "metadata": {"name": name, "labels": {"app": app}, "resourceVersion": str(version)},
        "status": {"podIP": address, "conditions": [{"type": "Ready", "status": "True" if ready else "False"}]},
    }


def kept(*items: dict[str, Any]) -> list[SeenPod]:
    """Return what is kept of `items`."""
    return [seen for seen in map(seen_pod, items) if seen is not None]


def event(kind: str, item: dict[str, Any]) -> dict[str, Any]:
    return {"type": kind, "object": item}


def names(pods: Pods, app: str = "shop") -> list[str]:
    return [each.name for each in pods.matching({"app": app})]


def test_a_list_gives_the_ready_pods_with_all_labels_by_name():
    pods = Pods()
    going = pod("e")
    going["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    unlabelled = pod("f")
    del unlabelled["metadata"]["labels"]

    others = (pod("c", ready=False), pod("d", app="other"), going, unlabelled, pod("g", address=""))
    pods.replace(kept(pod("b"), pod("a"), *others), "7")

    assert pods.matching({"app": "shop"}) == (ReadyPod("a", "10.0.0.1"), ReadyPod("b", "10.0.0.1"))
    assert pods.matching({}) != pods.matching({"app": "shop"})
    assert names(pods, "nobody") == []
    assert pods.version == "7"


def test_what_the_watch_shows_replaces_what_was_known():
    # Given one pod that has been asked for
    pods = Pods()
    pods.replace(kept(pod("a")), "1")
    assert names(pods) == ["a"]

    # When another one comes, the first loses its readiness, moves to another label, and comes back with another address
    pods.take(event("ADDED", pod("b", 2)))
    assert names(pods) == ["a", "b"]
    pods.take(event("MODIFIED", pod("a", 3, ready=False)))
    assert names(pods) == ["b"]
    pods.take(event("MODIFIED", pod("b", 4, app="other")))
    assert (names(pods), names(pods, "other")) == ([], ["b"])
    pods.take(event("MODIFIED", pod("a", 5, address="10.0.0.9")))
    assert pods.matching({"app": "shop"}) == (ReadyPod("a", "10.0.0.9"),)

    # And one is deleted, and a bookmark comes
    pods.take(event("DELETED", pod("a", 6)))
    pods.take(event("BOOKMARK", {"metadata": {"resourceVersion": "9"}}))
    assert (names(pods), pods.version) == ([], "9")


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        ({"type": "ADDED"}, "has no object"),
        ({"type": "ADDED", "object": {"metadata": {"name": "a"}}}, "has no resourceVersion"),
        ({"type": "DANCED", "object": pod("a")}, "of type DANCED"),
        ({"type": "ERROR", "object": {"code": 500, "message": "etcd is away"}}, "etcd is away"),
        ({}, "has no object"),
    ],
)
def test_what_is_no_event_is_said(broken: dict[str, Any], words: str):
    pods = Pods()
    pods.replace(kept(pod("b")), "1")

    with pytest.raises(EventError, match=words):
        pods.take(broken)

    assert (names(pods), pods.version) == (["b"], "1")


def test_a_version_that_is_gone_is_told_from_other_errors():
    with pytest.raises(ExpiredError, match="too old"):
        Pods().take({"type": "ERROR", "object": {"code": 410, "message": "too old resource version"}})


CHANGES = st.lists(
    st.tuples(st.sampled_from("abcd"), st.sampled_from(["shop", "other"]), st.sampled_from(["ready", "unready", "gone"])),
    max_size=30,
)


@given(CHANGES)
def test_following_events_comes_to_the_same_as_listing_at_the_end(changes: list[tuple[str, str, str]]):
    followed, last = Pods(), {}
    followed.replace([], "0")
    for version, (name, app, state) in enumerate(changes, start=1):
        item = pod(name, version, app=app, ready=state == "ready")
        followed.take(event("DELETED" if state == "gone" else "MODIFIED", item))
        names(followed)  # asked in between, so that what is remembered must be forgotten in time
        last[name] = None if state == "gone" else item
    listed = Pods()
    listed.replace(kept(*(item for item in last.values() if item)), str(len(changes)))

    assert [followed.matching({"app": app}) for app in ("shop", "other")] == [
        listed.matching({"app": app}) for app in ("shop", "other")
    ]
