"""Both arms compared off the path of requests, on a real OPA.

A difference of policies is seen and blocks every comparison, so the arms are made to differ in what the comparison of policies
cannot see: OPA gets a document that lies beside rules under a name the sidecar has never loaded.
"""

from __future__ import annotations

import json
import signal
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import redis as redis_client

from sark_api.flags import FeatureFlags, FlagDocument
from sark_api.flags import Shadow as ShadowShare
from sark_e2e.deadline import eventually
from sark_e2e.opa import OpaServer
from sark_e2e.redis import RedisServer

from .conftest import RunningSidecar, StartSidecar, request

LISTS = """
package lists

closed := {"open": false, "reason": "closed"}
"""
DOOR = """
package door

default decision := {"allow": false, "reason": "unknown list"}

decision := {"allow": data.lists[input.list].open, "reason": data.lists[input.list].reason}

bolt := {"allow": false, "reason": "bolted"}

clock := time.now_ns()
"""
NEW = {"rust_opa_enabled": True, "rust_cache_enabled": True}
COMPARISONS = "sark_shadow_comparisons_total"


@pytest.fixture
def policies(policies: Path) -> Path:
    """With a door whose lists OPA may know more of."""
    (policies / "lists.rego").write_text(LISTS, encoding="utf-8")
    (policies / "door.rego").write_text(DOOR, encoding="utf-8")
    return policies


def start(start_sidecar: StartSidecar, percentage: int, *, sample: int = 100, **sections: Any) -> RunningSidecar:
    flags = {**NEW, "rollout_percentage": percentage, "shadow_percentage": sample}
    sidecar = start_sidecar(feature_flags=flags, **sections)
    eventually(lambda: same_policies(sidecar), what="the same policies in both arms", seconds=20)
    return sidecar


def same_policies(sidecar: RunningSidecar) -> bool:
    report = sidecar.get("/flags")
    return bool(report["policy_revision"]) and report["policy_revision"] == report["baseline_policy_revision"]


def learn(opa: OpaServer, name: str, document: object) -> None:
    assert request(f"{opa.url}/v1/data/lists/{name}", document, method="PUT")[0] == 204


def compared(sidecar: RunningSidecar, result: str) -> float:
    return sidecar.metric(COMPARISONS, result=result)


@pytest.mark.parametrize("percentage", [0, 50, 100])
def test_decisions_that_are_the_same_are_counted_by_path_at_every_share(start_sidecar: StartSidecar, percentage: int):
    # Given a shadow of every request
    sidecar = start(start_sidecar, percentage)
    assert sidecar.metric("sark_shadow_sample_percentage") == 100

    # When a path has been compared once, and then many subjects ask
    assert sidecar.decide({"list": "closed", "user": {"id": "u"}}, path="door/decision")[0] == 200
    eventually(lambda: compared(sidecar, "match") == 1, what="the first comparison", seconds=20)
    for number in range(40):
        assert sidecar.decide({"list": "closed", "user": {"id": f"u{number}"}}, path="door/decision")[0] == 200

    # Then each was compared, and the path has its own series
    eventually(lambda: compared(sidecar, "match") == 41, what="all comparisons", seconds=20)
    assert sidecar.metric(COMPARISONS, path="door/decision", result="match") == 40
    assert sidecar.metric("sark_shadow_mismatches_total") == 0
    # And what the other arm did for it is not counted as its work for requests
    asked = {arm: sidecar.metric("sark_requests_total", implementation=arm) for arm in ("rust", "python")}
    evaluated = {arm: sidecar.metric("opa_evaluation_total", implementation=arm) for arm in ("rust", "python")}
    assert all(evaluated[arm] <= asked[arm] for arm in asked)


def test_without_a_shadow_nothing_is_compared(start_sidecar: StartSidecar):
    sidecar = start(start_sidecar, 100, sample=0)
    for number in range(20):
        sidecar.decide({"list": "closed", "number": number}, path="door/decision")
    assert sidecar.metric(COMPARISONS) == 0
    assert sidecar.get("/v1/status")["shadow"]["sample_percentage"] == 0


@pytest.mark.parametrize("percentage", [0, 100])
def test_a_mismatch_is_counted_and_shown_without_what_was_in_it(
    start_sidecar: StartSidecar, opa: OpaServer, tmp_path: Path, percentage: int
):
    # Given an OPA that knows a list which the sidecar does not, while both serve the same policies as far as can be seen
    sidecar = start(start_sidecar, percentage)
    learn(opa, "guests", {"open": True, "reason": "welcome-guest"})
    assert same_policies(sidecar)

    # When somebody asks about it
    question = {"list": "guests", "user": {"id": "alice-4711"}, "action": "enter"}
    status, answer = sidecar.decide(question, path="door/decision")
    assert (status, answer["result"]["allow"]) == (200, percentage == 0)

    # Then it is a mismatch of the gravest kind, once OPA has been looked at again
    eventually(lambda: compared(sidecar, "mismatch") == 1, what="the mismatch", seconds=30)
    assert sidecar.metric("sark_shadow_mismatches_total", kind="allow") == 1
    (shown,) = sidecar.get("/v1/status")["shadow"]["last_mismatches"]
    assert (shown["path"], shown["kind"], shown["differs_at"]) == ("door/decision", "allow", ["/allow", "/reason"])
    assert (shown["engine"]["means"], shown["opa"]["means"]) == ("deny", "allow")
    assert shown["answered_by"] == ("python" if percentage == 0 else "rust")
    assert shown["input"]["user"]["id"].startswith("<string 10 ")
    # And nothing of it in the log or on the status page
    logged = (tmp_path / "sidecar" / "sidecar.log").read_text(encoding="utf-8")
    assert "the arms decide differently" in logged
    assert not [word for word in ("alice-4711", "welcome-guest") if word in logged or word in json.dumps(shown)]


