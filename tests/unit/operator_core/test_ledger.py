"""The chain of evidence that decisions leave: a record for each, none twice, and no advance while one is not filed."""

from __future__ import annotations

from datetime import timedelta

import pytest

from sark_api.evidence import MAX_RECORD_BYTES, canonical, digest, to_record, verify
from sark_api.names import ARM_BASELINE, ARM_NEW
from sark_api.spec import CustomCriterion, Mode
from sark_api.status import ConditionStatus, Ledger, LedgerSegment, Phase, SarkRolloutStatus
from sark_e2e.decided import decided
from sark_e2e.simulated_target import SimulatedTarget, arm
from sark_operator.core.ledger import MAX_SEGMENTS, MAX_UNFILED, settled
from sark_operator.core.observation import Filing


def broken(target: SimulatedTarget) -> str:
    """Return where the chain of the target breaks, or nothing."""
    found = verify(target.identity.uid, target.status.ledger, target.filed.items())
    return found.message if found else ""


def waiting(ledger: Ledger, count: int) -> Ledger:
    """Return the ledger with `count` more decisions that wait."""
    return decided(ledger, count, rollout="shop/gateway", uid="uid-1")


def test_every_transition_has_its_record_with_the_numbers_it_rests_on(completed: SimulatedTarget) -> None:
    # Given a rollout that has gone through all its steps
    history = completed.status.history

    # Then every entry of the history is a record of the chain, in the same words
    assert broken(completed) == ""
    assert [entry.number for entry in history] == list(range(1, len(history) + 1))
    assert completed.status.ledger.records == len(history) == len(completed.filed)
    for entry in history:
        record = to_record(completed.filed[entry.number])
        assert (record.reason, record.message, record.time) == (entry.reason, entry.message, entry.time)

    # And the record says by which numbers, questions and limits it was decided
    advanced = to_record(completed.filed[2])
    assert advanced.reason == "Advanced"
    assert advanced.spec_sha256 == digest(canonical(completed.spec.to_wire()))
    assert (advanced.window_seconds, advanced.counting_window_seconds) == (10, 1)
    assert (advanced.operator_version, advanced.policy_revision) == ("0.1.0", "policy-1")
    error_rate = next(each for each in advanced.criteria if each.name == "errorRate")
    assert (error_rate.value, error_rate.limit, error_rate.samples, error_rate.min_samples) == ("0.0%", "1.0%", 1000, 100)
    assert error_rate.evidence_needed.endswith(" to 1")


def test_what_is_filed_leaves_the_status(baking: SimulatedTarget) -> None:
    assert baking.status.ledger.records > 1
    assert baking.status.ledger.unfiled == []
    assert baking.status.ledger.segments == [LedgerSegment(index=1, first=1)]


def test_an_operator_that_died_before_filing_is_followed_by_one_that_files_the_same_text(baking: SimulatedTarget) -> None:
    # Given a revert whose operator died right after the status was stored
    baking.ask(mode=Mode.ROLLBACK)
    decided = baking.decide().status.ledger.unfiled
    baking.tick(0, die_after=2)
    assert (number := baking.status.ledger.records) not in baking.filed

    # When the next one looks, then it files that very record, and goes on behind it
    baking.run(5)
    assert [baking.filed[number]] == decided
    assert baking.status.ledger.unfiled == []
    assert broken(baking) == ""


def test_a_flag_write_without_a_status_is_recorded_once(baking: SimulatedTarget) -> None:
    # Given a revert whose operator died after the flags were written: nothing knows of it but the document
    before = baking.status.ledger.records
    baking.ask(mode=Mode.ROLLBACK)
    baking.tick(0, die_after=1)
    assert (baking.percent, baking.status.ledger.records) == (0, before)

    # When the next one looks, then the revert is recorded once, behind the edit that it cannot know for its cause
    baking.run(5)
    reverts = [to_record(text) for number, text in baking.filed.items() if number > before]
    assert [record.reason for record in reverts] == ["SpecEdited", "RevertAdopted", "BaselineRestored"]
    assert broken(baking) == ""


def test_nothing_advances_while_a_record_is_not_filed(target: SimulatedTarget) -> None:
    # Given ConfigMaps that cannot be written
    target.filing_fails = "create ConfigMap shop/gateway-evidence: forbidden (HTTP 403)"
    target.run(90)

    # Then the first step began, and the second waits, saying why
    assert [entry.reason for entry in target.status.history] == ["Started"]
    assert target.status.reason == "EvidenceNotFiled"
    assert "1 evidence records" in target.status.message
    assert "forbidden" in target.status.message
    degraded = next(condition for condition in target.status.conditions if condition.type == "Degraded")
    assert (degraded.status, degraded.reason) == (ConditionStatus.TRUE, "EvidenceNotFiled")

    # And when they can, it goes on, and the chain holds
    target.filing_fails = ""
    target.run(20)
    assert target.status.history[-1].reason == "Advanced"
    assert broken(target) == ""


def test_a_revert_does_not_wait_for_a_record(baking: SimulatedTarget) -> None:
    baking.filing_fails = "etcd is full"
    baking.arms = {ARM_NEW: arm(1000, 300), ARM_BASELINE: arm()}
    baking.tick(1)
    assert baking.status.phase is Phase.REVERTING
    assert baking.percent == 0


def test_a_new_attempt_goes_on_in_the_same_chain(baking: SimulatedTarget) -> None:
    baking.ask(mode=Mode.ROLLBACK)
    baking.run(5)
    before = baking.status.ledger.records
    baking.ask(mode=Mode.AUTO, attempt=2)
    baking.run(20)
    assert baking.status.ledger.records > before + 1
    assert broken(baking) == ""
    assert to_record(baking.filed[before + 1]).attempt == 2


