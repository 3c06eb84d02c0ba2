"""Flags that somebody else wrote: corrected or held, shown either way, and never in the way of a revert."""

from __future__ import annotations

from datetime import timedelta

import pytest

from sark_api.flags import FlagDocument
from sark_api.names import ARM_BASELINE, ARM_NEW
from sark_api.spec import FlagEdits, Mode
from sark_api.status import Condition
from sark_e2e.simulated_target import SimulatedTarget, arm
from sark_operator.core.observation import Missing

WHO = "kubectl-edit"
BAD = {ARM_NEW: arm(1000, 900), ARM_BASELINE: arm()}


def owned(target: SimulatedTarget) -> Condition:
    return next(each for each in target.status.conditions if each.type == "FlagsOwned")


def reasons(target: SimulatedTarget) -> list[str]:
    return [entry.reason for entry in target.status.history]


def edited(target: SimulatedTarget, **changes: object) -> FlagDocument:
    """The document in force as a careful person would have changed it."""
    assert target.document is not None
    return target.document.model_copy(update=changes).sealed()


def edit_validity(target: SimulatedTarget) -> None:
    """Let somebody change the document without changing its share."""
    target.put(edited(target, valid_until=target.now + timedelta(days=1)), by=WHO)


def test_nobody_else_is_the_usual(baking: SimulatedTarget):
    assert (owned(baking).status, owned(baking).reason) == ("True", "FlagsOurs")


def test_an_edit_is_corrected_and_the_writer_named(baking: SimulatedTarget):
    # Given a document that somebody changed, when the operator looks
    edit_validity(baking)
    decision = baking.tick(1)

    # Then it has written its own, over theirs, and says so once
    assert baking.written[-1].force
    assert baking.document is not None
    assert baking.document.valid_until is not None
    assert baking.document.valid_until <= baking.now + baking.spec.valid_for
    assert [record.reason for record in decision.records] == ["FlagsCorrected"]
    assert WHO in decision.records[0].message
    assert (owned(baking).status, owned(baking).reason) == ("False", "FlagsShared")

    # And it is the only writer again
    baking.tick(1)
    assert owned(baking).status == "True"
    assert baking.percent == 25


def test_one_who_insists_does_not_fill_the_history(baking: SimulatedTarget):
    for _ in range(8):
        edit_validity(baking)
        baking.tick(1)
    assert reasons(baking).count("FlagsCorrected") == 1
    assert len(baking.written) > 8


def test_a_mangled_document_is_repaired_and_the_writer_named(baking: SimulatedTarget):
    baking.put(None, "flags.json is not JSON", by=WHO)
    decision = baking.tick(1)
    assert [record.reason for record in decision.records] == ["FlagsRepaired"]
    assert f"written by {WHO}" in decision.records[0].message


@pytest.mark.parametrize("mangled", [False, True], ids=["changed", "mangled"])
def test_by_the_users_wish_it_is_held(baking: SimulatedTarget, mangled: bool):
    # Given a rollout whose flags shall be left alone when somebody else writes them
    baking.ask(flag_edits=FlagEdits.HOLD)
    baking.tick(1)
    written = len(baking.written)

    # When somebody does
    if mangled:
        baking.put(None, "flags.json is not JSON", by=WHO)
    else:
        edit_validity(baking)
    theirs = baking.flags
    baking.run(40)

    # Then nothing is written and nothing goes on, and the reason is shown and recorded once
    assert (baking.flags, len(baking.written)) == (theirs, written)
    assert (baking.status.reason, owned(baking).reason) == ("FlagsHeld", "FlagsHeld")
    assert WHO in owned(baking).message
    assert reasons(baking).count("FlagsHeld") == 1
    assert baking.status.step is not None
    assert baking.status.step.percent == 25

    # And when they let go it goes on
    assert baking.document is None or baking.document.percentage == 25
    baking.put(edited(baking) if baking.document else None)
    baking.run_to(50)


def test_a_revert_writes_whoever_owns_the_flags(baking: SimulatedTarget):
    # Given flags that are held
    baking.ask(flag_edits=FlagEdits.HOLD)
    edit_validity(baking)
    baking.tick(1)

    # When a criterion is breached, then the baseline is written by force in that tick
    baking.arms = BAD
    baking.tick(1)
    assert baking.percent == 0
    assert baking.written[-1].force


def test_a_share_above_the_proven_one_is_taken_down_though_edits_are_held(baking: SimulatedTarget):
    baking.ask(flag_edits=FlagEdits.HOLD)
    assert baking.document is not None
    up = baking.document.feature_flags.model_copy(update={"rollout_percentage": 100})
    baking.put(edited(baking, feature_flags=up, revision=baking.document.revision + 1), by=WHO)

    baking.tick(1)

    assert baking.percent == 25
    assert baking.written[-1].force


def test_a_start_waits_while_somebody_owns_the_document(target: SimulatedTarget):
    target.ask(flag_edits=FlagEdits.HOLD)
    target.put(None, "flags.json is not JSON", by=WHO)
    target.run(5)
    assert (target.written, target.status.reason) == ([], "FlagsHeld")


def test_empty_keys_are_nobodys(target: SimulatedTarget):
    target.ask(flag_edits=FlagEdits.HOLD)
    target.put(None, by="kubectl-create")
    target.run_to(5)
    assert reasons(target) == ["Started"]
    assert (target.percent, target.written[0].force) == (5, True)


def test_who_holds_them_is_noted_with_what_happens_to_the_share_not_after_it(baking: SimulatedTarget):
    # Given flags of another rollout that holds the target, written by somebody and left alone
    baking.ask(flag_edits=FlagEdits.HOLD)
    baking.rival = "shop/other"
    baking.put(edited(baking, rollout="shop/other", salt="uid-0", revision=1), by=WHO)
    baking.tick(1)
    assert reasons(baking)[-1] == "FlagsHeld"

    # When the rollout is taken back, which needs no write
    baking.ask(mode=Mode.ROLLBACK)
    decision = baking.tick(1)

    # Then both are noted, and deciding again decides nothing more
    assert [record.reason for record in decision.records] == ["RolledBackByUser", "BaselineRestored", "FlagsHeld"]
    assert baking.decide().records == ()


def test_a_revert_under_way_is_written_anew_over_whoever_mangles_its_flags(baking: SimulatedTarget):
    # Given a user who wants edits of the flags to be left alone, and a revert that no sidecar has confirmed yet
    baking.ask(flag_edits=FlagEdits.HOLD)
    baking.arms = BAD
    baking.pods_missing = Missing("PodsUnavailable", "GET pods: 500")
    baking.tick(1)
    assert baking.written[-1].document.percentage == 0

    # When somebody mangles the document that says 0 %
    revision = baking.written[-1].document.revision
    baking.put(None, error="not JSON", by=WHO)
    baking.tick(1)

    # Then it is written anew all the same
    assert (baking.written[-1].document.percentage, baking.written[-1].document.revision) == (0, revision + 1)
    assert baking.written[-1].force
