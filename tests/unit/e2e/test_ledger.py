"""The books of a rollout: what an honest one shows, and that each broken promise is seen in them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from sark_api.evidence import canonical, to_record, to_text
from sark_api.names import ARM_BASELINE, ARM_NEW
from sark_api.status import Phase, SarkRolloutStatus, Verdict
from sark_e2e.ledger import Account, State
from sark_e2e.simulated_target import SimulatedTarget, arm


def kept(target: SimulatedTarget, done: Callable[[SimulatedTarget], bool]) -> Account:
    """Return the account of a target that ticks each second until `done`."""
    account = Account(target.identity.key, target.identity.uid)
    while not done(target):
        target.tick(1)
        account.store(target.spec, target.status, follows=True)
    account.documents = [write.document for write in target.written]
    account.in_force = target.document
    account.records = {number: {text} for number, text in target.filed.items()}
    return account


@pytest.fixture
def completed() -> Account:
    return kept(SimulatedTarget(), lambda target: target.status.phase is Phase.COMPLETED)


@pytest.fixture
def reverted() -> Account:
    target = SimulatedTarget()
    target.run_to(5)
    target.run(12)
    target.arms = {ARM_NEW: arm(1000, 400), ARM_BASELINE: arm()}
    return kept(target, lambda target: target.status.phase is Phase.REVERTED)


def place(account: Account, reason: str) -> int:
    """Return the position of the state that was stored with `reason`."""
    return next(i for i, state in enumerate(account.states) if state.status.history[-1:] and _last(state) == reason)


def _last(state: State) -> str:
    return state.status.history[-1].reason


def change(account: Account, at: int, **members: Any) -> None:
    """Change the status of one state."""
    state = account.states[at]
    account.states[at] = replace(state, status=state.status.model_copy(update=members))


def test_an_honest_rollout_broke_no_promise(completed: Account, reverted: Account):
    assert completed.broken() == []
    assert reverted.broken() == []
    assert len(completed.documents) > 4
    assert len(completed.records) > 4
    assert Account("shop/fresh", "uid-2").broken() == []


@pytest.mark.parametrize("reason", ["Advanced", "Completed"])
def test_a_step_that_was_left_unproven_is_seen(completed: Account, reason: str):
    at = place(completed, reason)
    bake = completed.states[at - 1].status.bake
    assert bake is not None
    change(completed, at - 1, bake=bake.model_copy(update={"proven_milliseconds": 0}))
    assert any("unproven" in problem for problem in completed.broken())

    # And where states are missing between, nothing can be said
    completed.states[at] = replace(completed.states[at], follows=False)
    assert completed.broken() == []


def test_a_step_that_was_left_unconfirmed_is_seen(completed: Account):
    at = place(completed, "Advanced")
    change(completed, at - 1, convergence=None)
    assert any("unconfirmed" in problem for problem in completed.broken())


def test_a_step_that_was_left_on_a_criterion_that_did_not_pass_is_seen(completed: Account):
    number, texts = next(
        (number, texts) for number, texts in completed.records.items() if to_record(next(iter(texts))).reason == "Advanced"
    )
    record = to_record(texts.pop())
    worse = [each.model_copy(update={"verdict": Verdict.UNKNOWN}) for each in record.criteria]
    texts.add(to_text(record.model_copy(update={"criteria": worse})))
    assert any(f"record {number}, Advanced to 10%, rests on" in problem for problem in completed.broken())


def test_a_record_that_is_lost_changed_or_doubled_is_seen(completed: Account):
    last = completed.states[-1].status
    history = list(last.history)

    change(completed, -1, history=history[1:])
    assert any("a record is lost" in problem for problem in completed.broken())

    change(completed, -1, history=[*history, history[-1]])
    assert any("a record is doubled" in problem for problem in completed.broken())

    again = history[1].model_copy(update={"time": history[1].time + timedelta(seconds=1)})
    change(completed, -1, history=[*history[:2], again, *history[2:]])
    assert any("was reached twice" in problem for problem in completed.broken())

    change(completed, -1, history=history, ledger=last.ledger.model_copy(update={"records": last.ledger.records + 1}))
    assert any("decisions, and" in problem for problem in completed.broken())
    change(completed, -1, ledger=last.ledger)

    lost = completed.records.pop(2)
    assert any("record 2 is missing" in problem for problem in completed.broken())
    completed.records[2] = {*lost, canonical({"number": 2})}
    assert any("record 2 was changed" in problem for problem in completed.broken())


def test_a_revision_used_twice_is_seen(completed: Account):
    completed.documents.append(completed.documents[-1])
    assert any("follows" in problem for problem in completed.broken())


def test_more_in_force_than_the_status_allows_is_seen(reverted: Account):
    document = reverted.documents[0]
    reverted.in_force = document
    assert document.percentage > 0
    assert any("it is Reverted, and the flags ask for" in problem for problem in reverted.broken())


def test_a_share_that_outlives_its_rollout_is_seen_unless_the_user_keeps_it(completed: Account):
    completed.gone = True
    assert any("it is deleted, and the flags ask for 100%" in problem for problem in completed.broken())

    assert completed.spec is not None
    keep = completed.spec.rollback.model_copy(update={"on_delete": "Keep"})
    completed.spec = completed.spec.model_copy(update={"rollback": keep})
    assert completed.broken() == []


def test_a_rollout_nobody_has_looked_at_has_nothing_to_show():
    assert Account("shop/fresh", "uid-2", states=[State(SarkRolloutStatus())]).broken() == []
