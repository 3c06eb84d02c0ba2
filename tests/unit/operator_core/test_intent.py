from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from sark_api.names import ARM_BASELINE, ARM_NEW
from sark_api.spec import Features, FlagEdits, Mode, Step, Toggle
from sark_api.status import Phase
from sark_e2e.simulated_target import SimulatedTarget, arm, quick_spec
from sark_operator.core.observation import ObservedFlags

SHORT = timedelta(seconds=15)
BAD = {ARM_NEW: arm(1000, 500), ARM_BASELINE: arm()}
GOOD = {ARM_NEW: arm(), ARM_BASELINE: arm()}


def steps(*percents: int) -> list[Step]:
    return [Step(percent=percent, bake=SHORT) for percent in percents]


def reverted(target: SimulatedTarget) -> SimulatedTarget:
    target.arms = BAD
    target.run(3)
    target.arms = GOOD
    assert target.status.phase is Phase.REVERTED
    return target


def proven(target: SimulatedTarget) -> int:
    assert target.status.bake is not None
    return target.status.bake.proven_milliseconds


def test_a_pause_freezes_the_bake_and_keeps_the_flags_alive(baking: SimulatedTarget) -> None:
    before = proven(baking)
    baking.ask(mode=Mode.PAUSED)

    decisions = baking.run(120)

    assert [record.reason for record in decisions[0].records] == ["PausedByUser"]
    assert (baking.status.phase, baking.percent, proven(baking)) == (Phase.PAUSED, 25, before)
    assert baking.document is not None
    assert baking.document.valid_until is not None
    assert baking.document.valid_until > baking.now
    assert baking.status.convergence is not None
    assert baking.status.convergence.confirmed == 3


def test_resuming_goes_on_with_what_was_proven(baking: SimulatedTarget) -> None:
    before = proven(baking)
    baking.ask(mode=Mode.PAUSED)
    baking.run(30)
    baking.ask(mode=Mode.AUTO)

    decision = baking.tick(1)
    assert [record.reason for record in decision.records] == ["ResumedByUser"]
    assert proven(baking) == before

    baking.tick(1)
    assert proven(baking) == before + 1000


def test_paused_before_the_start_nothing_begins(target: SimulatedTarget) -> None:
    target.ask(mode=Mode.PAUSED)
    target.run(10)
    assert (target.status.phase, target.written) == (Phase.PAUSED, [])

    target.ask(mode=Mode.AUTO)
    target.run_to(5)


def test_the_user_can_take_it_back_and_it_stays_there(baking: SimulatedTarget) -> None:
    baking.ask(mode=Mode.ROLLBACK)
    baking.run(3)
    assert (baking.percent, baking.status.phase, baking.status.reason) == (0, Phase.REVERTED, "RolledBackByUser")
    assert baking.status.history[-2].actor == "user by spec"

    baking.ask(mode=Mode.AUTO)
    baking.run(30)
    assert (baking.percent, baking.status.phase) == (0, Phase.REVERTED)


def test_with_mode_rollback_nothing_begins(target: SimulatedTarget) -> None:
    target.ask(mode=Mode.ROLLBACK)
    target.run(10)

    assert (target.written, target.status.reason) == ([], "StaysAtBaseline")


def test_rolling_back_a_completed_rollout_after_its_watch(completed: SimulatedTarget) -> None:
    completed.run(40)
    completed.ask(mode=Mode.ROLLBACK)
    completed.run(3)

    assert (completed.percent, completed.status.phase) == (0, Phase.REVERTED)


def test_a_raised_attempt_starts_over_once_the_window_has_forgotten_the_failure(baking: SimulatedTarget) -> None:
    reverted(baking)
    restored = baking.now
    baking.ask(attempt=2)

    waiting = baking.tick(1)
    assert (waiting.status.phase, waiting.status.reason) == (Phase.REVERTED, "AttemptWaits")
    baking.run_to(5)

    assert baking.now - restored >= timedelta(seconds=9)
    assert (baking.status.attempt, baking.status.revert) == (2, None)
    reasons = [entry.reason for entry in baking.status.history]
    assert reasons[-4:] == ["CriterionBreached", "BaselineRestored", "AttemptRaised", "Started"]


