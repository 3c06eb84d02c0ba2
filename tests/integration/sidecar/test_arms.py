"""Both arms, in all four combinations of their halves, answer as OPA does."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path
from typing import Any
from urllib.parse import quote
from urllib.request import ProxyHandler, Request, build_opener

import pytest

from sark_e2e import binaries
from sark_e2e.deadline import eventually
from sark_e2e.loopback import LoopbackNetwork
from sark_e2e.opa import OpaServer

from .conftest import RunningSidecar, StartSidecar, request

USERS: list[Any] = [
    {"id": "user-00001", "tenant": "acme", "roles": ["developer"]},
    {"id": "user-00002", "tenant": "globex", "roles": ["team_lead", "developer"]},
    {"id": "user-00013", "tenant": "acme", "roles": ["platform_admin"]},
    {"id": "user-00003", "tenant": "umbrella", "roles": ["platform_admin"]},
    {"id": "üser-☃", "tenant": "acme", "roles": []},
    {"id": 7, "tenant": "acme", "roles": ["developer"]},
    {"tenant": "acme"},
    None,
]
TOOLS: list[Any] = [
    {"name": "read_ticket", "tenant": "acme"},
    {"name": "send_mail", "tenant": "globex"},
    {"name": "delete_tenant", "tenant": "umbrella"},
    {"name": "format_disk", "tenant": "acme"},
    {},
]
PARAMETERS: list[Any] = [
    {},
    {"query": "x" * 1500, "token": "secret"},
    {"query": [1, 2.5, None, {"a": "é"}], "token": 1},
    {"b": 1, "a": 2},
    {"query": 12345678901234567, "limit": -0.5},
]
QUESTIONS = [
    {"user": user, "action": action, "tool": tool, "parameters": parameters}
    for user, tool, parameters, action in product(USERS, TOOLS, PARAMETERS, ("invoke", "discover"))
] + [{}, None, "text", [], 3]


@pytest.mark.parametrize(("rust_opa", "rust_cache"), list(product([False, True], repeat=2)))
def test_every_combination_answers_as_opa_does(start_sidecar: StartSidecar, opa: OpaServer, rust_opa: bool, rust_cache: bool):
    # Given a sidecar with everybody in the new arm, of which these halves are on
    flags = {"rollout_percentage": 100, "rust_opa_enabled": rust_opa, "rust_cache_enabled": rust_cache}
    sidecar = start_sidecar(feature_flags=flags)

    # When every question is asked, and again after a look at OPA, so that the second can come from a cache
    for again in range(2):
        for question in QUESTIONS:
            status, expected = request(f"{opa.url}/v1/data/mcp/gateway/decision", {"input": question})
            assert sidecar.decide(question) == (status, expected), question
        if not again and not rust_cache:
            sidecar.await_kept(QUESTIONS[-1])

    # Then the halves that were on did the work, and the others did not
    evaluations = {arm: sidecar.metric("opa_evaluation_total", implementation=arm) for arm in ("rust", "python")}
    hits = {arm: sidecar.metric("cache_operations_total", implementation=arm, result="hit") for arm in ("rust", "python")}
    evaluating, keeping = (
        ("rust", "python") if rust_opa else ("python", "rust"),
        ("rust", "python") if rust_cache else ("python", "rust"),
    )
    assert evaluations[evaluating[0]] > 0
    assert evaluations[evaluating[1]] == 0
    assert hits[keeping[0]] >= len(QUESTIONS) * 0.9
    assert hits[keeping[1]] == 0
    assert sidecar.metric("sark_requests_total", result="error") == 0


def test_a_large_question_is_asked_of_opa_as_it_is_written_and_not_kept(start_sidecar: StartSidecar, opa: OpaServer):
    # Given everybody in the baseline arm, and a large body with a second input before the one that counts
    sidecar = start_sidecar(feature_flags={"rollout_percentage": 0})
    fill = "x" * 20_000
    asked = {"user": USERS[2], "action": "invoke", "tool": TOOLS[0], "parameters": {"query": fill, "limit": 12.5}}
    other = {"user": USERS[6], "action": "invoke", "tool": TOOLS[3]}
    body = b'{ "Input": %s, "x": [1e1], "input" : %s }' % (json.dumps(other).encode(), json.dumps(asked, indent=1).encode())
    expected = request(f"{opa.url}/v1/data/mcp/gateway/decision", {"input": asked})
    assert expected != request(f"{opa.url}/v1/data/mcp/gateway/decision", {"input": other})

    # When it is asked again and again, then the decision is OPA's about that input
    for _ in range(3):
        address = Request(  # noqa: S310 - the address is the sidecar's own
            f"{sidecar.data}/v1/data/mcp/gateway/decision", data=body, headers={"Content-Type": "application/json"}
        )
        with build_opener(ProxyHandler({})).open(address, timeout=60) as answer:
            assert (answer.status, json.loads(answer.read())) == expected
    # And Redis is neither asked nor given anything
    assert sidecar.metric("opa_evaluation_total", implementation="python") == 3
    assert sidecar.metric("cache_operations_total", implementation="python") == 0


def test_a_share_is_split_by_subject_and_each_arm_is_counted(start_sidecar: StartSidecar):
    # Given half of the subjects in the new arm
    flags = {"rollout_percentage": 50, "rust_opa_enabled": True, "rust_cache_enabled": True}
    sidecar = start_sidecar(feature_flags=flags, flags={"mode": "static", "salt": "s"})
    assert sidecar.get("/flags")["percentage"] == 50

    # When 400 of them ask
    from sark_api.assignment import in_new_arm

    subjects = [f"user-{number}" for number in range(400)]
    for subject in subjects:
        question = {"user": {"id": subject, "tenant": "acme", "roles": ["developer"]}, "action": "discover"}
        assert sidecar.decide({**question, "tool": {"name": "read_ticket", "tenant": "acme"}})[0] == 200

    # Then each arm served exactly those the shared rule puts there
    expected = sum(in_new_arm("s", subject, 50) for subject in subjects)
    assert sidecar.metric("sark_requests_total", implementation="rust") == expected
    assert sidecar.metric("sark_requests_total", implementation="python") == len(subjects) - expected


def test_paths_without_an_answer_and_malformed_questions(start_sidecar: StartSidecar):
    for percentage in (0, 100):
        flags = {"rollout_percentage": percentage, "rust_opa_enabled": True, "rust_cache_enabled": True}
        sidecar = start_sidecar(feature_flags=flags, name=f"at-{percentage}")
        assert sidecar.decide({}, path="nothing/here") == (200, {})
        assert sidecar.decide({}, path="mcp/sensitivity_levels/high") == (200, {"result": 3})
        for body in (b"[]", b'{"input":', b"\xff"):
            status, answer = request(f"{sidecar.data}/v1/data/mcp/gateway/decision", body)
            assert (status, answer["code"]) == (400, "invalid_parameter")


def test_changed_policies_are_served_and_broken_ones_refused(start_sidecar: StartSidecar, opa: OpaServer):
    # Given a sidecar that serves what OPA serves
    flags = {"rollout_percentage": 100, "rust_opa_enabled": True, "rust_cache_enabled": True}
    sidecar = start_sidecar(feature_flags=flags)
    policy = opa.policies / "extra.rego"
    assert matches(sidecar)

    # When a module is added to the folder (OPA reads its own copy at start only)
    policy.write_text("package extra\n\nanswer := 1\n", encoding="utf-8")

    # Then it is served, and the difference is seen
    eventually(lambda: sidecar.decide({}, path="extra/answer") == (200, {"result": 1}), what="the new policy", seconds=20)
    assert not matches(sidecar)
    eventually(lambda: sidecar.metric("sark_policies_match") == 0, what="the metric of it", seconds=20)

    # And a broken one changes nothing but the report
    policy.write_text("package extra\n\nanswer := \n", encoding="utf-8")
    eventually(lambda: sidecar.get("/v1/status")["policies"]["problem"] != "", what="the refusal", seconds=20)
    assert sidecar.decide({}, path="extra/answer") == (200, {"result": 1})
    assert sidecar.metric("sark_policy_load_failures_total") == 1
    assert "extra.rego" in sidecar.get("/v1/status")["policies"]["problem"]

    # And OPA, started anew with the same folder, matches again once it is whole
    policy.write_text("package extra\n\nanswer := 2\n", encoding="utf-8")
    opa.stop()
    opa.start()
    eventually(lambda: matches(sidecar), what="the same revision", seconds=20)
    eventually(lambda: sidecar.decide({}, path="extra/answer") == (200, {"result": 2}), what="the newest policy", seconds=20)


def test_policies_that_take_too_much_memory_are_refused_and_those_before_serve_on(start_sidecar: StartSidecar, opa: OpaServer):
    # Given a sidecar whose policies may take a mebibyte
    flags = {"rollout_percentage": 100, "rust_opa_enabled": True, "rust_cache_enabled": True}
    settings = {"directory": str(opa.policies), "max_memory_bytes": 1_048_576}
    sidecar = start_sidecar(policies=settings, feature_flags=flags)
    taken = sidecar.get("/v1/status")["policies"]["memory_bytes"]
    assert 0 < taken == sidecar.metric("sark_policies_bytes")

    # When data arrives that takes more
    (opa.policies / "extra").mkdir()
    (opa.policies / "extra" / "data.json").write_text(json.dumps({"names": ["abcdefghij"] * 50_000}), encoding="utf-8")

    # Then it is refused with a sentence, and nothing else changes
    def refused() -> bool:
        return "more than 1048576 bytes of memory" in sidecar.get("/v1/status")["policies"]["problem"]

    eventually(refused, what="the refusal", seconds=60)
    assert sidecar.get("/v1/status")["policies"]["memory_bytes"] == taken == sidecar.metric("sark_policies_bytes")
    assert sidecar.metric("sark_policy_load_failures_total") >= 1


def test_other_base_data_in_opa_is_a_difference(start_sidecar: StartSidecar, opa: OpaServer):
    sidecar = start_sidecar()
    assert matches(sidecar)
    status, _ = request(f"{opa.url}/v1/data/mcp/roles/viewer/max_sensitivity", "critical", method="PUT")
    assert status == 204
    eventually(lambda: not matches(sidecar), what="the difference", seconds=20)
    request(f"{opa.url}/v1/data/mcp/roles/viewer/max_sensitivity", "medium", method="PUT")
    eventually(lambda: matches(sidecar), what="the same again", seconds=20)


def matches(sidecar: RunningSidecar) -> bool:
    report = sidecar.get("/flags")
    return bool(report["policy_revision"]) and report["policy_revision"] == report["baseline_policy_revision"]


def test_a_path_that_the_engine_does_not_answer_for_is_told_on_the_admin_port(start_sidecar: StartSidecar, policies: Path):
    # Given policies that all can be answered
    sidecar = start_sidecar(feature_flags={"rollout_percentage": 100, "rust_opa_enabled": True, "rust_cache_enabled": True})
    told = sidecar.get("/policies")
    assert (told["baseline_only"], told["served_by_rust"]) == ([], told["rules"])
    assert sidecar.get("/flags")["baseline_only"] == []

    # When a rule is added that reaches a builtin the engine lacks
    source = 'package remote\n\nanswer := http.send({"url": "http://localhost", "method": "get"})\n'
    (policies / "remote.rego").write_text(source, encoding="utf-8")

    # Then the rule is named with the reason, to people and to the operator
    eventually(lambda: sidecar.get("/policies")["baseline_only_count"] == 1, what="the verdict", seconds=20)
    (left,) = sidecar.get("/policies")["baseline_only"]
    assert left["path"] == "remote/answer"
    assert "http.send" in left["reasons"][0]
    flags = sidecar.get("/flags")
    assert (flags["baseline_only_count"], flags["baseline_only"][0]["path"]) == (1, "remote/answer")


def test_what_new_policies_decide_before_they_are_seen_is_found_by_no_other_sidecar(
    start_sidecar: StartSidecar, opa: OpaServer, network: LoopbackNetwork, tmp_path: Path, policies: Path
):
    # Given two sidecars with an OPA each and one Redis, and policies that deny
    question = {"user": {"id": "mallory"}}
    (policies / "gate.rego").write_text("package gate\n\nallow := false\n", encoding="utf-8")
    opa.stop()
    opa.start()
    with OpaServer(binaries.program("opa"), network=network, folder=tmp_path / "canary", policies=policies) as canary:
        first = start_sidecar(name="first", opa={"url": canary.url, "poll_interval": "3s"})
        second = start_sidecar(name="second")
        eventually(lambda: matches(first) and matches(second), what="the same policies", seconds=20)
        # When the first one's OPA gets policies that allow, and decides by them before the sidecar looks
        module = next(each["id"] for each in request(f"{canary.url}/v1/policies")[1]["result"] if "gate.rego" in each["id"])
        changed = Request(  # noqa: S310 - the address is the server's own
            f"{canary.url}/v1/policies/{quote(module, safe='')}",
            data=b"package gate\n\nallow := true\n",
            headers={"Content-Type": "text/plain"},
            method="PUT",
        )
        build_opener(ProxyHandler({})).open(changed, timeout=20).close()
        assert first.decide(question, path="gate/allow") == (200, {"result": True})
        # Then the second one's still denies, now and after the first has looked
        assert second.decide(question, path="gate/allow") == (200, {"result": False})
        eventually(lambda: not matches(first), what="a look at the new ones", seconds=20)
        assert second.decide(question, path="gate/allow") == (200, {"result": False})
