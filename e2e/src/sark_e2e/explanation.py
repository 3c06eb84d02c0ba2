"""Why a rollout is where it is, as text: the end of the demonstration, and the message of a failed expectation."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from sark_api.status import ConditionStatus, HistoryEntry, Revert

from .view import Rollout

_EXPECTED = {"Degraded": ConditionStatus.FALSE, "Paused": ConditionStatus.FALSE}
_SHOWN_WHEN_FALSE = ("Ready", "Converged", "MetricsAvailable", "SampleSufficient", "CriteriaMet")


def explain(rollout: Rollout) -> str:
    """Return why the rollout is where it is: the reason, the way back if there was one, and how it came there."""
    status = rollout.status
    lines = [f"{rollout.name} is {status.phase} ({status.reason or 'no reason yet'}): {status.message or 'no status yet'}"]
    if status.revert is not None:
        lines += _way_back(status.revert)
    if status.history:
        lines += ["", "  history"]
        lines += [f"    {line}" for entry in status.history for line in _entry(entry)]
    return "\n".join(lines)


def diagnose(rollout: Rollout) -> str:
    """Return all that helps to see why an expectation was not met: the explanation, the present step and the verdicts."""
    status, summary = rollout.status, rollout.status.summary
    frozen = f", frozen: {status.bake.frozen}" if status.bake and status.bake.frozen else ""
    share = f"{status.flags.percent}%" if status.flags else "none yet"
    lines = [
        explain(rollout),
        "",
        f"  step {summary.step or '-'}, share {share}, confirmed by {summary.replicas or '-'}",
        f"  bake {summary.bake or '-'}{frozen}",
        *(f"  {criterion.message}" for criterion in status.criteria),
        *(f"  {line}" for line in _unmet(rollout)),
    ]
    return "\n".join(lines)


def clock(at: datetime) -> str:
    """Return the time of day in UTC, to the tenth of a second."""
    return f"{at:%H:%M:%S}.{at.microsecond // 100_000}"


def _way_back(revert: Revert) -> list[str]:
    lines = [
        "",
        "  the way back",
        f"    criterion   {revert.criterion or 'none: ' + revert.reason}",
        f"    from        {revert.from_percent}%, decided at {clock(revert.decided_at)}",
        f"    flags       revision {revert.revision} asks for 0%",
    ]
    if revert.completed_at is None:
        return [*lines, "    restored    not yet confirmed by every sidecar"]
    seconds = (revert.completed_at - revert.decided_at).total_seconds()
    return [*lines, f"    restored    {clock(revert.completed_at)}, seen by the operator {seconds:.1f} s after the decision"]


def _entry(entry: HistoryEntry) -> Iterator[str]:
    share = (
        f"{entry.from_percent}% -> {entry.to_percent}%" if entry.from_percent != entry.to_percent else f"{entry.to_percent}%"
    )
    revision = f"flag revision {entry.revision}" if entry.revision else ""
    yield f"{clock(entry.time)}  {share:12}  {entry.reason:18}  {entry.actor:14}{revision}".rstrip()
    yield f"            {entry.message}"


def _unmet(rollout: Rollout) -> Iterator[str]:
    for condition in rollout.status.conditions:
        usual = _EXPECTED.get(condition.type, ConditionStatus.TRUE if condition.type in _SHOWN_WHEN_FALSE else None)
        if usual is not None and condition.status is not usual:
            yield f"condition {condition.type} is {condition.status} ({condition.reason}): {condition.message}"
