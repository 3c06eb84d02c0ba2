"""A first step of 0 %: nobody is served by the new arm, decisions are compared, and that alone must be proof."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from sark_api.names import ARM_BASELINE
from sark_api.spec import (
    Action,
    Approval,
    Approvals,
    DecisionMismatch,
    Mode,
    OnExpiry,
    Request,
    RequestAction,
    Retry,
    Rollback,
    Step,
    StepShadow,
)
from sark_api.status import Phase, Verdict
from sark_e2e.simulated_target import SimulatedTarget, arm, healthy_plane, quick_spec
from sark_operator.core.decide import decide
from sark_operator.core.observation import Comparisons, CountedPlane, CountedWindow, Missing

STEPS = [
    Step(percent=0, bake=timedelta(seconds=15), shadow=StepShadow(sample_percent=10)),
    Step(percent=5, bake=timedelta(seconds=15)),
    Step(percent=100, bake=timedelta(seconds=15)),
]


@pytest.fixture
def comparing() -> SimulatedTarget:
    """A rollout in its shadow step: the baseline serves everybody, and sidecars have confirmed the shadow."""
    target = SimulatedTarget(spec=quick_spec().model_copy(update={"steps": STEPS}))
    target.arms = {ARM_BASELINE: arm()}
    target.run_to(0)
    return target


def compared(target: SimulatedTarget, matches: float, mismatches: float = 0) -> None:
    target.plane = replace(healthy_plane(), shadow=Comparisons(matches, mismatches))


def test_it_turns_on_the_shadow_and_moves_nobody(comparing: SimulatedTarget) -> None:
    document = comparing.document

    assert document is not None
    assert (document.percentage, document.feature_flags.rust_opa_enabled, document.valid_until) == (0, False, None)
    assert (document.shadow.enabled, document.shadow.sample_percentage) == (True, 10)
    assert (comparing.status.phase, comparing.status.summary.step) == (Phase.PROGRESSING, "1/3")


def test_only_what_can_be_seen_without_the_new_arm_is_judged(comparing: SimulatedTarget) -> None:
    names = {criterion.name for criterion in comparing.status.criteria}

    assert names == {"memoryGrowth", "decisionMismatch", "throughput", "cpu", "alerts"}

    # And when every sidecar has served 0 % for a whole window, that nobody was served by the new arm
    comparing.run(15)
    assert "sampleRatio" in {criterion.name for criterion in comparing.status.criteria}


@pytest.mark.parametrize("strays", [0.4, 1, 5000])
def test_requests_of_the_new_arm_at_0_percent_hold_it_and_take_nothing_back(comparing: SimulatedTarget, strays: float) -> None:
    # Given requests that the new arm reports, though every sidecar says that it serves 0 %
    comparing.strays = strays
    comparing.run(300, every=2)

    # Then the first share does not begin, whatever the comparisons say, and nothing is reverted for it
    assert (comparing.percent, comparing.status.phase, comparing.status.reason) == (0, Phase.PROGRESSING, "CriterionUnknown")
    assert "though every sidecar says that it serves 0%" in comparing.status.message
    assert comparing.status.blind_since is None

    # And when they are gone it goes on
    comparing.strays = 0
    comparing.run_to(5)


def test_requests_of_an_earlier_share_are_none_of_it(comparing: SimulatedTarget) -> None:
    # Given a window that still holds requests of the time before every sidecar served 0 %
    comparing.strays = 5000
    comparing.tick(1)

    assert "sampleRatio" not in {criterion.name for criterion in comparing.status.criteria}


def test_enough_equal_decisions_let_it_go_on(comparing: SimulatedTarget) -> None:
    comparing.run_to(5)

    assert comparing.document is not None
    assert comparing.document.shadow.enabled is False


def test_too_few_decisions_hold_it_for_ever_and_take_nothing_back(comparing: SimulatedTarget) -> None:
    compared(comparing, 99)
    comparing.run(300, every=2)

    assert (comparing.percent, comparing.status.phase, comparing.status.reason) == (0, Phase.PROGRESSING, "CriterionUnknown")
    assert comparing.status.next is not None
    assert "decisionMismatch needs 100 samples in its window and has 99" in [each.text for each in comparing.status.next.waits]


def test_one_decision_that_differs_ends_it(comparing: SimulatedTarget) -> None:
    compared(comparing, 1000, 1)
    decision = comparing.tick(1)

    assert decision.status.revert is not None
    assert decision.status.revert.criterion == "decisionMismatch"
    comparing.run(3)
    assert comparing.document is not None
    assert (comparing.status.phase, comparing.document.shadow.enabled) == (Phase.REVERTED, False)


def test_a_difference_may_only_hold(comparing: SimulatedTarget) -> None:
    mismatch = comparing.spec.criteria.decision_mismatch.model_copy(update={"action": Action.HOLD})
    comparing.ask(criteria=comparing.spec.criteria.model_copy(update={"decision_mismatch": mismatch}))
    compared(comparing, 1000, 1)
    comparing.run(60)

    assert (comparing.percent, comparing.status.phase) == (0, Phase.PROGRESSING)
    assert [each.verdict for each in comparing.status.criteria if each.name == "decisionMismatch"] == [Verdict.BREACH]


@pytest.mark.parametrize("way", ["mode", "delete"])
def test_the_user_can_end_it(comparing: SimulatedTarget, way: str) -> None:
    if way == "mode":
        comparing.ask(mode=Mode.ROLLBACK)
    else:
        comparing.delete()
    comparing.run(4)

    assert comparing.document is not None
    assert comparing.document.shadow.enabled is False
    assert comparing.released is (way == "delete")


def test_a_sidecar_that_has_not_heard_of_the_shadow_holds_it(comparing: SimulatedTarget) -> None:
    comparing.sidecars["gw-9"] = type(comparing.sidecars["gw-0"])(following=False)
    comparing.run(40)

    assert (comparing.percent, comparing.status.reason) == (0, "Converging")


def test_an_approval_missed_where_no_shadow_is_left_ends_in_one_evaluation(comparing: SimulatedTarget) -> None:
    # Given a rollout at 0% whose step was taken out of the plan: there is nothing in force to take back
    steps = [step.model_copy(update={"approval": Approval.REQUIRED}) for step in STEPS[1:]]
    rules = Approvals(expire_after=timedelta(seconds=10), on_expiry=OnExpiry.REVERT)
    comparing.ask(steps=steps, approvals=rules)

    # When the approval is not given in time
    while comparing.status.revert is None:
        comparing.tick(1)

    # Then all is done that can be, and deciding again decides nothing more
    assert (comparing.status.phase, comparing.status.reason) == (Phase.REVERTED, "ApprovalMissed")
    assert comparing.decide().records == ()


def test_blindness_at_0_percent_takes_nothing_back(comparing: SimulatedTarget) -> None:
    comparing.sidecars.clear()
    comparing.run(300, every=2)

    assert comparing.status.phase is Phase.PROGRESSING


def test_it_can_be_promoted_past_its_bake(comparing: SimulatedTarget) -> None:
    comparing.ask(request=Request(id=1, action=RequestAction.PROMOTE, attempt=1, percent=0))
    began = comparing.now
    comparing.run_to(5)

    assert comparing.now - began < timedelta(seconds=15)


def test_a_retry_begins_with_it_again(comparing: SimulatedTarget) -> None:
    comparing.ask(rollback=Rollback(retry=Retry(limit=1, after=timedelta(seconds=20))))
    compared(comparing, 1000, 1)
    comparing.run(5)
    compared(comparing, 1000)
    comparing.run_to(0)

    assert comparing.status.retries == 1
    assert comparing.document is not None
    assert comparing.document.shadow.enabled is True


def test_the_migration_preset_begins_with_it() -> None:
    plan = quick_spec(steps=None, schedule="Migration").plan()

    assert [step.percent for step in plan] == [0, 5, 25, 50, 100]
    assert plan[0].shadow.sample_percent == 10
    assert all(timedelta(hours=24) <= step.bake <= timedelta(hours=48) for step in plan)


@pytest.mark.parametrize(
    "shadow", [Comparisons(matches=1000), Missing("MetricsTimeout", "late")], ids=["seen again", "half seen"]
)
@pytest.mark.parametrize("limit", [0, 500])
def test_what_differed_while_nobody_could_look_is_not_forgotten_with_its_window(
    comparing: SimulatedTarget, limit: int, shadow: Comparisons | Missing
) -> None:
    # Given comparisons, of which one differed while nothing could be read, longer ago than criteria.window
    mismatch = DecisionMismatch(limit_parts_per_million=limit)
    comparing.ask(criteria=comparing.spec.criteria.model_copy(update={"decision_mismatch": mismatch}))
    comparing.run(10)
    counted_until = comparing.status.counted_until
    assert counted_until is not None
    length = comparing.spec.criteria.counting()
    comparing.now = counted_until + 40 * length
    plane = CountedPlane(compared=Comparisons(matches=99, mismatches=1))
    alike = CountedPlane(compared=Comparisons(matches=100))
    windows = tuple(
        CountedWindow(
            counted_until + place * length,
            counted_until + (place + 1) * length,
            {ARM_BASELINE: arm()},
            plane if place == 3 else alike,
        )
        for place in range(40)
    )

    # When it can be read again
    seen = comparing.observe()
    metrics = replace(seen.metrics, windows=windows, data_plane=replace(seen.metrics.data_plane, shadow=shadow))
    decision = decide(comparing.identity, comparing.spec, comparing.status, replace(seen, metrics=metrics), comparing.now)

    # Then it is a breach where none may differ; where some may, it is one among thousands
    (found,) = [each for each in decision.status.criteria if each.name == "decisionMismatch"]
    assert (decision.status.reason == "CriterionBreached") is (limit == 0)
    if limit == 0:
        assert found.verdict is Verdict.BREACH
        assert "1 differed while nobody looked, by the counting windows since; at most 0 ppm may" in found.message
