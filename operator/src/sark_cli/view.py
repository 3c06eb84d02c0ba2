"""One rollout at a glance: where, since when, until when, why not further, what would take it back, what one may do.

Pure functions from the object and the time to text, and to something rich can draw.
"""

from __future__ import annotations

from datetime import datetime

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from sark_api.spec import Action
from sark_api.status import CriterionStatus, Verdict

from .facts import criteria_grid, facts, footing
from .out import STYLES, drawn
from .rollout import Rollout

_BAR_WIDTH = 30


def panel(rollout: Rollout, now: datetime | None = None) -> RenderableType:
    """Return the whole view; without `now` nothing in it depends on the time."""
    status = rollout.status
    style = STYLES.get(status.phase, "")
    parts: list[RenderableType] = [_facts(rollout, now)]
    if status.criteria:
        parts += [Text(), drawn(criteria_grid(status.criteria))]
    parts += [Text(), Text(status.message or "no status yet", style=style)]
    if now is not None:
        parts += [Text(line, style="dim") for line in footing(rollout, now)]
    return Panel(
        Group(*parts),
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


def _facts(rollout: Rollout, now: datetime | None) -> Table:
    """Return the facts with a bar beside those that have a share of something."""
    status = rollout.status
    share = status.flags.percent if status.flags else 0
    required = max(status.bake.required_seconds if status.bake else 1, 1)
    proven = min(status.bake.proven_milliseconds / 1000, required) if status.bake else 0
    bars = {
        "traffic": ProgressBar(total=100, completed=share, width=_BAR_WIDTH),
        "bake": ProgressBar(total=required, completed=proven, width=_BAR_WIDTH),
    }
    grid = Table.grid(padding=(0, 3))
    grid.add_column(style="dim", min_width=8)
    grid.add_column(min_width=14)
    grid.add_column(overflow="fold")
    for fact in facts(rollout, now):
        # Not plain strings: rich would take brackets in what a sidecar says of itself for markup.
        text, more = Text(fact.text), Text(fact.more, style="dim")
        if bar := bars.get(fact.label):
            grid.add_row(fact.label, text, bar)
            if fact.more:
                grid.add_row("", "", more)
        else:
            grid.add_row(fact.label, text, more)
    return grid
