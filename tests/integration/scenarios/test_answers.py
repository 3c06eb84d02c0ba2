"""A new arm that answers fast, without an error, and differently."""

from __future__ import annotations

from math import ceil

import pytest

from sark_api.status import Phase, Verdict
from sark_cli.rollout import Rollout
from sark_e2e.applied_rollout import AppliedRollout, proven_milliseconds, serves
from sark_e2e.example import quick
from sark_e2e.scenario import Scenario


def breached(criterion: str, rollout: Rollout) -> bool:
    """Whether `criterion` is, and the bake stands still for it."""
    verdicts = {each.name: each.verdict for each in rollout.status.criteria}
    return verdicts.get(criterion) is Verdict.BREACH and rollout.status.bake is not None and bool(rollout.status.bake.frozen)


def held(rollout: AppliedRollout, criterion: str, percent: int) -> Rollout:
    """Wait until `criterion` holds the step of `percent`, and expect that it proves nothing meanwhile."""
    found = rollout.until(f"a breach of {criterion}", lambda seen: breached(criterion, seen), seconds=90)
    assert found.status.reason == "CriterionHolds"
    assert criterion in found.status.message
    proven = proven_milliseconds(found)
    return rollout.stays(
        f"{percent}% and a frozen bake",
        lambda seen: serves(seen, percent) and seen.status.phase is Phase.PROGRESSING and proven_milliseconds(seen) == proven,
        seconds=3,
    )


@pytest.mark.parametrize("action", ["Revert", pytest.param("Hold", marks=pytest.mark.long)])
def test_a_new_arm_that_denies_more_than_the_baseline(scenario: Scenario, action: str):
    # Given a rollout that is being proven at 50%: both arms refuse half of what is asked
    opa = scenario.teachable_opa()
    fleet = scenario.fleet(replicas=2, overrides=opa.overrides)
    scenario.operator()
    traffic = scenario.traffic(fleet)
    rollout = scenario.apply("gateway", fleet, quick(50, 100, bake="10m", denyShift={"action": action}))
    rollout.bakes(50, milliseconds=1000, seconds=60)

    # When the baseline allows everything, and the new arm goes on refusing
    opa.learn()

    # Then with Revert it is taken back, and the record says what each of them refuses
    if action == "Revert":
        reverted = rollout.becomes(Phase.REVERTED, seconds=60)
        scenario.serves(fleet, 0, seconds=5)
        assert reverted.status.revert is not None
        assert (reverted.status.revert.criterion, reverted.status.revert.from_percent) == ("denyShift", 50)
        assert "by the baseline" in reverted.status.revert.message
        assert [entry.reason for entry in reverted.status.history] == ["Started", "CriterionBreached", "BaselineRestored"]
    # And with Hold it stays where it is, until they refuse the same again
    else:
        proven = proven_milliseconds(held(rollout, "denyShift", 50))
        opa.forget()
        rollout.until("a bake that goes on", lambda seen: proven_milliseconds(seen) > proven, seconds=90)
        assert [entry.reason for entry in rollout.read().status.history] == ["Started"]
    # And nobody was left without a decision
    assert traffic.stats().failures == 0


@pytest.mark.parametrize("action", [pytest.param("Revert", marks=pytest.mark.long), "Hold"])
def test_a_shadow_at_0_percent_advances_when_it_is_clean_and_not_before(scenario: Scenario, action: str):
    # Given a baseline that knows more than the engine, and a rollout that begins by comparing them
    opa = scenario.teachable_opa()
    fleet = scenario.fleet(replicas=2, overrides=opa.overrides)
    opa.learn()
    scenario.operator()
    traffic = scenario.traffic(fleet)
    edits = quick(0, 50, 100, decisionMismatch={"action": action, "minComparisons": 20})
    # A difference counts when OPA has been looked at again, which a busy sidecar does every half minute: longer than this bake.
    edits["steps"][0] |= {"bake": "6s", "shadow": {"samplePercent": 50}}
    edits["steps"][1] |= {"bake": "10m"}
    rollout = scenario.apply("gateway", fleet, edits)

    # When decisions differ, then with Revert the step is taken back, though nobody was moved
    if action == "Revert":
        reverted = rollout.becomes(Phase.REVERTED, seconds=90)
        assert reverted.status.revert is not None
        assert (reverted.status.revert.criterion, reverted.status.revert.from_percent) == ("decisionMismatch", 0)
        scenario.serves(fleet, 0, seconds=5)
        assert not scenario.flags(fleet).shadow.enabled
    # And with Hold it is held, and named: nobody is moved before they decide alike
    else:
        compared = held(rollout, "decisionMismatch", 0)
        assert "allow at mcp/gateway/decision" in compared.status.message
        opa.forget()
        edits["steps"][0] |= {"bake": f"{ceil(proven_milliseconds(compared) / 1000) + 5}s"}
        rollout.edit({"steps": edits["steps"]})
        begun = rollout.reaches(50, seconds=90)
        told = [(entry.reason, entry.to_percent) for entry in begun.status.history]
        assert told == [("Started", 0), ("SpecEdited", 0), ("Advanced", 50)]
        assert "comparisons over 5s differ" in begun.status.history[-1].message
    assert traffic.stats().failures == 0
