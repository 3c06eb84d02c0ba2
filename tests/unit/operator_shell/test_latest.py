"""A status of which only an outline is read until there is something to decide."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from sark_api.status import Leader, Phase, SarkRolloutStatus
from sark_e2e.simulated_target import SimulatedTarget
from sark_operator.core.lifecycle import is_terminal, wanted_percent
from sark_operator.core.tripwire import Tripwire
from sark_operator.shell.api import RolloutObject, UnreadableError
from sark_operator.shell.latest import TOLD, Latest

METADATA = {"namespace": "shop", "name": "gateway", "uid": "uid-1", "resourceVersion": "7"}


def latest_of(status: SarkRolloutStatus) -> Latest:
    text = msgspec.json.encode(status.to_wire())
    return Latest.of(text, lambda: SarkRolloutStatus.model_validate_json(text))


@pytest.fixture
def target() -> SimulatedTarget:
    """One that bakes at 25 %."""
    found = SimulatedTarget()
    found.run_to(25)
    found.run(3)
    return found


@pytest.mark.parametrize("phase", Phase)
def test_by_the_outline_is_observed_as_by_the_whole_status(target: SimulatedTarget, phase: Phase) -> None:
    # Given a status, and its outline
    changed: dict[str, Any] = {"phase": phase, "completed_at": target.now if phase is Phase.COMPLETED else None}
    status = target.status.model_copy(update=changed)
    outline = latest_of(status).outline

    # Then all that is asked of it before anything has been seen is answered alike
    for now in (target.now, target.now + timedelta(days=7)):
        wires = [Tripwire.of("uid-1", "shop/gateway", target.spec, each, now) for each in (outline, status)]
        assert wires[0] == wires[1]
        assert is_terminal(target.spec, outline, now) == is_terminal(target.spec, status, now)
    assert wanted_percent(outline) == wanted_percent(status)
    for name in ("flags", "counted_until", "started_at", "leader", "phase", "notified"):
        assert getattr(outline, name) == getattr(status, name)


def test_the_outline_tells_nothing_and_the_whole_status_is_what_was_written(target: SimulatedTarget) -> None:
    latest = latest_of(target.status)
    assert target.status.criteria
    assert target.status.conditions
    empty = SarkRolloutStatus()
    assert {name: getattr(latest.outline, name) for name in TOLD} == {name: getattr(empty, name) for name in TOLD}
    assert latest.whole() == target.status


def test_what_is_known_better_is_in_both(target: SimulatedTarget) -> None:
    mine = Leader(identity="me", lease="lease-1", term=4)
    latest = latest_of(target.status).but(leader=mine).but(retries=2)
    assert latest.outline.leader == mine
    assert latest.whole() == target.status.model_copy(update={"leader": mine, "retries": 2})


def test_a_rollout_that_waits_has_not_read_its_status(target: SimulatedTarget) -> None:
    rollout = RolloutObject.from_json(msgspec.json.encode({"metadata": METADATA, "status": target.status.to_wire()}))
    latest = rollout.latest()
    assert rollout._status == []
    assert latest.whole() == target.status
    assert latest.whole() is rollout.status()
    assert RolloutObject({"metadata": METADATA}).latest().whole() == SarkRolloutStatus()


@pytest.mark.parametrize(
    "status",
    [{"phase": "Progressing", "criteria": ["no criterion"]}, {"phase": "Sideways"}, "no object", [1]],
    ids=["what it tells", "the outline", "a text", "a list"],
)
@pytest.mark.parametrize("known_better", [False, True])
def test_a_status_that_cannot_be_read_is_said(status: object, known_better: bool) -> None:
    rollout = RolloutObject.from_json(msgspec.json.encode({"metadata": METADATA, "status": status}))
    with pytest.raises(UnreadableError, match="status"):
        (rollout.latest().but(retries=1) if known_better else rollout.latest()).whole()
