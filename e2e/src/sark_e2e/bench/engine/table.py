"""The findings as a person reads them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from rich import box
from rich.console import RenderableType
from rich.table import Table

from .finding import Finding


def goals_table(findings: Sequence[Finding], title: str, *, plain: bool) -> RenderableType:
    """Return one line for each finding with a goal, without rules when `plain`."""
    table = _table(title, ("goal", "measured", "lowest - highest", "met"), plain=plain)
    for row, finding in _labelled(each for each in findings if each.limit is not None):
        met = "yes" if finding.met else "NO"
        table.add_row(row, finding.what, goal(finding), amount(finding.median, finding.unit), _spread(finding), met)
    return table


def beside_table(findings: Sequence[Finding], title: str, *, plain: bool) -> RenderableType:
    """Return one line for each finding without a goal, without rules when `plain`."""
    table = _table(title, ("measured", "lowest - highest"), plain=plain)
    for row, finding in _labelled(each for each in findings if each.limit is None):
        table.add_row(row, finding.what, amount(finding.median, finding.unit), _spread(finding))
    return table


def summary_line(findings: Sequence[Finding]) -> str:
    """Return how many goals are met."""
    met = [finding.met for finding in findings if finding.met is not None]
    return f"goals met: {sum(met)} of {len(met)}"


def goal(finding: Finding) -> str:
    """Return what is wanted of a finding; nothing when nothing is."""
    limit = finding.limit
    if limit is None:
        return ""
    return f"{'>=' if limit.at_least else '<='} {amount(limit.value, finding.unit)}"


def amount(figure: float, unit: str) -> str:
    """Return a figure with as many digits as mean something."""
    if figure >= 1000:
        text = f"{figure:,.0f}"
    elif figure >= 100:
        text = f"{figure:.0f}"
    elif figure >= 10:
        text = f"{figure:.1f}".removesuffix(".0")
    else:
        text = f"{figure:.2f}".removesuffix(".00")
    return f"{text}{'' if unit in ('', 'x', '/s') else ' '}{unit}"


def _table(title: str, headings: Sequence[str], *, plain: bool) -> Table:
    lines = None if plain else box.SIMPLE_HEAD
    table = Table(title=title, title_justify="left", title_style="bold", box=lines, header_style="dim", padding=(0, 2, 0, 0))
    table.add_column("row", no_wrap=True)
    table.add_column("what")
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    return table


def _labelled(findings: Iterable[Finding]) -> Iterator[tuple[str, Finding]]:
    """Return each finding with the name of its row, at the row's first only."""
    before = ""
    for finding in findings:
        yield ("" if finding.row == before else finding.row), finding
        before = finding.row


def _spread(finding: Finding) -> str:
    if len(finding.figures) == 1:
        return ""
    return f"{amount(min(finding.figures), '')} - {amount(max(finding.figures), '')}"