def test_places_named_by_the_configuration_are_shown(start_sidecar: StartSidecar, opa: OpaServer):
    show = {"show_input": ["/list"], "show_decision": ["/reason", "/allow"]}
    sidecar = start(start_sidecar, 0, shadow=show)
    learn(opa, "guests", {"open": True, "reason": "welcome"})
    sidecar.decide({"list": "guests", "user": {"id": "alice"}}, path="door/decision")
    eventually(lambda: compared(sidecar, "mismatch") == 1, what="the mismatch", seconds=30)
    (shown,) = sidecar.get("/v1/status")["shadow"]["last_mismatches"]
    assert shown["opa"]["decision"] == {"allow": True, "reason": "welcome"}
    assert shown["engine"]["decision"] == {"allow": False, "reason": "unknown list"}
    assert shown["input"]["list"] == "guests"
    assert shown["input"]["user"]["id"].startswith("<string 5 ")


def test_other_policies_a_clock_and_a_stale_answer_are_skipped(start_sidecar: StartSidecar, opa: OpaServer, redis: RedisServer):
    sidecar = start(start_sidecar, 0)

    # A clock never shows the same time twice
    assert sidecar.decide({}, path="door/clock")[0] == 200
    eventually(lambda: skipped(sidecar, "nondeterministic") == 1, what="the clock", seconds=20)

    # What Redis keeps may be older than what OPA says, as from policies that came and went between two looks
    question = {"user": {"id": "bob"}}
    sidecar.await_kept(question, "door/bolt")
    with closing(redis_client.Redis.from_url(redis.url)) as kept:
        for key in kept.scan_iter("*"):
            kept.set(key, b'{"allow":true,"reason":"open"}', keepttl=True)
    assert sidecar.decide(question, path="door/bolt")[1]["result"]["allow"] is True
    eventually(lambda: skipped(sidecar, "stale") == 1, what="the stale answer", seconds=20)

    # Under other policies a difference means nothing
    request(f"{opa.url}/v1/data/mcp/roles/viewer/max_sensitivity", "critical", method="PUT")
    eventually(lambda: not same_policies(sidecar), what="the difference", seconds=20)
    sidecar.decide({"list": "closed", "n": 1}, path="door/decision")
    eventually(lambda: skipped(sidecar, "revision") == 1, what="the other policies", seconds=20)
    assert compared(sidecar, "mismatch") == 0


def test_a_hung_opa_costs_comparisons_and_no_request(start_sidecar: StartSidecar, opa: OpaServer):
    # Given everybody in the new arm, and comparisons that wait long for an OPA that has just hung
    sidecar = start(start_sidecar, 100, opa={"timeout": "60s"}, shadow={"timeout": "60s", "concurrency": 2, "queue": 8})
    opa.send(signal.SIGSTOP)
    try:
        # When many ask
        for number in range(300):
            assert sidecar.decide({"list": "closed", "n": number}, path="door/decision")[0] == 200
        # Then all were answered before a single comparison ended, and those without room are counted
        assert sidecar.metric("sark_requests_total", implementation="rust", result="deny") == 300
        assert sidecar.metric("sark_requests_total", result="error") == 0
        assert {result: compared(sidecar, result) for result in ("match", "mismatch", "unknown")} == {
            "match": 0,
            "mismatch": 0,
            "unknown": 0,
        }
        assert compared(sidecar, "dropped") >= 200
    finally:
        opa.send(signal.SIGCONT)
    # And those that waited are compared once it answers again
    eventually(lambda: compared(sidecar, "match") > 0, what="comparisons again", seconds=60)


def test_the_flag_document_turns_the_shadow_on_and_off(start_sidecar: StartSidecar, tmp_path: Path):
    # Given a document with a shadow
    file = tmp_path / "flags.json"

    def show(revision: int, shadow: ShadowShare) -> None:
        document = FlagDocument(
            feature_flags=FeatureFlags(), salt="s", rollout="shop/gateway", revision=revision, shadow=shadow
        )
        file.write_text(document.to_json(), encoding="utf-8")

    show(1, ShadowShare(enabled=True, sample_percentage=100))
    sidecar = start_sidecar(flags={"mode": "file", "file": str(file)})
    eventually(lambda: same_policies(sidecar), what="the same policies", seconds=20)
    sidecar.decide({"list": "closed"}, path="door/decision")
    eventually(lambda: sidecar.metric(COMPARISONS, result="match", sark_rollout="shop/gateway") == 1, what="it", seconds=20)

    # When it is turned off
    show(2, ShadowShare(enabled=False, sample_percentage=100))
    eventually(lambda: sidecar.metric("sark_shadow_sample_percentage") == 0, what="no shadow", seconds=20)

    # Then nothing more is compared
    for number in range(10):
        sidecar.decide({"list": "closed", "n": number}, path="door/decision")
    assert sidecar.metric(COMPARISONS) == 1


def skipped(sidecar: RunningSidecar, reason: str) -> float:
    return sidecar.metric("sark_shadow_skipped_total", reason=reason)