def test_a_raised_attempt_starts_a_completed_rollout_over_from_the_baseline(completed: SimulatedTarget) -> None:
    completed.ask(attempt=2)

    completed.tick(1)
    assert (completed.percent, completed.status.phase) == (0, Phase.PENDING)
    completed.run_to(5)


@pytest.mark.parametrize("mode", [Mode.ROLLBACK, Mode.AUTO])
def test_an_attempt_raised_during_a_revert_waits_for_its_end(baking: SimulatedTarget, mode: Mode) -> None:
    baking.sidecars["gw-1"].following = False
    baking.arms = BAD
    baking.run(2)
    baking.ask(attempt=2, mode=mode)
    baking.run(5)
    assert (baking.status.phase, baking.status.attempt) == (Phase.REVERTING, 1)

    baking.sidecars["gw-1"].following = True
    baking.arms = GOOD
    baking.run(2)
    if mode is Mode.ROLLBACK:
        baking.run(30)
        assert (baking.status.phase, baking.status.attempt) == (Phase.REVERTED, 1)
    else:
        baking.run_to(5)


def test_an_attempt_raised_on_the_way_up_is_only_recorded(baking: SimulatedTarget) -> None:
    baking.ask(attempt=7)
    baking.tick(1)

    assert (baking.percent, baking.status.attempt) == (25, 7)


def test_a_lowered_attempt_restarts_nothing(baking: SimulatedTarget) -> None:
    baking.ask(attempt=3)
    baking.tick(1)
    reverted(baking)
    baking.run(20)

    baking.ask(attempt=2)
    baking.run(30)

    assert (baking.status.phase, baking.status.attempt) == (Phase.REVERTED, 2)


@pytest.mark.parametrize(
    ("plan", "position", "next_percent"),
    [
        ((5, 10, 25, 60, 100), "3/5", 60),
        ((5, 25, 100), "2/3", 100),
        ((10, 50, 100), "1/3", 50),
        ((50, 100), "0/2", 50),
        ((1, 2, 3, 100), "3/4", 100),
        ((100,), "0/1", 100),
    ],
)
def test_an_edited_plan_never_moves_the_share(
    baking: SimulatedTarget, plan: tuple[int, ...], position: str, next_percent: int
) -> None:
    before, edited = proven(baking), steps(*plan)
    baking.ask(steps=edited)

    baking.tick(1)

    assert (baking.percent, baking.status.summary.step, proven(baking)) == (25, position, before + 1000)
    while baking.percent == 25:
        baking.tick(1)
    assert baking.percent == next_percent


def test_a_plan_that_was_edited_is_recorded_once(baking: SimulatedTarget) -> None:
    baking.ask(steps=steps(5, 25, 100))

    records = [record.reason for decision in baking.run(5) for record in decision.records]

    assert records == ["PlanEdited"]


def test_a_longer_bake_asked_for_on_the_way_is_needed_at_once(baking: SimulatedTarget) -> None:
    baking.ask(steps=[Step(percent=percent, bake=timedelta(minutes=10)) for percent in (5, 10, 25, 50, 100)])
    baking.run(300)

    assert baking.percent == 25
    assert baking.status.summary.bake == "5m/10m"


def test_edited_features_are_proven_anew(baking: SimulatedTarget) -> None:
    baking.ask(features=Features(cache=Toggle.DISABLED))

    decision = baking.tick(1)

    assert [record.reason for record in decision.records] == ["FeaturesEdited"]
    assert proven(baking) == 0
    assert baking.document is not None
    assert (baking.document.feature_flags.rust_cache_enabled, baking.percent) == (False, 25)
    assert decision.status.convergence is not None
    assert decision.status.convergence.since is None
    assert [record.reason for each in baking.run(5) for record in each.records] == []
    assert proven(baking) > 0


