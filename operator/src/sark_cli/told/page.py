"""A story as one HTML file: no script, nothing loaded from elsewhere, readable in light and dark."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from sark_api.evidence import EvidenceRecord
from sark_cli.explanation import share
from sark_cli.times import age, moment

from .drawing import colour, svg
from .markdown import figure
from .story import Chart, Story

_STYLE = """
:root { color-scheme: light dark; --ink: light-dark(#22262c, #dfe3e8); --soft: light-dark(#6b7280, #99a1ac);
  --line: light-dark(#dfe2e7, #3a4048); --bad: light-dark(#b3261e, #ff8a80); --good: light-dark(#1b7f3b, #7ad694); }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h1 { margin-bottom: .2rem; } h2 { margin-top: 2.2rem; } h3 { margin-bottom: .2rem; }
table { border-collapse: collapse; width: 100%; margin: .6rem 0; font-size: 14px; }
th, td { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid var(--line); vertical-align: top; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
svg { width: 100%; height: auto; } svg .grid { stroke: var(--line); } svg .mark { stroke: var(--soft); stroke-dasharray: 3 3; }
svg .tick { fill: var(--soft); font-size: 11px; } .soft { color: var(--soft); } .Breach { color: var(--bad); font-weight: 600; }
.Pass { color: var(--good); } .key { display: inline-block; width: .8em; height: .8em; border-radius: 2px; margin: 0 .3em 0 .8em; }
""".strip()


def page(story: Story) -> str:
    """Return the whole page."""
    title = escape(f"Rollout {story.rollout.name}")
    head = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>{_STYLE}</style></head><body>'
    )
    return "\n".join([head, f"<h1>{title}</h1>", *_body(story), "</body></html>"]) + "\n"


def _body(story: Story) -> Iterator[str]:
    status = story.rollout.status
    yield f"<p><strong>{escape(str(status.phase))}</strong>: {escape(status.message or 'no status yet')}</p>"
    yield (
        f'<p class="soft">{moment(story.begins)} to {moment(story.ends)}, {age(story.ends - story.begins)}; '
        f"decisions: {len(story.records)}; dashed lines in the charts are decisions</p>"
    )
    yield from (f'<p class="Breach">Careful: {escape(doubt)}</p>' for doubt in story.doubts)
    marks = [record.time for record in story.records]
    for chart in story.charts:
        yield f"<h3>{escape(chart.title)}</h3>"
        if chart.missing:
            yield f'<p class="soft">Not shown: {escape(chart.missing)}.</p>'
            continue
        yield _legend(chart)
        yield svg(chart, marks)
    yield "<h2>Decisions</h2>"
    yield from (part for record in story.records for part in _record(record))
    if not story.records:
        yield "<p>Nothing has been decided yet.</p>"


def _legend(chart: Chart) -> str:
    names = [
        f'<span class="key" style="background:{colour(line, place)}"></span>{escape(line.name)}, last {escape(figure(line.values[-1], chart.unit))}'
        for place, line in enumerate(chart.lines)
    ]
    return f'<p class="soft">{"".join(names)}</p>'


def _record(record: EvidenceRecord) -> Iterator[str]:
    yield f"<h3>{record.number}. {escape(record.reason)}, {escape(share(record))}</h3>"
    yield f'<p><span class="soft">{moment(record.time)}, by {escape(record.actor)}.</span> {escape(record.message)}</p>'
    if not record.criteria:
        return
    yield "<table><tr><th>criterion<th>verdict<th class=number>value<th class=number>limit<th class=number>samples<th>evidence<th>on breach</tr>"
    for each in record.criteria:
        evidence = f"{each.evidence} of {each.evidence_needed}" if each.evidence else "-"
        verdict = str(each.verdict)
        yield (
            f'<tr><td>{escape(each.name)}<td class="{escape(verdict)}">{escape(verdict)}<td class=number>{escape(each.value or "-")}'
            f"<td class=number>{escape(each.limit or '-')}<td class=number>{each.samples:,}<td>{escape(evidence)}<td>{escape(each.action)}</tr>"
        )
    yield "</table>"
