"""What a status says it waits for, and until when."""

from __future__ import annotations

from datetime import timedelta

from sark_api.names import ARM_BASELINE, ARM_NEW
from sark_api.spec import Approval, Day, Mode, Retry, Rollback, Window
from sark_api.status import Next, Phase, Wait, WaitKind
from sark_e2e.simulated_target import SimulatedTarget, arm

BAD = {ARM_NEW: arm(1000, 500), ARM_BASELINE: arm()}
GOOD = {ARM_NEW: arm(), ARM_BASELINE: arm()}


def coming(target: SimulatedTarget) -> Next:
    assert target.status.next is not None
    return target.status.next


def waits(target: SimulatedTarget) -> dict[WaitKind, Wait]:
    return {wait.kind: wait for wait in coming(target).waits}


def test_a_bake_under_way_names_the_next_step_and_when_it_comes(baking: SimulatedTarget) -> None:
    found = waits(baking)

    assert (coming(baking).percent, set(found)) == (50, {WaitKind.BAKE, WaitKind.METRICS})
    assert found[WaitKind.BAKE].text.endswith("/15s of the bake proven")
    promised = coming(baking).earliest
    assert promised is not None
    baking.run_to(50)
    assert baking.status.step is not None
    assert timedelta(0) <= baking.status.step.started_at - promised <= baking.spec.interval


def test_as_long_as_all_is_well_the_promise_stays_the_same(baking: SimulatedTarget) -> None:
    promised = coming(baking).earliest
    for _ in range(4):
        baking.tick(0.7)
        assert coming(baking).earliest == promised


def test_too_few_samples_are_named_and_no_time_is(baking: SimulatedTarget) -> None:
    baking.arms = {ARM_NEW: arm(12), ARM_BASELINE: arm()}
    baking.tick(1)

    assert coming(baking).earliest is None
    assert "errorRate needs 100 samples in its window and has 12" in [each.text for each in coming(baking).waits]
    assert waits(baking)[WaitKind.BAKE].until is None


def test_a_sidecar_that_has_not_confirmed_is_named(baking: SimulatedTarget) -> None:
    baking.sidecars["gw-0"].reachable = False
    baking.tick(1)

    assert waits(baking)[WaitKind.SIDECARS].text == "every ready sidecar must confirm 25%: 2 of 3 did"


def test_a_pause_waits_for_the_user(baking: SimulatedTarget) -> None:
    baking.ask(mode=Mode.PAUSED)
    baking.tick(1)

    assert WaitKind.USER in waits(baking)
    assert coming(baking).earliest is None


def test_an_approval_and_a_window_are_waited_for(baking: SimulatedTarget) -> None:
    # Given a next step that needs an approval, and windows that are shut
    steps = [each.model_copy(update={"approval": Approval.REQUIRED}) for each in baking.spec.plan()]
    baking.ask(steps=steps, windows=[Window(days=[Day.FRI], start="09:00", end="10:00")])
    baking.run(40)

    found = waits(baking)
    assert set(found) == {WaitKind.APPROVAL, WaitKind.WINDOW}
    assert found[WaitKind.APPROVAL].text.startswith("the step of 50% needs an approval, waited for until 2026-01-08 12:0")
    assert found[WaitKind.WINDOW].until is not None
    assert found[WaitKind.WINDOW].until.isoformat() == "2026-01-02T09:00:00+00:00"


def test_a_retry_is_announced(baking: SimulatedTarget) -> None:
    baking.ask(rollback=Rollback(retry=Retry(limit=1, after=timedelta(minutes=5))))
    baking.arms = BAD
    baking.run(3)

    restored = baking.status.revert
    assert restored is not None
    assert restored.completed_at is not None
    assert (coming(baking).percent, coming(baking).earliest) == (5, restored.completed_at + timedelta(minutes=5))


def test_at_rest_nothing_is_announced(baking: SimulatedTarget) -> None:
    baking.arms = BAD
    baking.run(3)

    assert (baking.status.phase, baking.status.next) == (Phase.REVERTED, None)


def test_after_completion_it_is_the_end_of_the_watch(completed: SimulatedTarget) -> None:
    assert completed.status.completed_at is not None
    assert coming(completed).earliest == completed.status.completed_at + completed.spec.watch_after
    completed.run(40)
    assert completed.status.next is None


def test_before_the_start_the_first_step_is_next(target: SimulatedTarget) -> None:
    target.ask(windows=[Window(days=[Day.FRI], start="09:00", end="10:00")])
    target.tick(1)

    assert (coming(target).percent, [each.kind for each in coming(target).waits]) == (5, [WaitKind.WINDOW])
