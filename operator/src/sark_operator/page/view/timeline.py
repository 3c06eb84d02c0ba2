"""The stages of a rollout in order: behind it, now, ahead, and those it was taken back from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from sark_api import reasons
from sark_api.duration import format_duration
from sark_api.spec import Approval, Step
from sark_api.status import HistoryEntry, Phase, SarkRolloutStatus

from .bake import Meter, bake_meter
from .seen import Seen


class Place(StrEnum):
    """Where a stage stands."""

    DONE = "done"
    LEFT = "left"
    """Behind it, and not known to have proven what it asks for."""
    NOW = "now"
    AHEAD = "ahead"
    BACK = "back"
    """The stage it was taken back from."""


_SAID: Final = {Place.DONE: "Proven", Place.NOW: "Now", Place.AHEAD: "Ahead", Place.BACK: "Taken back here"}
_PROMOTIONS: Final = (reasons.PROMOTED.name, reasons.STEPS_SKIPPED.name)


@dataclass(frozen=True, slots=True)
class Stage:
    """One step of the plan."""

    percent: int
    place: Place
    said: str
    needs: str
    """What it asks for, or has given."""
    bake: Meter | None
    began_at: datetime | None


@dataclass(frozen=True, slots=True)
class _Past:
    """What the history says of the shares of this attempt."""

    began: Mapping[int, datetime]
    """When each began, as far as the history goes back."""
    promoted: frozenset[int]
    """Those that were to be left before all was proven, by request."""
    whole: bool
    """Whether it goes back to the beginning of the attempt."""

    def behind(self, percent: int) -> str:
        """Return how a share behind was left."""
        if percent in self.promoted:
            return "Promoted"
        if percent in self.began:
            return _SAID[Place.DONE]
        return "Left out" if self.whole else "Behind"


def timeline(seen: Seen) -> tuple[Stage, ...]:
    """Return the stages of the plan, with the present share as a stage of its own where the plan has none for it."""
    status, plan = seen.status, list(seen.spec.plan())
    present = _present(status)
    past = _past(status)
    if present is not None and present not in [step.percent for step in plan]:
        plan = sorted([*plan, Step(percent=present)], key=lambda step: step.percent)
    return tuple(_stage(status, step, present, past) for step in plan)


def _present(status: SarkRolloutStatus) -> int | None:
    """Return the share it is at, or was taken back from."""
    if status.phase in (Phase.REVERTING, Phase.REVERTED):
        return status.revert.from_percent if status.revert else None
    return status.step.percent if status.step else None


def _stage(status: SarkRolloutStatus, step: Step, present: int | None, past: _Past) -> Stage:
    place = _place(status, step, present, past)
    said = past.behind(step.percent) if place is Place.LEFT else _SAID[place]
    return Stage(
        percent=step.percent,
        place=place,
        said=said if not (place is Place.NOW and status.phase is Phase.COMPLETED) else "Completed",
        needs=_needs(step, place),
        bake=bake_meter(status) if place is Place.NOW else None,
        began_at=past.began.get(step.percent) if place is not Place.AHEAD else None,
    )


def _place(status: SarkRolloutStatus, step: Step, present: int | None, past: _Past) -> Place:
    if present is None or step.percent > present:
        return Place.AHEAD
    if step.percent < present:
        return Place.DONE if past.behind(step.percent) == _SAID[Place.DONE] else Place.LEFT
    return Place.BACK if status.phase in (Phase.REVERTING, Phase.REVERTED) else Place.NOW


def _needs(step: Step, place: Place) -> str:
    """Return what a stage ahead asks for, and what one behind has given."""
    proven = format_duration(step.bake)
    said = {Place.DONE: f"{proven} proven", Place.LEFT: f"{proven} asked for", Place.BACK: f"{proven} to prove"}
    parts = [said.get(place, f"needs {proven} proven")]
    if step.hold > step.bake:
        parts.append(f"lasts {format_duration(step.hold)}")
    if step.shadow.sample_percent:
        parts.append(f"shadow {step.shadow.sample_percent}%")
    if step.approval is Approval.REQUIRED:
        parts.append("approval")
    return ", ".join(parts)


def _past(status: SarkRolloutStatus) -> _Past:
    began: dict[int, datetime] = {}
    promoted: set[int] = set()
    history = _this_attempt(status)
    for entry in history:
        if entry.to_percent > entry.from_percent or entry.reason == reasons.STARTED.name:
            began[entry.to_percent] = entry.time
        if entry.reason in _PROMOTIONS:
            promoted.add(entry.to_percent)
        elif entry.reason == reasons.FEATURES_EDITED.name:  # the step begins anew, and the request for it is forgotten
            promoted.discard(entry.to_percent)
    if status.step is not None:
        began[status.step.percent] = status.step.started_at
    return _Past(began, frozenset(promoted), any(entry.reason == reasons.STARTED.name for entry in history))


def _this_attempt(status: SarkRolloutStatus) -> Sequence[HistoryEntry]:
    since = status.started_at
    return [entry for entry in status.history if since is None or entry.time >= since - timedelta(seconds=1)]
