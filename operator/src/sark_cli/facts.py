"""What `status` says of one rollout, as plain values: both the panel and the lines in a pipe are made of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from sark_api.status import CriterionStatus

from .guidance import dangers, doubts, moves
from .out import Grid
from .prospects import how_far, waits, what_next
from .rollout import Rollout
from .times import age, moment


@dataclass(frozen=True, slots=True)
class Fact:
    """One line."""

    label: str
    text: str
    more: str = ""
    """What a reader may want beside it."""

    def line(self) -> str:
        """Return it for a pipe."""
        return f"  {self.label:10}  {self.text}{f'   ({self.more})' if self.more else ''}"


def facts(rollout: Rollout, now: datetime | None) -> Iterator[Fact]:
    """Yield where the rollout is; without `now` nothing that depends on the time."""
    status, summary = rollout.status, rollout.status.summary
    yield Fact("traffic", summary.traffic or "0%->?")
    yield Fact("bake", summary.bake or "-", _bake(rollout) if now else "")
    yield Fact("step", summary.step or "-", _plan(rollout))
    what, when = what_next(rollout, now) if now else ("", "")
    if what:
        yield Fact("next", what, when)
    laggards = "; ".join(status.convergence.laggards) if status.convergence else ""
    revision = f"flag revision {status.flags.revision}" if status.flags else ""
    yield Fact("replicas", f"{summary.replicas or '-'} confirmed", laggards or revision)
    if now is None:
        return
    yield Fact("since", *_since(rollout, now))
    if status.policies is not None:
        count = status.policies.baseline_only_count
        paths = ", ".join(each.path for each in status.policies.baseline_only)
        more = f"{count} {'rule stays' if count == 1 else 'rules stay'} on baseline at every share: {paths}" if count else ""
        yield Fact("policies", status.policies.revision or "-", more)
    if status.evaluated_at is not None:
        yield Fact("evaluated", f"{age(now - status.evaluated_at)} ago")


def footing(rollout: Rollout, now: datetime) -> list[str]:
    """Return what stands below: doubts about all of this, what would take it back, what one may do."""
    lines = [f"Careful: {doubt}" for doubt in doubts(rollout, now)]
    if clauses := waits(rollout, now):
        lines += ["Waits for:", *(f"  {each}" for each in clauses)]
    if clauses := dangers(rollout, now):
        lines.append(f"Goes back to 0% by itself on: {'; '.join(clauses)}")
    if able := moves(rollout):
        lines += ["You may:", *(f"  {each}" for each in able)]
    return lines


def status_lines(rollout: Rollout, now: datetime) -> list[str]:
    """Return the whole status as lines for a pipe."""
    status = rollout.status
    lines = [f"{rollout.name} is {status.phase} ({status.reason or 'no reason yet'})"]
    lines.append(f"  {status.message or 'no status yet'}")
    lines.append("")
    lines += [fact.line() for fact in facts(rollout, now)]
    if status.criteria:
        lines += ["", *(f"  {text}" for text in criteria_grid(status.criteria).lines())]
    if foot := footing(rollout, now):
        lines += ["", *(f"  {text}" for text in foot)]
    return lines


def criteria_grid(criteria: Sequence[CriterionStatus]) -> Grid:
    """Return what each criterion said last."""
    return Grid(
        ("criterion", "verdict", "value", "limit", "of limit", "samples", "on breach"),
        tuple(
            (each.name, each.verdict, each.value or "-", each.limit or "-", how_far(each), _samples(each), each.action)
            for each in criteria
        ),
    )


def _samples(criterion: CriterionStatus) -> str:
    few = criterion.samples < criterion.min_samples
    return f"{criterion.samples:,} of {criterion.min_samples:,}" if few else f"{criterion.samples:,}"


def _plan(rollout: Rollout) -> str:
    return " -> ".join(f"{step.percent}%" for step in rollout.spec.plan())


def _bake(rollout: Rollout) -> str:
    bake = rollout.status.bake
    if bake is None or not bake.frozen:
        return ""
    return "frozen" if bake.frozen == rollout.status.message else f"frozen: {bake.frozen}"


def _since(rollout: Rollout, now: datetime) -> tuple[str, str]:
    """Return when the last thing happened, and what it was."""
    if rollout.status.history:
        last = rollout.status.history[-1]
        return f"{moment(last.time)}, {age(now - last.time)} ago", f"{last.reason} by {last.actor}"
    created = rollout.created_at
    return (f"{moment(created)}, {age(now - created)} ago", "created") if created else ("-", "")
