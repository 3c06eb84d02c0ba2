"""The timetable a rollout follows when nothing goes wrong: the rules of the bake, reckoned forward.

A unit test holds it against the real `decide`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sark_api.spec import Action, Approval, SarkRolloutSpec, Step
from sark_operator.core.windows import is_open, opens_at

from .samples import Need, needs, needs_of_earlier


@dataclass(frozen=True, slots=True)
class Stage:
    """One step."""

    step: Step
    begins: datetime
    ends: datetime | None
    """When the next one begins at the earliest; None when this one is never proven."""
    filling: timedelta
    """How long the criteria wait for enough samples."""
    needs: tuple[Need, ...]
    """What each criterion needs in its window, and gets; when the traffic is not known, only what no traffic can give."""
    reverts: datetime | None = None
    """When blindness takes it back."""


def timetable(spec: SarkRolloutSpec, start: datetime, traffic: float | None) -> list[Stage]:
    """Return the stages from `start` on; the last is the one that cannot be proven, if there is one.

    Sidecars are taken to confirm by the next evaluation and to have run for longer than the memory window. `traffic` is the
    requests a second of all sidecars; without it there are always enough of those that are there.
    """
    stages: list[Stage] = []
    at = start
    for step in spec.plan():
        if not is_open(spec.windows, at):
            at = opens_at(spec.windows, at) or at
        stage = _stage(spec, step, at, traffic)
        stages.append(stage)
        if stage.ends is None:
            break
        at = stage.ends
    return stages


def approved(spec: SarkRolloutSpec) -> list[int]:
    """Return the shares of the steps that wait for an approval, which the timetable takes as given in time."""
    return [step.percent for step in spec.plan() if step.approval is Approval.REQUIRED]


def _stage(spec: SarkRolloutSpec, step: Step, begins: datetime, traffic: float | None) -> Stage:
    wanted = tuple(needs_of_earlier(spec, step.percent) if traffic is None else needs(spec, step.percent, traffic))
    blocking = [need for need in wanted if need.action != Action.WARN]
    if any(not need.met for need in blocking):
        return Stage(step, begins, None, timedelta(0), wanted, _reverts(spec, step, begins, blocking))
    filling = max((spec.criteria.window * (need.needed / need.got) for need in blocking), default=timedelta(0))
    converged = begins + spec.interval
    proven = converged + _whole(max(timedelta(0), filling - spec.interval), spec.interval) + _whole(step.bake, spec.interval)
    ends = max(proven, begins + _whole(step.hold, spec.interval), converged + _whole(spec.criteria.window, spec.interval))
    return Stage(step, begins, ends, filling, wanted)


def _reverts(spec: SarkRolloutSpec, step: Step, begins: datetime, blocking: list[Need]) -> datetime | None:
    blind = spec.rollback.blind_for
    unseen = any(not need.met and need.action == Action.REVERT for need in blocking)
    split = 0 < step.percent < 100  # noqa: PLR2004 - at the full share blindness takes nothing back
    return begins + spec.interval + _whole(blind, spec.interval) if blind and unseen and split else None


def _whole(length: timedelta, interval: timedelta) -> timedelta:
    """Return `length` rounded up to whole intervals: nothing happens between two evaluations."""
    return -(-length // interval) * interval
