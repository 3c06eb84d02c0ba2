"""Why a rollout is where it is, as text: what `explain` prints, and the message of a failed expectation in a test."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime

from sark_api.evidence import EvidenceRecord
from sark_api.status import ConditionStatus, HistoryEntry, Revert

from .criterion import criterion_lines, further
from .rollout import Rollout
from .times import moment

_EXPECTED = {"Degraded": ConditionStatus.FALSE, "Paused": ConditionStatus.FALSE}
_SHOWN_WHEN_FALSE = ("Ready", "Converged", "MetricsAvailable", "SampleSufficient", "CriteriaMet", "FlagsOwned")
_TOLD = {
    "number",
    "time",
    "actor",
    "reason",
    "fromPercent",
    "toPercent",
    "revision",
    "message",
    "policyRevision",
    "operatorVersion",
}
"""Members of a history entry that have a place of their own; whatever else it holds is listed by its name."""

Times = Callable[[datetime], str]


def explain(rollout: Rollout, times: Times = moment) -> str:
    """Return why the rollout is where it is: the reason, the way back if there was one, and how it came there."""
    status = rollout.status
    lines = [f"{rollout.name} is {status.phase} ({status.reason or 'no reason yet'}): {status.message or 'no status yet'}"]
    if status.revert is not None:
        lines += _way_back(status.revert, times)
    if status.history:
        lines += ["", "  history"]
        lines += [f"    {line}" for entry in status.history for line in _entry(entry, times)]
    return "\n".join(lines)


def diagnose(rollout: Rollout, times: Times = moment) -> str:
    """Return all that helps to see why an expectation was not met: the explanation, the present step and the verdicts."""
    status, summary = rollout.status, rollout.status.summary
    frozen = f", frozen: {status.bake.frozen}" if status.bake and status.bake.frozen else ""
    share = f"{status.flags.percent}%" if status.flags else "none yet"
    lines = [
        explain(rollout, times),
        "",
        f"  step {summary.step or '-'}, share {share}, confirmed by {summary.replicas or '-'}",
        f"  bake {summary.bake or '-'}{frozen}",
        *(f"  {criterion.message}" for criterion in status.criteria),
        *(f"  {line}" for line in _unmet(rollout)),
    ]
    return "\n".join(lines)


def decision(number: int, entry: HistoryEntry) -> list[str]:
    """Return one decision with everything its record holds."""
    lines = [
        f"Decision {number}: {entry.reason}, {share(entry)}, {moment(entry.time)}, by {entry.actor}",
        f"  {entry.message}",
    ]
    lines += [f"  {label:18}{text}" for label, text in _basis(entry)]
    wire = entry.to_wire()
    for name, value in wire.items():
        if name not in _TOLD:
            lines += further(name, value)
    return lines


def numbered(history: Sequence[HistoryEntry]) -> list[tuple[int, HistoryEntry]]:
    """Return the entries with the numbers they are spoken of by: of their records, or their places where there are none."""
    return [(entry.number or place, entry) for place, entry in enumerate(history, start=1)]


def present(rollout: Rollout) -> list[str]:
    """Return what the criteria say now, each with its limit, its samples and the question that was asked."""
    lines: list[str] = []
    for criterion in rollout.status.criteria:
        lines += criterion_lines(criterion)
    return lines


def share(entry: HistoryEntry | EvidenceRecord) -> str:
    """Return the share before and after, or the one it stayed at."""
    changed = entry.from_percent != entry.to_percent
    return f"{entry.from_percent}% -> {entry.to_percent}%" if changed else f"{entry.to_percent}%"


def _way_back(revert: Revert, times: Times) -> list[str]:
    lines = [
        "",
        "  the way back",
        f"    criterion   {revert.criterion or 'none: ' + revert.reason}",
        f"    from        {revert.from_percent}%, decided at {times(revert.decided_at)}",
        f"    flags       revision {revert.revision} asks for 0%",
    ]
    if revert.completed_at is None:
        return [*lines, "    restored    not yet confirmed by every sidecar"]
    seconds = (revert.completed_at - revert.decided_at).total_seconds()
    return [*lines, f"    restored    {times(revert.completed_at)}, seen by the operator {seconds:.1f} s after the decision"]


def _entry(entry: HistoryEntry, times: Times) -> Iterator[str]:
    revision = f"flag revision {entry.revision}" if entry.revision else ""
    yield f"{times(entry.time)}  {share(entry):12}  {entry.reason:18}  {entry.actor:14}{revision}".rstrip()
    yield f"            {entry.message}"


def _basis(entry: HistoryEntry) -> Iterator[tuple[str, str]]:
    if entry.revision:
        yield "flag revision", str(entry.revision)
    yield "policy revision", entry.policy_revision or "not one for all sidecars"
    yield "operator version", entry.operator_version or "not recorded"


def _unmet(rollout: Rollout) -> Iterator[str]:
    for condition in rollout.status.conditions:
        usual = _EXPECTED.get(condition.type, ConditionStatus.TRUE if condition.type in _SHOWN_WHEN_FALSE else None)
        if usual is not None and condition.status is not usual:
            yield f"condition {condition.type} is {condition.status} ({condition.reason}): {condition.message}"
