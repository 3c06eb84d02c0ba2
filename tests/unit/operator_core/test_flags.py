from __future__ import annotations

from datetime import timedelta

import pytest

from sark_api.flags import FeatureFlags, FlagDocument
from sark_api.names import ARM_BASELINE, ARM_NEW
from sark_api.spec import Features, Mode, Toggle
from sark_api.status import Condition, Phase
from sark_e2e.simulated_target import SimulatedTarget, arm
from sark_operator.core.decision import WriteFlags, WriteStatus
from sark_operator.core.observation import Missing

BAD = {ARM_NEW: arm(1000, 500), ARM_BASELINE: arm()}


def foreign(percent: int, revision: int, rollout: str = "shop/other", salt: str = "uid-0") -> FlagDocument:
    flags = FeatureFlags(rust_opa_enabled=True, rust_cache_enabled=True, rollout_percentage=percent)
    return FlagDocument(feature_flags=flags, salt=salt, rollout=rollout, revision=revision).sealed()


def degraded(target: SimulatedTarget) -> Condition:
    return next(condition for condition in target.status.conditions if condition.type == "Degraded")


def test_a_document_that_serves_stays(baking: SimulatedTarget) -> None:
    written = len(baking.written)

    baking.run(5)

    assert len(baking.written) == written


def test_validity_is_renewed_when_less_than_half_is_left(baking: SimulatedTarget) -> None:
    baking.ask(mode=Mode.PAUSED)
    first = baking.written[-1].document

    baking.run(100)

    renewed = [write.document for write in baking.written if write.document.revision > first.revision]
    assert 2 <= len(renewed) <= 4
    assert all(not write.force for write in baking.written)
    assert baking.status.flags is not None
    assert baking.status.flags.share_revision == first.revision
    assert baking.status.flags.revision == renewed[-1].revision
    assert baking.status.flags.valid_until == renewed[-1].valid_until


def test_a_validity_far_beyond_valid_for_is_shortened(baking: SimulatedTarget) -> None:
    baking.ask(valid_for=timedelta(seconds=20))

    baking.tick(1)

    assert baking.document is not None
    assert baking.document.valid_until is not None
    assert baking.document.valid_until <= baking.now + timedelta(seconds=20)


def test_at_0_percent_both_switches_are_off(baking: SimulatedTarget) -> None:
    baking.arms = BAD
    baking.tick(1)

    assert baking.document is not None
    assert baking.document.feature_flags == FeatureFlags()
    assert baking.document.valid_until is None


def test_a_mangled_document_is_written_anew_and_said_so(baking: SimulatedTarget) -> None:
    revision = baking.written[-1].document.revision
    baking.put(None, error="sha256 does not match its content")

    decision = baking.tick(1)

    assert (baking.percent, baking.written[-1].document.revision) == (25, revision + 1)
    assert [record.reason for record in decision.records] == ["FlagsRepaired"]
    assert decision.records[0].revision == revision + 1
    assert (degraded(baking).status, degraded(baking).reason) == ("True", "FlagsRepaired")
    baking.tick(1)
    assert degraded(baking).status == "False"


def test_a_mangled_document_that_cannot_be_mended_leaves_one_record(baking: SimulatedTarget) -> None:
    # Given a document that cannot be read, and an API server that refuses to have it written anew
    baking.put(None, error="not JSON")
    baking.flags_refused = True
    records = [baking.tick(1).records for _ in range(5)]
    assert all([record.reason for record in each] == ["FlagsRepaired"] for each in records)
    assert "FlagsRepaired" not in [entry.reason for entry in baking.status.history]

    # When it takes it, then that is told once
    baking.flags_refused = False
    baking.run(5)
    assert [entry.reason for entry in baking.status.history].count("FlagsRepaired") == 1


def test_the_revision_of_what_sidecars_remember_is_surpassed(target: SimulatedTarget) -> None:
    for sidecar in target.sidecars.values():
        sidecar.document = foreign(0, 57)

    target.run(3)

    assert target.written[0].document.revision == 58
    assert target.status.summary.replicas == "3/3"