@pytest.mark.parametrize("document", ["mangled", "emptied", "gone", "written already"])
def test_edited_features_are_proven_anew_whatever_the_document_says(baking: SimulatedTarget, document: str) -> None:
    # Given a step that is nearly proven, and an edit of the features
    baking.run(8)
    assert proven(baking) > 8000
    if document == "written already":
        # Somebody owns a key, so that the flags are written first; and the operator dies before the status
        baking.ask(features=Features(cache=Toggle.DISABLED))
        baking.put(baking.document, by="kubectl-edit")
        baking.tick(1, die_after=1, deliver=False)
        assert baking.document is not None
        assert not baking.document.feature_flags.rust_cache_enabled
    # When the document does not tell of it
    elif document == "mangled":
        baking.ask(features=Features(cache=Toggle.DISABLED))
        baking.put(None, "not JSON", by="kubectl-edit")
    elif document == "emptied":
        baking.ask(features=Features(cache=Toggle.DISABLED))
        baking.put(None)
    else:
        baking.lose_config_map()
        baking.tick(1)
        baking.ask(features=Features(cache=Toggle.DISABLED))

    # Then nothing counts that was proven before, and one record says so
    first = baking.tick(1)
    assert [record.reason for record in first.records if record.reason != "FlagsRepaired"] == ["FeaturesEdited"]
    assert proven(baking) == 0
    if document == "gone":
        baking.put(None)
    edited = baking.now
    while baking.status.step is not None and baking.status.step.percent == 25:
        baking.tick(1)
    assert baking.status.history[-1].reason == "Advanced"
    assert baking.now - edited >= timedelta(seconds=15)
    assert [entry.reason for entry in baking.status.history].count("FeaturesEdited") == 1


def test_sidecars_must_confirm_the_features_that_a_dead_operator_wrote(baking: SimulatedTarget) -> None:
    # Given flags with edited features that a sidecar has not heard of, whose operator died before the status
    baking.ask(features=Features(cache=Toggle.DISABLED))
    baking.put(baking.document, by="kubectl-edit")
    baking.sidecars["gw-0"].following = False
    baking.tick(1, die_after=1)

    # Then its successor waits for that sidecar
    baking.run(3)
    assert (baking.percent, proven(baking), baking.status.reason) == (25, 0, "Converging")
    assert "gw-0: is at flag revision" in baking.status.message


def test_an_approval_is_asked_for_anew_once_the_features_were_edited(target: SimulatedTarget) -> None:
    # Given an approval that has been waited for nearly as long as it may
    plan = [{"percent": 5, "bake": "15s"}, {"percent": 100, "bake": "15s", "approval": "Required"}]
    target.spec = quick_spec(steps=plan, approvals={"expireAfter": "20s", "onExpiry": "Revert"})
    while target.status.awaited is None:
        target.tick(1)
    target.run(15)

    # When the features are edited, then the step is proven first, and the wait begins anew
    target.ask(features=Features(cache=Toggle.DISABLED))
    records = [record.reason for decision in target.run(30) for record in decision.records]
    assert records == ["FeaturesEdited", "ApprovalAwaited"]
    assert target.percent == 5


@pytest.mark.parametrize("obstacle", ["held", "refused"])
def test_features_that_cannot_be_written_are_told_once(baking: SimulatedTarget, obstacle: str) -> None:
    # Given flags that the operator may not write
    if obstacle == "held":
        baking.ask(flag_edits=FlagEdits.HOLD)
        assert isinstance(baking.flags, ObservedFlags)
        baking.flags = replace(baking.flags, owners=("kubectl-edit",))
        baking.tick(1)
    else:
        baking.flags_refused = True

    # When the features are edited, then one record says so, whatever time passes, and nothing is proven meanwhile
    baking.ask(features=Features(cache=Toggle.DISABLED))
    records = [record for decision in baking.run(60) for record in decision.records if record.reason == "FeaturesEdited"]
    assert [record.message for record in records if "features.cache: Enabled -> Disabled" in record.message]
    assert [entry.reason for entry in baking.status.history].count("FeaturesEdited") == 1
    assert (proven(baking), baking.percent) == (0, 25)


@pytest.mark.parametrize("then", ["breach", "rollback", "delete"])
def test_a_new_attempt_takes_the_share_back_although_its_config_map_is_gone(completed: SimulatedTarget, then: str) -> None:
    # Given a fleet at 100 % that has only its memory of the flags
    completed.lose_config_map()
    completed.tick(1)

    # When a new attempt is asked for, and something happens
    completed.ask(attempt=2)
    completed.tick(1)
    if then == "breach":
        completed.arms = {ARM_NEW: arm(1000, 500), ARM_BASELINE: arm()}
    elif then == "rollback":
        completed.ask(mode=Mode.ROLLBACK)
    else:
        completed.delete()
    completed.run(10)

    # Then no sidecar is left at the old share
    assert {report.percent for name, each in completed.sidecars.items() if (report := each.report(name, completed.now))} <= {
        0,
        5,
    }