def test_a_status_that_cannot_file_stays_small_and_the_gap_is_seen(baking: SimulatedTarget) -> None:
    # Given ConfigMaps that cannot be written, and a user who pauses and resumes again and again
    baking.filing_fails = "forbidden"
    for turn in range(MAX_UNFILED + 8):
        baking.ask(mode=Mode.AUTO if turn % 2 else Mode.PAUSED)
        baking.tick(1)

    # Then the status holds a bounded number, most of them without criteria
    unfiled = baking.status.ledger.unfiled
    assert len(unfiled) == MAX_UNFILED
    assert to_record(unfiled[-1]).shortened
    assert sum(map(len, baking.status.to_wire()["ledger"]["unfiled"])) < 600_000  # type: ignore[index]

    # And when they can be written, the check says which are missing
    baking.filing_fails = ""
    baking.run(3)
    assert "is missing" in broken(baking)
    assert baking.status.ledger.unfiled == []


def test_a_record_of_any_length_is_cut_to_what_a_config_map_takes(baking: SimulatedTarget) -> None:
    custom = [CustomCriterion(name=f"c{n}", query="x" * 4096, max="1") for n in range(8)]
    baking.spec = baking.spec.model_copy(update={"criteria": baking.spec.criteria.model_copy(update={"custom": custom})})
    long = [each.model_copy(update={"query": "\U0001f600" * 2048}) for each in baking.status.criteria]
    baking.status = baking.status.model_copy(update={"criteria": long * 2})
    baking.ask(mode=Mode.PAUSED)
    text = baking.decide().status.ledger.unfiled[-1]
    assert len(text.encode()) <= MAX_RECORD_BYTES


def test_only_so_many_config_maps_are_kept(target: SimulatedTarget) -> None:
    segments = tuple(LedgerSegment(index=index, first=10 * index - 9) for index in range(1, MAX_SEGMENTS + 1))
    ledger = waiting(Ledger(records=10 * MAX_SEGMENTS, segments=list(segments)), 1)
    target.status = target.status.model_copy(update={"ledger": ledger})
    newest = LedgerSegment(index=MAX_SEGMENTS + 1, first=10 * MAX_SEGMENTS + 1)
    target.filing = Filing(ledger.head, (segments[-1], newest))

    target.tick(1)

    kept = target.status.ledger
    assert len(kept.segments) == MAX_SEGMENTS
    assert kept.kept_from == 11

    # And a segment that was given up is not taken in again
    ledger = waiting(kept, 1)
    target.status = target.status.model_copy(update={"ledger": ledger})
    target.filing = Filing(ledger.head, (segments[0], newest))
    target.tick(1)
    assert target.status.ledger.unfiled == []
    assert target.status.ledger.kept_from == 11


ONE = LedgerSegment(index=1, first=1)


@pytest.mark.parametrize(("filed", "left"), [(0, 3), (1, 3), (2, 3), (3, 2), (4, 1), (5, 0)])
def test_a_filing_takes_off_what_it_knows_and_one_that_is_behind_nothing(filed: int, left: int) -> None:
    # Given five records, of which the first two have left the status, and an operator that has filed so many
    five = waiting(Ledger(), 5)
    ledger = five.model_copy(update={"unfiled": five.unfiled[2:]})
    last = digest(five.unfiled[filed - 1]) if filed else ""

    # Then those that it has filed leave the status, and the others wait
    assert settled(ledger, Filing(last, (ONE,))).unfiled == five.unfiled[5 - left :]


@pytest.mark.parametrize("filed", [1, 2, 3, 9])
def test_a_filing_of_other_records_with_the_same_numbers_takes_nothing_off(filed: int) -> None:
    # Given a status that was set back, and decided anew in other words what was filed from it before
    before = waiting(Ledger(), filed)
    ledger = decided(Ledger(), 3, rollout="shop/other", uid="uid-1")

    # Then its records wait, and the ConfigMaps of the others are not taken for theirs
    assert settled(ledger, Filing(before.head, (ONE,))) == ledger


def test_a_status_that_can_be_edited_into_anything_is_no_obstacle_to_the_tick(baking: SimulatedTarget) -> None:
    # Given a status of which someone has made nonsense, and a breach
    nonsense = baking.status.ledger.model_copy(update={"records": 0, "unfiled": ["", "{}", "no JSON"]})
    baking.status = baking.status.model_copy(update={"ledger": nonsense})
    baking.arms = {ARM_NEW: arm(1000, 300), ARM_BASELINE: arm()}

    # Then the share is taken back
    assert baking.decide().status.phase is Phase.REVERTING


def test_the_decision_is_the_same_whoever_makes_it(baking: SimulatedTarget) -> None:
    baking.now += timedelta(seconds=1)
    baking.ask(mode=Mode.ROLLBACK)
    assert baking.decide() == baking.decide()
    wire = SarkRolloutStatus.model_validate(baking.decide().status.to_wire())
    assert wire.ledger == baking.decide().status.ledger


@pytest.mark.parametrize("secret", ["user:password", "user"])
def test_credentials_of_an_address_are_not_in_the_record(target: SimulatedTarget, secret: str) -> None:
    prometheus = target.spec.prometheus.model_copy(update={"address": f"http://{secret}@prometheus:9090"})
    target.spec = target.spec.model_copy(update={"prometheus": prometheus})
    target.run(5)
    assert to_record(target.filed[1]).prometheus == "http://prometheus:9090"