def test_a_revert_surpasses_the_revision_that_the_status_alone_remembers(baking: SimulatedTarget) -> None:
    # Given a document that cannot be read, and sidecars that cannot be asked
    revision = baking.written[-1].document.revision
    baking.put(None, error="not JSON")
    baking.pods_missing = Missing("PodsUnavailable", "GET pods: 500")

    # When the share is taken back, then no sidecar that follows the last good one ignores it
    baking.arms = BAD
    baking.tick(1)
    assert (baking.written[-1].document.percentage, baking.written[-1].document.revision) == (0, revision + 1)


def test_an_older_document_of_the_same_share_is_not_taken_for_the_one_in_force(baking: SimulatedTarget) -> None:
    # Given a ConfigMap that somebody has set back to what it was, which no sidecar follows any more
    baking.ask(mode=Mode.PAUSED)
    before = baking.document
    baking.run(60)
    renewed = baking.written[-1].document
    assert before is not None
    assert before.revision < renewed.revision
    baking.put(before.model_copy(update={"valid_until": renewed.valid_until}).sealed())

    # When it is seen, then the share is written anew above both
    baking.tick(1)
    assert (baking.written[-1].document.percentage, baking.written[-1].document.revision) == (25, renewed.revision + 1)


def test_another_document_of_the_same_share_is_to_be_confirmed_anew(baking: SimulatedTarget) -> None:
    baking.ask(features=Features(cache=Toggle.DISABLED))

    baking.tick(1)

    assert baking.status.flags is not None
    assert (baking.status.flags.percent, baking.status.flags.share_revision) == (25, baking.written[-1].document.revision)


def test_a_mangled_document_is_mended_where_nothing_is_in_force_either(baking: SimulatedTarget) -> None:
    # Given a rollout that went back, and somebody who mangles the document that says 0 %
    baking.ask(mode=Mode.ROLLBACK)
    baking.run(20)
    assert baking.status.phase is Phase.REVERTED
    revision = baking.written[-1].document.revision
    baking.put(None, error="not JSON")

    # When it is seen, then sidecars that start now are told the same as those that know it
    baking.tick(1)
    assert (baking.written[-1].document.percentage, baking.written[-1].document.revision) == (0, revision + 1)


def test_an_absurd_revision_reported_by_a_sidecar_is_not_believed(target: SimulatedTarget) -> None:
    target.sidecars["gw-0"].document = foreign(0, 2**53 - 1)

    target.tick(1)

    assert target.written[0].document.revision == 1


def test_exhausted_revisions_are_said_and_do_not_crash(target: SimulatedTarget) -> None:
    target.put(foreign(0, 2**53 - 1))

    target.tick(1)

    assert (degraded(target).status, degraded(target).reason) == ("True", "RevisionsExhausted")


def test_starting_over_the_document_of_a_rollout_that_has_ended(target: SimulatedTarget) -> None:
    target.put(foreign(100, 41))
    target.deliver()

    target.run_to(5)

    assert (target.written[0].document.revision, target.percent) == (42, 5)


def test_starting_over_a_higher_share_the_status_comes_first_all_the_same(target: SimulatedTarget) -> None:
    target.put(foreign(100, 41))

    status, flags = target.tick(1).actions

    assert isinstance(status, WriteStatus)
    assert isinstance(flags, WriteFlags)
    assert (flags.force, flags.document.percentage) == (True, 5)


def test_one_of_an_earlier_rollout_of_the_same_name_is_foreign_too(target: SimulatedTarget) -> None:
    target.put(foreign(50, 41, rollout="shop/gateway"))

    target.run_to(5)

    assert target.written[0].document.salt == "uid-1"


def test_while_a_rival_holds_the_target_nothing_is_written(target: SimulatedTarget) -> None:
    target.put(foreign(25, 41))
    target.rival = "shop/other"

    target.run(10)

    assert (target.written, target.status.reason) == ([], "TargetTaken")
    assert "shop/other" in target.status.message


