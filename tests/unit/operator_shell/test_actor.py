"""Acting: writes in their order, and nothing told that did not happen."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from sark_api.flags import FeatureFlags, FlagDocument
from sark_api.status import HistoryEntry, Ledger, Phase, SarkRolloutStatus
from sark_operator.core.decision import Action, Decision, ReleaseFinalizer, WriteFlags, WriteStatus
from sark_operator.shell.actor import Actor
from sark_operator.shell.api import (
    ClusterError,
    NotLeadingError,
    RefusedError,
    RolloutObject,
    StaleVersionError,
    UnavailableError,
)

pytestmark = pytest.mark.asyncio

NOW = datetime(2026, 1, 1, tzinfo=UTC)
FLAGS = WriteFlags(
    FlagDocument(feature_flags=FeatureFlags(), salt="u1", rollout="shop/gateway", revision=2), resource_version="5", force=True
)
ENTRY = HistoryEntry(
    time=NOW, actor="operator", reason="CriterionBreached", from_percent=50, to_percent=0, revision=2, message="Reverted"
)


def rollout(
    version: str = "1", *, uid: str = "u1", status: Mapping[str, object] | None = None, mode: str = "Auto"
) -> RolloutObject:
    metadata = {"namespace": "shop", "name": "gateway", "uid": uid, "resourceVersion": version}
    return RolloutObject({"metadata": metadata, "spec": {"mode": mode}, "status": dict(status or {"phase": "Progressing"})})


class RecordingCluster:
    """Stands for the API server: notes every write, and refuses those on a version that is not its own."""

    def __init__(self, present: RolloutObject) -> None:
        self.present = present
        self.done: list[str] = []
        self.flags_error: ClusterError | None = None

    async def write_flags(self, namespace: str, name: str, _write: WriteFlags) -> str:
        if self.flags_error is not None:
            raise self.flags_error
        self.done.append(f"flags {namespace}/{name}")
        return "6"

    async def write_status(self, rollout: RolloutObject, status: Mapping[str, object]) -> RolloutObject:
        if rollout.resource_version != self.present.resource_version:
            raise StaleVersionError("status")
        self.done.append(f"status {status['phase']} on {rollout.raw['spec']['mode']}")
        return rollout

    async def read_rollout(self, _namespace: str, _name: str) -> RolloutObject:
        return self.present

    async def remove_finalizer(self, _rollout: RolloutObject) -> None:
        self.done.append("released")


class Cabinet:
    """Stands for the filer."""

    def __init__(self, done: list[str]) -> None:
        self.done = done

    async def file(self, _rollout: RolloutObject, ledger: Ledger) -> None:
        self.done.append(f"filed {len(ledger.unfiled)}")


class Told:
    """Stands for the recorder."""

    def __init__(self) -> None:
        self.entries: list[str] = []

    async def record(self, _rollout: RolloutObject, entries: Sequence[HistoryEntry]) -> None:
        self.entries += [entry.reason for entry in entries]


def decision(*actions: Action, ledger: Ledger = Ledger()) -> Decision:  # noqa: B008 - it is immutable
    return Decision(SarkRolloutStatus(phase=Phase.REVERTING, ledger=ledger), actions, (ENTRY,), NOW)


async def act(
    cluster: RecordingCluster,
    seen: RolloutObject,
    *actions: Action,
    ledger: Ledger = Ledger(),  # noqa: B008 - it is immutable
) -> list[str]:
    told = Told()
    recorder: Any = told
    stand_in: Any = cluster
    filer: Any = Cabinet(cluster.done)
    try:
        await Actor(stand_in, recorder, filer).act(seen, "gateway-flags", decision(*actions, ledger=ledger))
    except (StaleVersionError, RefusedError) as error:
        told.entries.append(f"stale {error}")
    return told.entries


async def test_writes_happen_in_the_order_of_the_decision():
    cluster = RecordingCluster(rollout())
    assert await act(cluster, rollout(), FLAGS, WriteStatus(), ReleaseFinalizer()) == ["CriterionBreached"]
    assert cluster.done == ["flags shop/gateway-flags", "status Reverting on Auto", "released"]


async def test_evidence_is_filed_last_but_before_the_object_may_go():
    waiting = Ledger(records=1, head="0" * 64, unfiled=["{}"])
    cluster = RecordingCluster(rollout())
    await act(cluster, rollout(), FLAGS, WriteStatus(), ledger=waiting)
    assert cluster.done == ["flags shop/gateway-flags", "status Reverting on Auto", "filed 1"]

    cluster = RecordingCluster(rollout())
    await act(cluster, rollout(), WriteStatus(), ReleaseFinalizer(), ledger=waiting)
    assert cluster.done == ["status Reverting on Auto", "filed 1", "released"]


async def test_evidence_of_a_status_that_was_not_stored_is_not_filed():
    waiting = Ledger(records=1, head="0" * 64, unfiled=["{}"])
    cluster = RecordingCluster(rollout("2", status={"phase": "Reverted"}))
    assert await act(cluster, rollout("1"), WriteStatus(), ledger=waiting) == ["stale status"]
    assert cluster.done == []


@pytest.mark.parametrize("error", [StaleVersionError("flags"), RefusedError("flags")], ids=["changed", "refused"])
async def test_a_revert_is_stored_though_its_flags_cannot_be_written(error: ClusterError):
    # Given an API server that stores statuses and refuses the flags
    cluster = RecordingCluster(rollout())
    cluster.flags_error = error

    # When a revert begins, then it is known for good, the object stays, and the tick has failed all the same
    assert await act(cluster, rollout(), FLAGS, WriteStatus(), ReleaseFinalizer()) == ["CriterionBreached", "stale flags"]
    assert cluster.done == ["status Reverting on Auto"]


async def test_a_revert_whose_flags_cannot_be_written_is_decided_anew_where_the_spec_was_edited():
    cluster = RecordingCluster(rollout("2", mode="Paused"))
    cluster.flags_error = RefusedError("flags")
    assert await act(cluster, rollout("1"), FLAGS, WriteStatus()) == ["stale status"]
    assert cluster.done == []


RAISED = replace(FLAGS, document=FLAGS.document.model_copy(update={"feature_flags": FeatureFlags(rollout_percentage=5)}))


@pytest.mark.parametrize(
    ("actions", "done"),
    [
        pytest.param((FLAGS, WriteStatus()), ["flags shop/gateway-flags"], id="the baseline, and no status"),
        pytest.param((RAISED,), [], id="another share"),
        pytest.param((replace(FLAGS, force=False),), [], id="the baseline, in passing"),
        pytest.param((WriteStatus(), FLAGS), [], id="what is not done first"),
        pytest.param((), [], id="nothing"),
    ],
)
async def test_where_no_status_can_be_stored_only_a_share_is_taken_back(actions: tuple[Action, ...], done: list[str]):
    cluster = RecordingCluster(rollout())
    parts: dict[str, Any] = {"cluster": cluster, "recorder": Told(), "filer": Cabinet(cluster.done)}

    await Actor(**parts).take_back(rollout(), "gateway-flags", decision(*actions))

    assert cluster.done == done


async def test_a_refused_write_of_a_revert_that_is_known_ends_it_and_nothing_is_told():
    known = rollout(status={"phase": "Reverting"})
    cluster = RecordingCluster(known)
    cluster.flags_error = RefusedError("flags")
    assert await act(cluster, known, FLAGS, WriteStatus()) == ["stale flags"]
    assert cluster.done == []


async def test_a_process_that_does_not_lead_stores_no_revert():
    cluster = RecordingCluster(rollout())
    cluster.flags_error = NotLeadingError("lost")
    with pytest.raises(NotLeadingError):
        await act(cluster, rollout(), FLAGS, WriteStatus())
    assert cluster.done == []


async def test_a_share_is_not_raised_on_a_spec_that_was_edited():
    cluster = RecordingCluster(rollout("2", mode="Paused"))
    assert await act(cluster, rollout("1"), WriteStatus(), FLAGS) == ["stale status"]
    assert cluster.done == []


async def test_a_revert_that_is_in_force_keeps_its_reason_though_the_spec_was_edited():
    # Given a user who edits the spec while the baseline is being written
    cluster = RecordingCluster(rollout("2", mode="Paused"))

    # When the status that says why is refused, then it is stored on the edited object
    assert await act(cluster, rollout("1"), FLAGS, WriteStatus()) == ["CriterionBreached"]
    assert cluster.done == ["flags shop/gateway-flags", "status Reverting on Paused"]


@pytest.mark.parametrize(
    "present", [rollout("2", status={"phase": "Reverted"}), rollout("2", uid="u2")], ids=["another status", "another object"]
)
async def test_somebody_elses_status_is_not_overwritten(present: RolloutObject):
    cluster = RecordingCluster(present)
    assert await act(cluster, rollout("1"), FLAGS, WriteStatus()) == ["stale status"]
    assert cluster.done == ["flags shop/gateway-flags"]


@pytest.mark.parametrize("arrived", [True, False])
async def test_a_transition_whose_status_was_stored_without_an_answer_is_told_in_the_next_tick(arrived: bool):
    # Given a write of the status whose answer is lost
    cluster, told = RecordingCluster(rollout()), Told()
    parts: dict[str, Any] = {"cluster": cluster, "recorder": told, "filer": Cabinet(cluster.done)}
    subject, made = Actor(**parts), decision(WriteStatus())
    write = cluster.write_status

    async def lose(rollout: RolloutObject, status: Mapping[str, object]) -> RolloutObject:
        await write(rollout, status)
        raise UnavailableError("no answer within 5 s")

    cluster.write_status = lose  # type: ignore[method-assign]
    with pytest.raises(UnavailableError):
        await subject.act(rollout(), "gateway-flags", made)
    assert told.entries == []

    # When the next tick reads the rollout, then it is told if it is there, and once
    history = [ENTRY.model_dump(mode="json", by_alias=True)] if arrived else []
    read = rollout(status={"phase": "Reverting", "history": history})
    for _ in range(2):
        await subject.act(read, "gateway-flags", replace(made, records=(), actions=()))
    assert told.entries == ["CriterionBreached"] * arrived


@pytest.mark.parametrize(
    "loss", [UnavailableError("no answer within 5 s"), asyncio.CancelledError()], ids=["no answer", "cancelled"]
)
async def test_a_transition_that_was_stored_is_told_though_the_next_write_loses_its_answer_too(loss: BaseException):
    # Given a status with a transition that is stored without an answer, and the next one, which tells nothing
    cluster, told = RecordingCluster(rollout()), Told()
    parts: dict[str, Any] = {"cluster": cluster, "recorder": told, "filer": Cabinet(cluster.done)}
    subject, made = Actor(**parts), decision(WriteStatus())

    async def lose(_rollout: RolloutObject, _status: Mapping[str, object]) -> RolloutObject:
        raise loss

    cluster.write_status = lose  # type: ignore[method-assign]
    read = rollout(status={"phase": "Reverting", "history": [ENTRY.model_dump(mode="json", by_alias=True)]})
    for seen, tells in ((rollout(), made), (read, replace(made, records=()))):
        with pytest.raises(type(loss)):
            await subject.act(seen, "gateway-flags", tells)

    # When a tick comes to its end, then the transition is told, and once
    for _ in range(2):
        await subject.act(read, "gateway-flags", replace(made, records=(), actions=()))
    assert told.entries == ["CriterionBreached"]
