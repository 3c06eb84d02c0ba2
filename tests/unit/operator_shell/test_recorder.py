from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
import structlog
from structlog.testing import capture_logs

from sark_api.status import HistoryEntry
from sark_operator.shell.api import Cluster, EventNote, RolloutObject, UnavailableError
from sark_operator.shell.recorder import AGAIN_SECONDS, WARNING_SECONDS, Recorder
from sark_operator.shell.telemetry import Telemetry

pytestmark = pytest.mark.asyncio

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
ROLLOUT = RolloutObject({"metadata": {"namespace": "shop", "name": "gateway", "uid": "u1", "resourceVersion": "5"}})


class Board:
    """Stands for the cluster: events are pinned to it, unless it is broken."""

    def __init__(self) -> None:
        self.events: list[tuple[str, EventNote, datetime]] = []
        self.broken: Exception | None = None

    async def create_event(self, rollout: RolloutObject, note: EventNote, at: datetime) -> None:
        if self.broken is not None:
            raise self.broken
        self.events.append((rollout.key, note, at))


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> datetime:
        return NOW + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds


class Desk:
    """A recorder and everything it writes to."""

    def __init__(self, lines: list[MutableMapping[str, Any]]) -> None:
        self.lines = lines
        self.board, self.clock, self.telemetry = Board(), Clock(), Telemetry()
        self.recorder = Recorder(cast("Cluster", self.board), self.clock, self.telemetry)

    def count(self, name: str, **labels: str) -> float:
        return self.telemetry.registry.get_sample_value(f"sark_operator_{name}_total", labels) or 0.0


@pytest.fixture
def desk() -> Iterator[Desk]:
    structlog.reset_defaults()
    with capture_logs() as lines:
        yield Desk(lines)


def entry(reason: str, from_percent: int, to_percent: int) -> HistoryEntry:
    return HistoryEntry(
        time=NOW,
        actor="operator",
        reason=reason,
        from_percent=from_percent,
        to_percent=to_percent,
        revision=8,
        message=f"{reason} it is",
        policy_revision="p1",
        operator_version="0.1.0",
    )


@pytest.mark.parametrize(
    ("of", "action", "warning"),
    [
        (entry("Advanced", 5, 10), "RaiseShare", False),
        (entry("CriterionBreached", 25, 0), "LowerShare", True),
        (entry("PausedByUser", 25, 25), "Reconcile", False),
        (entry("FromTheFuture", 25, 25), "Reconcile", True),
    ],
)
async def test_a_transition_is_told_once_in_each_way(desk: Desk, of: HistoryEntry, action: str, warning: bool) -> None:
    desk.clock.seconds = 5.0
    await desk.recorder.record(ROLLOUT, [of])

    assert desk.board.events == [("shop/gateway", EventNote(of.reason, action, of.message, warning), NOW)]
    assert desk.count("transitions", sark_rollout="shop/gateway", reason=of.reason) == 1
    assert desk.count("events", outcome="posted") == 1
    assert desk.lines == [
        {
            "event": "transition",
            "log_level": "warning" if warning else "info",
            "rollout": "shop/gateway",
            "uid": "u1",
            "time": "2026-01-01T12:00:00.000Z",
            "actor": "operator",
            "reason": of.reason,
            "from_percent": of.from_percent,
            "to_percent": of.to_percent,
            "number": 0,
            "revision": 8,
            "message": of.message,
            "policy_revision": "p1",
            "operator_version": "0.1.0",
        }
    ]


async def test_transitions_are_told_in_their_order(desk: Desk) -> None:
    await desk.recorder.record(ROLLOUT, [entry("Advanced", 5, 10), entry("PausedByUser", 10, 10)])

    assert [line["reason"] for line in desk.lines] == ["Advanced", "PausedByUser"]
    assert [note.reason for _, note, _ in desk.board.events] == ["Advanced", "PausedByUser"]


@pytest.mark.parametrize("error", [UnavailableError("create event: 503"), ValueError("no such field")])
async def test_an_event_that_cannot_be_posted_is_counted_and_stops_nothing(desk: Desk, error: Exception) -> None:
    # Given a cluster that takes no events
    desk.board.broken = error

    # When two transitions are recorded
    await desk.recorder.record(ROLLOUT, [entry("Advanced", 5, 10), entry("CriterionBreached", 10, 0)])

    # Then both are logged and counted, and both failures too
    assert [line["event"] for line in desk.lines] == ["transition", "transition", "event not posted", "event not posted"]
    assert str(error) in desk.lines[-1]["problem"]
    assert desk.count("transitions", sark_rollout="shop/gateway", reason="CriterionBreached") == 1
    assert desk.count("events", outcome="failed") == 2
    assert desk.count("events", outcome="posted") == 0


async def test_a_warning_is_repeated_only_after_five_minutes(desk: Desk) -> None:
    # Given a warning just given, when the same trouble is met again and again
    for seconds in (0.0, 1.0, WARNING_SECONDS - 1):
        desk.clock.seconds = seconds
        await desk.recorder.warn(ROLLOUT, "FlagsOwnedByAnother", f"at {seconds:g}")

    # Then it was given once
    expected = EventNote("FlagsOwnedByAnother", "Reconcile", "at 0", warning=True)
    assert desk.board.events == [("shop/gateway", expected, NOW)]
    assert [line["message"] for line in desk.lines] == ["at 0"]

    # And once more when five minutes have passed
    desk.clock.seconds = WARNING_SECONDS
    await desk.recorder.warn(ROLLOUT, "FlagsOwnedByAnother", "still")
    assert [note.note for _, note, _ in desk.board.events] == ["at 0", "still"]


async def test_warnings_of_other_reasons_and_rollouts_are_not_held_back(desk: Desk) -> None:
    other = RolloutObject({"metadata": {"namespace": "shop", "name": "gateway", "uid": "u2", "resourceVersion": "5"}})

    for rollout, reason in ((ROLLOUT, "A"), (ROLLOUT, "B"), (other, "A")):
        await desk.recorder.warn(rollout, reason, "trouble")

    assert len(desk.board.events) == 3


async def test_memory_of_warnings_is_bounded(desk: Desk) -> None:
    for number in range(3000):
        await desk.recorder.warn(ROLLOUT, f"Reason{number}", "trouble")

    assert len(desk.recorder._warned) <= 1024
    # And it is the oldest of them that were forgotten
    events = len(desk.board.events)
    await desk.recorder.warn(ROLLOUT, "Reason2999", "trouble")
    assert len(desk.board.events) == events


async def test_a_warning_whose_event_could_not_be_posted_is_given_again_soon(desk: Desk) -> None:
    desk.board.broken = UnavailableError("away")
    await desk.recorder.warn(ROLLOUT, "FlagsOwnedByAnother", "lost")
    desk.clock.seconds += AGAIN_SECONDS / 2
    await desk.recorder.warn(ROLLOUT, "FlagsOwnedByAnother", "too soon")
    assert [line["message"] for line in desk.lines if line["event"] == "warning"] == ["lost"]
    desk.board.broken = None
    for _ in range(2):
        desk.clock.seconds += AGAIN_SECONDS
        await desk.recorder.warn(ROLLOUT, "FlagsOwnedByAnother", "seen")
    assert [note.note for _, note, _ in desk.board.events] == ["seen"]