def test_a_later_document_of_someone_else_ends_the_rollout(baking: SimulatedTarget) -> None:
    baking.put(foreign(90, 99))

    baking.tick(1)

    assert (baking.percent, baking.status.reason) == (0, "FlagsTakenOver")
    assert baking.written[-1].document.revision == 100


def test_an_older_document_of_someone_else_is_replaced_unless_a_rival_holds_the_target(baking: SimulatedTarget) -> None:
    written = len(baking.written)
    baking.put(foreign(10, 1))
    baking.rival = "shop/other"
    baking.run(5)
    assert (len(baking.written), degraded(baking).reason) == (written, "FlagsNotInForce")

    baking.rival = ""
    baking.run(1)
    assert (baking.percent, baking.document and baking.document.salt) == (25, "uid-1")


def test_it_yields_to_a_rival_that_has_written_later(baking: SimulatedTarget) -> None:
    written = len(baking.written)
    baking.rival = "shop/other"
    baking.put(foreign(90, 99))

    baking.run(10)

    assert (len(baking.written), baking.percent, baking.status.phase) == (written, 90, Phase.REVERTED)


@pytest.mark.parametrize("end", ["reverted", "completed", "completed, then rolled back"])
def test_a_rollout_at_rest_never_writes_over_another_document(target: SimulatedTarget, end: str) -> None:
    target.run_to(100)
    if end == "reverted":
        target.arms = BAD
    target.run(80)
    target.put(foreign(50, 999))
    if end == "completed, then rolled back":
        target.ask(mode=Mode.ROLLBACK)
    written = len(target.written)

    target.run(20)

    assert (len(target.written), target.percent) == (written, 50)
    assert target.status.phase is (Phase.COMPLETED if end == "completed" else Phase.REVERTED)


def test_a_rollout_at_rest_keeps_its_own_document_right(baking: SimulatedTarget) -> None:
    baking.arms = BAD
    baking.run(3)
    assert baking.document is not None
    up = FeatureFlags(rust_opa_enabled=True, rust_cache_enabled=True, rollout_percentage=50)
    baking.put(baking.document.model_copy(update={"feature_flags": up, "revision": 70}).sealed())

    baking.tick(1)

    assert (baking.percent, baking.written[-1].document.revision, baking.written[-1].force) == (0, 71, True)


def test_an_older_document_of_ours_is_written_anew(baking: SimulatedTarget) -> None:
    latest = baking.written[-1].document
    baking.put(baking.written[0].document)

    baking.tick(1)

    assert (baking.percent, baking.written[-1].document.revision) == (25, latest.revision + 1)


def test_a_config_map_that_is_gone_freezes_and_is_not_made_again(baking: SimulatedTarget) -> None:
    written = len(baking.written)
    baking.lose_config_map()
    baking.run(30)
    assert (len(baking.written), baking.status.phase) == (written, Phase.PROGRESSING)
    assert baking.status.reason == degraded(baking).reason == "FlagsConfigMapMissing"

    baking.put(None)
    baking.tick(1)
    assert (baking.percent, baking.written[-1].document.revision) == (25, baking.written[written - 1].document.revision + 1)


def test_a_revert_makes_the_config_map_again(baking: SimulatedTarget) -> None:
    baking.lose_config_map()
    baking.arms = BAD

    baking.tick(1)
    assert (baking.percent, baking.written[-1].resource_version) == (0, "")

    baking.run(2)
    assert baking.status.phase is Phase.REVERTED


def test_a_write_carries_the_version_it_was_decided_on(baking: SimulatedTarget) -> None:
    baking.arms = BAD
    seen = baking.flags

    decision = baking.decide()

    write = decision.actions[0]
    assert isinstance(write, WriteFlags)
    assert not hasattr(seen, "reason")
    assert write.resource_version == getattr(seen, "resource_version", None)
