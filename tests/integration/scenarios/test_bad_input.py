"""What cannot be done is a condition with one clear sentence: never a crash, never an advance."""

from __future__ import annotations

import json
from typing import Any

from sark_api.flags import FlagDocument
from sark_api.status import ConditionStatus, Phase
from sark_cli.rollout import Rollout
from sark_e2e.admin_port import flag_reports, statuses
from sark_e2e.applied_rollout import serves
from sark_e2e.deadline import eventually
from sark_e2e.example import quick
from sark_e2e.scenario import Scenario

MISSING_PORT = "http://127.0.0.1:9"
"""The discard port: nobody listens there."""


def not_started(rollout: Rollout) -> bool:
    status = rollout.status
    return status.phase is Phase.PENDING and status.step is None and (status.flags is None or status.flags.percent == 0)


MISSING = {
    "no-pods": (
        {"target": {"matchLabels": {"app": "nobody"}}},
        "NoReadyPods",
        ("app=nobody", "spec.target.matchLabels"),
    ),
    "no-flags": (
        {"target": {"flagsConfigMap": "nowhere"}},
        "FlagsConfigMapMissing",
        ("nowhere", "create an empty one"),
    ),
    "no-prometheus": (
        {"prometheus": {"address": MISSING_PORT}},
        "MetricsUnavailable",
        (MISSING_PORT, "connection refused"),
    ),
}
"""What is edited, the reason given, and words the sentence must hold: what is wrong, where, what to do."""


def test_what_is_missing_is_named_and_nothing_starts(scenario: Scenario):
    # Given a fleet and an operator
    fleet = scenario.fleet(replicas=1)
    scenario.operator()
    for name, (edits, reason, words) in MISSING.items():
        # When a rollout is applied that selects no pods, names no ConfigMap, or asks a Prometheus that is not there
        rollout = scenario.apply(name, fleet, quick(50, 100) | edits)

        # Then it says what is wrong, and moves nobody
        condition = rollout.shows("Ready", ConditionStatus.FALSE, reason, seconds=20)
        assert all(word in condition.message for word in words), condition.message
        rollout.stays("no start", not_started, seconds=1.5)
        scenario.serves(fleet, 0, seconds=0)

        # And it can be deleted
        rollout.delete()
        rollout.vanishes(seconds=10)


def test_promql_that_does_not_parse_is_quoted_and_never_advances(scenario: Scenario):
    # Given a fleet under load, and an operator
    fleet = scenario.fleet(replicas=1)
    scenario.operator()
    scenario.traffic(fleet)

    # When a rollout comes with a criterion that is not PromQL
    custom = [{"name": "queueDepth", "query": "sum(queue_depth", "max": "10"}]
    rollout = scenario.apply("gateway", fleet, quick(50, 100, custom=custom))

    # Then a condition names the criterion and quotes what Prometheus says of it
    condition = rollout.shows("MetricsAvailable", ConditionStatus.FALSE, "MetricsUnavailable", seconds=20)
    assert "queueDepth" in condition.message
    assert "parse error" in condition.message

    # And it never advances
    rollout.stays("no start", not_started, seconds=5)
    scenario.serves(fleet, 0, seconds=0)

    # And when the query is mended, it starts by itself
    mended = [{"name": "queueDepth", "query": "vector(3)", "max": "10"}]
    rollout.edit({"criteria": {"custom": mended}})
    rollout.reaches(50, seconds=30)


def test_the_second_rollout_on_one_target_is_refused(scenario: Scenario):
    # Given a rollout at 50%
    fleet = scenario.fleet(replicas=2)
    scenario.operator()
    scenario.traffic(fleet)
    first = scenario.apply("first", fleet, quick(50, 100, bake="60s"))
    before = first.reaches(50, seconds=60)

    # When another one is applied to the same target
    second = scenario.apply("second", fleet, quick(25, 100))

    # Then it is refused, naming the first, and moves nothing
    condition = second.shows("Ready", ConditionStatus.FALSE, "TargetTaken", seconds=20)
    assert first.key in condition.message
    second.stays("no start", not_started, seconds=3)

    # And the first is not disturbed
    undisturbed = first.read()
    assert serves(undisturbed, 50)
    assert undisturbed.status.history == before.status.history
    assert scenario.flags(fleet).rollout == first.key

    # And when the first is gone, the second may start
    first.delete()
    first.vanishes(seconds=30)
    second.reaches(25, seconds=30)
    assert scenario.flags(fleet).rollout == second.key


def test_a_broken_flag_document_is_refused_and_the_last_good_one_kept(scenario: Scenario):
    # Given a fleet at 50%
    fleet = scenario.fleet(replicas=2)
    scenario.operator()
    scenario.traffic(fleet)
    rollout = scenario.apply("gateway", fleet, quick(50, 100, bake="60s"))
    rollout.reaches(50, seconds=60)
    good, before = scenario.flags(fleet), flag_reports(fleet)

    # When somebody raises the share by hand, without the checksum
    scenario.write_flags(fleet, raised_by_hand(good))

    # Then every sidecar refuses it, counts it, and says why
    eventually(lambda: all(refusals(each) for each in statuses(fleet).values()), what="refusals", seconds=10)
    for each in statuses(fleet).values():
        assert any("sha256 does not match" in reason for reason in refusals(each))

    # And the last good document has stayed in force without a gap, until the operator has written it anew
    repaired = rollout.until(
        "a repaired document", lambda seen: any(e.reason == "FlagsRepaired" for e in seen.status.history), seconds=20
    )
    assert repaired.status.phase is Phase.PROGRESSING
    assert scenario.flags(fleet).percentage == 50
    assert scenario.flags(fleet).revision > good.revision
    after = scenario.serves(fleet, 50, seconds=5)
    assert {name: report.since for name, report in after.items()} == {name: report.since for name, report in before.items()}


def raised_by_hand(document: FlagDocument) -> str:
    members = json.loads(document.to_json())
    members["feature_flags"]["rollout_percentage"] = 100
    members["revision"] += 1
    return json.dumps(members)


def refusals(status: Any) -> list[str]:
    return [each["reason"] for each in status["flags"]["last_refusals"]]
