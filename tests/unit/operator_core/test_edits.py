"""Who loosened the limit, when, and from what to what: every edit of the spec leaves one record."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from sark_api.names import ARM_BASELINE, ARM_NEW
from sark_api.spec import (
    Action,
    Alerts,
    Approval,
    Approvals,
    CustomCriterion,
    Day,
    ErrorRate,
    Features,
    FlagEdits,
    Mode,
    OnDelete,
    Prometheus,
    Request,
    RequestAction,
    Retry,
    Rollback,
    SarkRolloutSpec,
    Step,
    Toggle,
    Window,
)
from sark_api.status import HistoryEntry, Phase, SarkRolloutStatus
from sark_e2e.simulated_target import SimulatedTarget, arm, quick_spec
from sark_operator.core.spec_fields import MAX_KEPT, kept, leaves

SHORT = timedelta(seconds=15)
ONE_HOUR = timedelta(hours=1)
SPEC = quick_spec()
CRITERIA = SPEC.criteria
LATENCIES = CustomCriterion(name="latencies", query="max(checkout_seconds)", max="0.5")


def steps(*percents: int, bake: timedelta = SHORT) -> list[Step]:
    return [Step(percent=percent, bake=bake) for percent in percents]


def edited(target: SimulatedTarget, **changes: object) -> Sequence[HistoryEntry]:
    """Edit the spec, and return what the next evaluation records. The one after it has nothing to add."""
    target.ask(**changes)
    records = target.tick(1).records
    assert target.tick(1).records == ()
    return records


def test_a_loosened_limit_is_recorded_with_what_it_was(baking: SimulatedTarget) -> None:
    looser = CRITERIA.model_copy(update={"error_rate": ErrorRate(limit_basis_points=500)})

    (record,) = edited(baking, criteria=looser)

    assert (record.reason, record.actor, record.from_percent, record.to_percent) == ("SpecEdited", "user by spec", 25, 25)
    assert record.message == (
        "The spec was edited at 25% (criteria.errorRate.limitBasisPoints: 100 -> 500): it applies from now on"
    )
    assert record.time == baking.status.history[-1].time
    assert baking.status.ledger.records == record.number


CHANGES = {
    "bake": ({"steps": steps(5, 10, 25, 50, 100, bake=2 * SHORT)}, "steps[25%].bake: 15s -> 30s"),
    "hold": (
        {"steps": [*steps(5, 10, 25, 50), Step(percent=100, bake=SHORT, hold=ONE_HOUR)]},
        "steps[100%].hold: 0s -> 1h",
    ),
    "approval": (
        {"steps": [*steps(5, 10, 25, 50), Step(percent=100, bake=SHORT, approval=Approval.REQUIRED)]},
        "steps[100%].approval: None -> Required",
    ),
    "approvals": ({"approvals": Approvals(valid_for=ONE_HOUR)}, "approvals.validFor: 24h -> 1h"),
    "action": (
        {"criteria": CRITERIA.model_copy(update={"error_rate": ErrorRate(action=Action.WARN)})},
        "criteria.errorRate.action: Revert -> Warn",
    ),
    "window": ({"criteria": CRITERIA.model_copy(update={"window": timedelta(minutes=1)})}, "criteria.window: 10s -> 1m"),
    "counting window": (
        {"criteria": CRITERIA.model_copy(update={"counting_window": timedelta(seconds=5)})},
        "criteria.countingWindow: none -> 5s",
    ),
    "false reverts": (
        {"criteria": CRITERIA.model_copy(update={"false_revert_basis_points": 10})},
        "criteria.falseRevertBasisPoints: 100 -> 10",
    ),
    "alerts": (
        {"criteria": CRITERIA.model_copy(update={"alerts": Alerts(match_labels={"team": "authz", "app": "shop"})})},
        "criteria.alerts.matchLabels: nothing -> app=shop, team=authz",
    ),
    "custom": (
        {"criteria": CRITERIA.model_copy(update={"custom": [LATENCIES]})},
        "criteria.custom[latencies]: added (query max(checkout_seconds), max 0.5)",
    ),
    "windows": (
        {"windows": [Window(days=list(Day), start="00:00", end="00:00")]},
        "windows[1]: added (Mon, Tue, Wed, Thu, Fri, Sat, Sun 00:00-00:00 UTC)",
    ),
    "interval": ({"interval": timedelta(seconds=5)}, "interval: 2s -> 5s"),
    "validity": ({"valid_for": ONE_HOUR}, "validFor: 1m -> 1h"),
    "watch": ({"watch_after": ONE_HOUR}, "watchAfter: 30s -> 1h"),
    "flag edits": ({"flag_edits": FlagEdits.HOLD}, "flagEdits: Correct -> Hold"),
    "prometheus": (
        {"prometheus": Prometheus(address="http://other:9090")},
        "prometheus.address: http://prometheus:9090 -> http://other:9090",
    ),
    "blindness": ({"rollback": Rollback(blind_for=timedelta(0))}, "rollback.blindFor: 1m -> 0s"),
    "deletion": (
        {"rollback": SPEC.rollback.model_copy(update={"on_delete": OnDelete.KEEP})},
        "rollback.onDelete: Baseline -> Keep",
    ),
    "retries": ({"rollback": SPEC.rollback.model_copy(update={"retry": Retry(limit=2)})}, "rollback.retry.limit: 0 -> 2"),
}


@pytest.mark.parametrize(("changes", "says"), CHANGES.values(), ids=CHANGES)
def test_an_edit_of_any_field_is_one_record(baking: SimulatedTarget, changes: dict[str, object], says: str) -> None:
    (record,) = edited(baking, **changes)

    assert record.reason == "SpecEdited"
    assert says in record.message


def test_the_record_names_what_wrote_the_spec(baking: SimulatedTarget) -> None:
    baking.identity = replace(baking.identity, edited_by="kubectl-edit")

    (record,) = edited(baking, interval=timedelta(seconds=3))

    assert "(interval: 2s -> 3s; via kubectl-edit)" in record.message


def test_fields_that_a_record_of_their_own_tells_are_not_told_twice(baking: SimulatedTarget) -> None:
    records = edited(baking, steps=steps(5, 25, 100), features=Features(cache=Toggle.DISABLED), interval=timedelta(seconds=3))

    assert [record.reason for record in records] == ["SpecEdited", "PlanEdited", "FeaturesEdited"]
    told = [record.message.partition("(")[2].partition("):")[0] for record in records]
    assert told == [
        "interval: 2s -> 3s",
        "steps[10%]: removed (bake 15s); steps[50%]: removed (bake 15s)",
        "features.cache: Enabled -> Disabled",
    ]


def test_what_came_of_an_edit_stands_after_it(baking: SimulatedTarget) -> None:
    # Given a failing arm, of which the criterion only warns
    baking.ask(criteria=CRITERIA.model_copy(update={"error_rate": ErrorRate(action=Action.WARN)}))
    baking.arms = {ARM_NEW: arm(1000, 400), ARM_BASELINE: arm(1000)}
    baking.run(10)
    assert baking.percent == 25

    # When it is told to revert
    baking.ask(criteria=CRITERIA)
    decision = baking.tick(1)

    assert [record.reason for record in decision.records] == ["SpecEdited", "CriterionBreached"]
    assert [(record.from_percent, record.to_percent) for record in decision.records] == [(25, 25), (25, 0)]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"mode": Mode.PAUSED},
        {"request": Request(id=1, action=RequestAction.PROMOTE, attempt=1, percent=25)},
        {"criteria": CRITERIA.model_copy(update={"error_rate": ErrorRate(limit_basis_points=100)})},
    ],
    ids=["nothing", "mode", "request", "a default written out"],
)
def test_what_is_no_edit_or_told_elsewhere_is_not_recorded(baking: SimulatedTarget, changes: dict[str, object]) -> None:
    assert "SpecEdited" not in [record.reason for record in edited(baking, **changes)]


def test_steering_that_nothing_comes_of_is_recorded(baking: SimulatedTarget) -> None:
    # Given an attempt that is raised on the way up, where there is nothing to begin again
    baking.identity = replace(baking.identity, edited_by="kubectl-edit")
    (raised,) = edited(baking, attempt=2)

    # And a mode that is changed once there is no share to pause
    baking.run_to(100)
    baking.run(60)
    (paused,) = edited(baking, mode=Mode.PAUSED)

    # Then both are told, without the client that edited something else
    assert (raised.reason, paused.reason) == ("SpecEdited", "SpecEdited")
    assert "(attempt: 1 -> 2)" in raised.message
    assert "(mode: Auto -> Paused)" in paused.message


def test_an_attempt_that_waits_is_told_when_it_begins(baking: SimulatedTarget) -> None:
    baking.arms = {ARM_NEW: arm(1_000, 1_000), ARM_BASELINE: arm(1_000)}
    baking.run(20)
    assert baking.status.phase is Phase.REVERTED
    baking.arms = {ARM_NEW: arm(1_000), ARM_BASELINE: arm(1_000)}

    baking.ask(attempt=2)
    decisions = baking.run(300)

    assert [record.reason for decision in decisions for record in decision.records][:2] == ["AttemptRaised", "Started"]


def test_one_request_after_another_is_no_edit(baking: SimulatedTarget) -> None:
    asked = [Request(id=number, action=RequestAction.APPROVE, attempt=1, percent=50) for number in (1, 2)]

    records = [record.reason for request in asked for record in edited(baking, request=request)]

    assert records == ["RequestRefused", "RequestRefused"]


def test_an_edit_between_two_attempts_is_recorded(baking: SimulatedTarget) -> None:
    baking.ask(mode=Mode.ROLLBACK)
    baking.run(18)

    looser = CRITERIA.model_copy(update={"error_rate": ErrorRate(limit_basis_points=500)})
    records = edited(baking, mode=Mode.AUTO, attempt=2, criteria=looser)

    assert [record.reason for record in records] == ["SpecEdited", "AttemptRaised", "Started"]


def test_an_operator_that_dies_before_it_stored_the_status_records_the_edit_once(baking: SimulatedTarget) -> None:
    before = baking.status.ledger.records
    baking.ask(interval=timedelta(seconds=3))
    baking.tick(1, die_after=0)
    assert baking.status.ledger.records == before

    baking.run(3)

    assert [entry.reason for entry in baking.status.history][-1] == "SpecEdited"
    assert baking.status.ledger.records == before + 1


# An operator that is newer than the status.


def test_a_status_from_before_shows_no_edit(baking: SimulatedTarget) -> None:
    old = baking.status.to_wire()
    del old["evaluatedSpec"]
    baking.status = SarkRolloutStatus.model_validate(old)

    assert edited(baking, interval=timedelta(seconds=3)) == ()
    (record,) = edited(baking, interval=timedelta(seconds=4))
    assert "interval: 3s -> 4s" in record.message


def test_a_spec_that_is_read_otherwise_by_a_newer_operator_is_no_edit(baking: SimulatedTarget) -> None:
    baking.spec = baking.spec.model_copy(update={"watch_after": ONE_HOUR})  # no new generation: nobody wrote it

    assert baking.tick(1).records == ()


def test_a_field_that_the_operator_does_not_know_is_no_edit(baking: SimulatedTarget) -> None:
    assert baking.status.evaluated_spec is not None
    known = {**baking.status.evaluated_spec, "criteria.errorRate.jitter": "5", "moonPhase": "full"}
    baking.status = baking.status.model_copy(update={"evaluated_spec": known})

    assert edited(baking) == ()


# What the status keeps.


def test_defaults_take_no_room_in_the_status() -> None:
    spec = SarkRolloutSpec.model_validate(
        {"target": SPEC.target.to_wire(), "prometheus": {"address": "http://prometheus:9090"}, "schedule": "Seed"}
    )
    assert kept(leaves(spec)) == {"prometheus.address": "http://prometheus:9090", "schedule": "Seed"}


def longest_spec() -> SarkRolloutSpec:
    """Return a spec that says as much as the schema allows of what can be long."""
    criteria = {
        name: {"action": "Hold", "minSamples": 999_999_999} for name in ("errorRate", "latencyP95", "fallbackRate", "opaP95")
    }
    custom = [{"name": f"{'q' * 31}{number}", "query": "x" * 4096, "max": "0.123456789"} for number in range(8)]
    return SarkRolloutSpec.model_validate(
        {
            "target": SPEC.target.to_wire(),
            "prometheus": {"address": "http://" + "p" * 2000, "tenant": "t" * 150, "timeout": "59s"},
            "steps": [
                {"percent": percent, "bake": "47h59m59s", "hold": "1h1m1s", "approval": "Required"}
                for percent in [*range(1, 32), 100]
            ],
            "windows": [
                {"days": list(Day), "start": "09:00", "end": f"10:{number}", "timeZone": "z" * 64} for number in range(10, 26)
            ],
            "criteria": {**criteria, "custom": custom, "alerts": {"matchLabels": {f"k{n}": "v" * 256 for n in range(16)}}},
            "rollback": {"blindFor": "1h", "onDelete": "Keep", "retry": {"limit": 3, "after": "2h"}},
            "approvals": {"validFor": "1h", "expireAfter": "2h", "onExpiry": "Revert"},
            "interval": "1m",
            "validFor": "10m",
            "watchAfter": "1h",
            "flagEdits": "Hold",
        }
    )


def test_the_longest_spec_takes_a_kibibyte_and_loses_no_limit_of_a_criterion() -> None:
    written = kept(leaves(longest_spec()))

    assert len(json.dumps(written, separators=(",", ":"))) <= MAX_KEPT + 2
    assert written["criteria.errorRate.action"] == "Hold"
    assert {"steps", "windows", "criteria.custom"} <= set(written)
    SarkRolloutStatus.model_validate({"evaluatedSpec": written})


def test_an_edit_of_what_there_was_no_room_for_is_named_by_its_section(target: SimulatedTarget) -> None:
    target.spec = longest_spec()
    target.run(3)
    plan = list(target.spec.plan())

    assert edited(target) == ()
    (record,) = edited(target, steps=[plan[0].model_copy(update={"bake": SHORT}), *plan[1:]])

    assert "(steps: edited; it was too long to keep from what)" in record.message


def test_a_long_list_of_edits_is_cut_and_begins_with_what_is_proven(baking: SimulatedTarget) -> None:
    long = longest_spec()
    changes = {name: getattr(long, name) for name in SarkRolloutSpec.model_fields if name != "target"}

    record = edited(baking, **changes)[0]

    assert len(record.message) < 800
    assert record.message.startswith("The spec was edited at 25% (criteria.")
    assert " more)" in record.message


def test_a_password_in_an_address_is_neither_kept_nor_told(baking: SimulatedTarget) -> None:
    address = baking.spec.prometheus.model_copy(update={"address": "http://me:secret@prometheus:9090"})

    records = edited(baking, prometheus=address, interval=timedelta(seconds=3))

    assert "secret" not in json.dumps(baking.status.to_wire())
    assert [record.message for record in records if "interval: 2s -> 3s" in record.message]
