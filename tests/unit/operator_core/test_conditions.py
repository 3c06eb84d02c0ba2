from __future__ import annotations

import pytest

from sark_api import reasons
from sark_api.conditions import CONDITIONS
from sark_api.names import ARM_BASELINE, ARM_NEW
from sark_api.reasons import REASONS
from sark_api.spec import Mode
from sark_api.status import ConditionStatus
from sark_e2e.simulated_target import SimulatedTarget, arm
from sark_operator.core.observation import Missing

ALL = [
    "Ready",
    "Progressing",
    "Converged",
    "MetricsAvailable",
    "SampleSufficient",
    "CriteriaMet",
    "Paused",
    "Reverting",
    "Completed",
    "FlagsOwned",
    "Degraded",
]


def states(target: SimulatedTarget) -> dict[str, str]:
    """The status of each condition, T, F or U."""
    return {condition.type: condition.status[0] for condition in target.status.conditions}


def letters(target: SimulatedTarget) -> str:
    return "".join(states(target).values())


def test_all_eleven_are_there_from_the_first_tick(target: SimulatedTarget) -> None:
    target.arms = {}
    target.rival = "shop/other"
    target.tick(1)

    assert list(states(target)) == list(CONDITIONS) == ALL
    assert all(condition.observed_generation == 1 for condition in target.status.conditions)


@pytest.mark.parametrize(
    ("name", "unseen"),
    [
        ("Converged", "the pods"),
        ("FlagsOwned", "the ConfigMap"),
        ("SampleSufficient", "a criterion"),
        ("CriteriaMet", "a criterion"),
    ],
)
def test_a_condition_is_unknown_where_its_table_says_so(target: SimulatedTarget, name: str, unseen: str) -> None:
    if unseen == "the pods":
        target.pods_missing = Missing(reasons.PODS_UNAVAILABLE.name, "503")
    elif unseen == "the ConfigMap":
        target.lose_config_map()
    target.tick(1)

    assert states(target)[name] == "U"
    assert {each.name for each in CONDITIONS.values() if each.unknown} == {
        "Converged",
        "FlagsOwned",
        "SampleSufficient",
        "CriteriaMet",
    }


@pytest.mark.parametrize(
    ("state", "expected"),
    # In the order of ALL.
    [
        ("waiting for a rival", "FFTTUUFFFTF"),
        ("baking", "TTTTTTFFFTF"),
        ("paused", "TFTTTTTFFTF"),
        ("too few samples", "TFTTFUFFFTF"),
        ("reverting", "TFFTTFFTFTF"),
        ("reverted", "TFTTTFFFFTF"),
    ],
)
def test_they_tell_each_state(target: SimulatedTarget, state: str, expected: str) -> None:
    if state != "waiting for a rival":
        target.run_to(5)
    match state:
        case "waiting for a rival":
            target.rival = "shop/other"
            target.tick(1)
        case "paused":
            target.ask(mode=Mode.PAUSED)
            target.tick(1)
        case "too few samples":
            target.arms = {ARM_NEW: arm(5), ARM_BASELINE: arm()}
            target.tick(1)
        case "reverting" | "reverted":
            target.arms = {ARM_NEW: arm(1000, 900), ARM_BASELINE: arm()}
            target.run(1 if state == "reverting" else 3)

    assert letters(target) == expected


def test_completed(completed: SimulatedTarget) -> None:
    assert letters(completed) == "TFTTTTFFTTF"
    assert completed.status.reason == "Watching"
    assert completed.status.message == "Completed at 100%: the criteria are watched for another 29s"


def test_the_transition_time_moves_only_when_the_status_flips(baking: SimulatedTarget) -> None:
    def since(name: str) -> object:
        return next(each.last_transition_time for each in baking.status.conditions if each.type == name)

    before = since("Converged")
    baking.run(5)
    assert since("Converged") == before

    baking.sidecars["gw-0"].reachable = False
    baking.tick(1)
    assert since("Converged") == baking.now.replace(microsecond=0)
    flipped = since("Converged")

    baking.sidecars["gw-0"].reachable = True
    baking.sidecars["gw-0"].policy = "policy-2"
    baking.tick(1)
    assert since("Converged") == flipped


def test_the_generation_is_the_one_that_was_looked_at(baking: SimulatedTarget) -> None:
    baking.ask(mode=Mode.PAUSED)
    baking.tick(1)

    assert baking.status.observed_generation == baking.identity.generation == 2
    assert {condition.observed_generation for condition in baking.status.conditions} == {2}


def test_every_reason_comes_from_the_table(completed: SimulatedTarget) -> None:
    status = completed.status

    used = {status.reason, *(each.reason for each in status.conditions), *(each.reason for each in status.history)}
    assert used <= set(REASONS)


def test_criteria_carry_since_when_they_say_it(baking: SimulatedTarget) -> None:
    before = baking.status.criteria[0].since
    baking.run(3)
    assert baking.status.criteria[0].since == before

    baking.arms = {ARM_NEW: arm(5), ARM_BASELINE: arm()}
    baking.tick(1)
    assert baking.status.criteria[0].since == baking.now


def test_the_evidence_outlives_the_revert(baking: SimulatedTarget) -> None:
    baking.arms = {ARM_NEW: arm(1204, 144.48), ARM_BASELINE: arm()}
    baking.run(3)
    baking.arms = {}
    baking.run(30)

    assert (baking.status.criteria[0].value, baking.status.summary.verdict) == ("12.0%", "Breach")
    assert baking.status.summary.model_dump() == {
        "traffic": "0%",
        "step": "0/5",
        "bake": "",
        "replicas": "3/3",
        "verdict": "Breach",
    }


def test_nothing_is_written_while_nothing_changes(baking: SimulatedTarget) -> None:
    baking.arms = {ARM_NEW: arm(1000, 900), ARM_BASELINE: arm()}
    baking.run(3)

    assert all(decision.actions == () for decision in baking.run(10))
    assert ConditionStatus.TRUE in {condition.status for condition in baking.status.conditions}
