"""The live view of one rollout: a pure function from the object to something rich can print."""

from __future__ import annotations

from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from sark_api.spec import Action, SarkRolloutSpec
from sark_api.status import CriterionStatus, Phase, SarkRolloutStatus, Verdict

_PHASE_STYLE = {
    Phase.PENDING: "dim",
    Phase.PROGRESSING: "cyan",
    Phase.PAUSED: "yellow",
    Phase.REVERTING: "bold red",
    Phase.REVERTED: "red",
    Phase.COMPLETED: "bold green",
}
_VERDICT_STYLE = {Verdict.PASS: "green", Verdict.BREACH: "bold red", Verdict.UNKNOWN: "yellow"}
_BAR_WIDTH = 30


@dataclass(frozen=True, slots=True)
class Rollout:
    """A SarkRollout as read from the API."""

    name: str
    spec: SarkRolloutSpec
    status: SarkRolloutStatus

    @classmethod
    def from_object(cls, body: dict[str, object]) -> Rollout:
        """Read the object `kubectl get -o json` gives; a fresh one has an empty status."""
        metadata = body["metadata"]
        assert isinstance(metadata, dict)  # noqa: S101 - the API server's own shape
        return cls(
            name=f"{metadata['namespace']}/{metadata['name']}",
            spec=SarkRolloutSpec.model_validate(body["spec"]),
            status=SarkRolloutStatus.model_validate(body.get("status") or {}),
        )


def panel(rollout: Rollout) -> RenderableType:
    """Return the whole view: where it is, how far the bake is, what each criterion says, and why it is not further."""
    status = rollout.status
    style = _PHASE_STYLE[status.phase]
    return Panel(
        Group(_facts(rollout), Text(), _criteria(status.criteria), Text(), Text(status.message, style=style)),
        title=Text.assemble(("SarkRollout ", "bold"), rollout.name, "  ", (str(status.phase), style)),
        title_align="left",
        border_style=style,
    )


def line(rollout: Rollout) -> str:
    """Return the view as one plain line, for logs and pipes."""
    status = rollout.status
    summary = status.summary
    verdicts = ", ".join(_spoken(criterion) for criterion in status.criteria)
    parts = (
        status.phase,
        summary.traffic,
        f"step {summary.step or '-'}",
        f"bake {summary.bake or '-'}",
        f"replicas {summary.replicas or '-'}",
        verdicts,
    )
    return f"{rollout.name}: {' | '.join(part for part in parts if part)} | {status.message}"


def _spoken(criterion: CriterionStatus) -> str:
    only = " (only warns)" if criterion.verdict is Verdict.BREACH and criterion.action == Action.WARN else ""
    return f"{criterion.name} {criterion.verdict}{only}"


def _facts(rollout: Rollout) -> Table:
    status = rollout.status
    summary = status.summary
    grid = Table.grid(padding=(0, 3))
    grid.add_column(style="dim", min_width=8)
    grid.add_column(min_width=14)
    grid.add_column()
    share = status.flags.percent if status.flags else 0
    grid.add_row("traffic", summary.traffic or "0%->?", ProgressBar(total=100, completed=share, width=_BAR_WIDTH))
    bake = status.bake
    required = bake.required_seconds if bake else 1
    proven = bake.proven_milliseconds / 1000 if bake else 0
    bar = ProgressBar(total=max(required, 1), completed=min(proven, required), width=_BAR_WIDTH)
    grid.add_row("bake", summary.bake or "-", bar)
    plan = " -> ".join(f"{step.percent}%" for step in rollout.spec.plan())
    grid.add_row("step", summary.step or "-", Text(plan, style="dim"))
    revision = f"flag revision {status.flags.revision}" if status.flags else ""
    laggards = "; ".join(status.convergence.laggards) if status.convergence else ""
    grid.add_row("replicas", f"{summary.replicas or '-'} confirmed", Text(laggards or revision, style="dim"))
    return grid


def _criteria(criteria: list[CriterionStatus]) -> Table:
    table = Table(box=None, padding=(0, 3, 0, 0), header_style="dim")
    for heading in ("criterion", "verdict", "value", "limit", "samples", "on breach"):
        table.add_column(heading)
    for criterion in criteria:
        table.add_row(
            criterion.name,
            Text(criterion.verdict, style=_VERDICT_STYLE[criterion.verdict]),
            criterion.value or "-",
            criterion.limit,
            f"{criterion.samples:,}",
            criterion.action,
        )
    return table
