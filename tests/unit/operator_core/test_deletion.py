from __future__ import annotations

import pytest

from sark_api.flags import FeatureFlags, FlagDocument
from sark_api.names import ARM_BASELINE, ARM_NEW
from sark_api.spec import OnDelete, Rollback
from sark_e2e.simulated_target import SimulatedTarget, arm
from sark_operator.core.decision import ReleaseFinalizer, WriteFlags, WriteStatus
from sark_operator.core.observation import Missing

KEEP = Rollback(on_delete=OnDelete.KEEP)


def test_deleting_restores_the_baseline_before_it_lets_go(baking: SimulatedTarget) -> None:
    for sidecar in baking.sidecars.values():
        sidecar.following = False
    baking.delete()

    first = baking.tick(1)
    assert [type(action) for action in first.actions] == [WriteFlags, WriteStatus]
    assert (baking.percent, baking.released, first.status.reason) == (0, False, "RolloutDeleted")

    second = baking.tick(1)
    assert isinstance(second.actions[-1], ReleaseFinalizer)
    assert baking.released


def test_deleting_a_completed_rollout_restores_the_baseline_too(completed: SimulatedTarget) -> None:
    completed.run(60)
    completed.delete()
    completed.run(2)

    assert (completed.percent, completed.released) == (0, True)


def test_keeping_lets_go_at_once(baking: SimulatedTarget) -> None:
    baking.ask(rollback=KEEP)
    baking.delete()

    baking.tick(1)

    assert (baking.percent, baking.released) == (25, True)


def test_keeping_does_not_keep_a_breach(baking: SimulatedTarget) -> None:
    baking.ask(rollback=KEEP)
    baking.delete()
    baking.arms = {ARM_NEW: arm(1000, 500), ARM_BASELINE: arm()}

    baking.tick(1)
    assert (baking.percent, baking.released) == (0, False)

    baking.tick(1)
    assert baking.released


def test_one_that_never_began_lets_go_at_once(target: SimulatedTarget) -> None:
    target.delete()
    target.tick(1)

    assert (target.written, target.released) == ([], True)


@pytest.mark.parametrize("rollback", [None, KEEP], ids=["baseline", "keep"])
def test_a_config_map_that_goes_with_the_rollout_takes_no_breach_with_it(
    baking: SimulatedTarget, rollback: Rollback | None
) -> None:
    # Given a share that sidecars go on following when the ConfigMap and the rollout are deleted together
    baking.ask(**({"rollback": rollback} if rollback else {}))
    baking.lose_config_map()
    baking.delete()
    baking.arms = {ARM_NEW: arm(1000, 500), ARM_BASELINE: arm()}

    # When it is seen, then they are told, and only then it may go
    baking.tick(1)
    assert (baking.percent, baking.released, baking.sidecars["gw-0"].document) == (0, False, baking.document)
    baking.tick(1)
    assert baking.released
    assert [entry.to_percent for entry in baking.status.history][-1] == 0


def test_it_goes_with_its_namespace(baking: SimulatedTarget) -> None:
    baking.lose_config_map()
    baking.namespace_ending = True
    baking.delete()

    baking.run(2)

    assert baking.released
    assert isinstance(baking.flags, Missing)


@pytest.mark.parametrize("state", ["foreign", "empty and reverted"])
def test_it_lets_go_where_nothing_of_it_is_in_force(baking: SimulatedTarget, state: str) -> None:
    if state == "foreign":
        flags = FeatureFlags(rollout_percentage=50)
        baking.put(FlagDocument(feature_flags=flags, salt="x", rollout="shop/other", revision=99).sealed())
    else:
        baking.arms = {ARM_NEW: arm(1000, 500), ARM_BASELINE: arm()}
        baking.run(3)
        baking.put(None)
    written = len(baking.written)
    baking.delete()

    baking.run(2)

    assert (len(baking.written), baking.released) == (written, True)


@pytest.mark.parametrize("error", ["", "not JSON"])
def test_sidecars_that_remember_the_last_good_document_are_told(baking: SimulatedTarget, error: str) -> None:
    baking.put(None, error=error)
    baking.delete()

    baking.run(2)

    assert (baking.percent, baking.released, baking.sidecars["gw-0"].document) == (0, True, baking.document)


def test_it_does_not_let_go_while_the_config_map_cannot_be_read(baking: SimulatedTarget) -> None:
    flags = baking.flags
    baking.flags = Missing("FlagsUnavailable", "503")
    baking.delete()
    baking.run(10)
    assert not baking.released

    baking.flags = flags
    baking.run(2)
    assert (baking.percent, baking.released) == (0, True)


def test_nothing_advances_while_it_is_being_deleted(baking: SimulatedTarget) -> None:
    # Given a share that is kept, and whose next step would begin in the next evaluation
    baking.ask(rollback=KEEP)
    while baking.status.bake is None or baking.status.bake.proven_milliseconds < 14_000:
        baking.tick(1)

    # When the rollout is deleted before that
    baking.delete()
    baking.tick(1)

    # Then it goes as it is
    assert (baking.percent, baking.released) == (25, True)
    assert baking.status.history[-1].to_percent == 25
