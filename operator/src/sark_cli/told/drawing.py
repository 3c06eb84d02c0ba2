"""A chart as SVG: a few hundred bytes of lines, no script, nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from html import escape

from sark_cli.times import moment

from .markdown import figure
from .story import Chart, Line

WIDTH, HEIGHT = 760, 190
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 12, 12, 24
COLOURS = {"rust": "#d9622b", "python": "#3b6ea5"}
_OTHERS = ("#4f7d5c", "#8a5a9e", "#a58a3b", "#5a6b7d", "#b0535f", "#3d8f8f")
_TICKS = 4


def colour(line: Line, place: int) -> str:
    """Return the colour of a line: an arm's own, or the next."""
    return COLOURS.get(line.name, _OTHERS[place % len(_OTHERS)])


def svg(chart: Chart, marks: Sequence[datetime]) -> str:
    """Return the chart; a thin line stands at each of `marks`, the decisions."""
    times = [at.timestamp() for line in chart.lines for at, _ in line.points]
    first, last = min(times), max(times)
    top = max((value for line in chart.lines for value in line.values), default=0.0) * 1.05 or 1.0

    def x(at: float) -> float:
        return _LEFT + (WIDTH - _LEFT - _RIGHT) * (at - first) / max(last - first, 1e-9)

    def y(value: float) -> float:
        return HEIGHT - _BOTTOM - (HEIGHT - _TOP - _BOTTOM) * min(max(value, 0.0), top) / top

    parts = [f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(chart.title)}">']
    for tick in range(_TICKS + 1):
        value = top * tick / _TICKS
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y(value):.1f}" y2="{y(value):.1f}"/>')
        parts.append(
            f'<text class="tick" x="{_LEFT - 6}" y="{y(value) + 4:.1f}" text-anchor="end">{escape(figure(value, chart.unit))}</text>'
        )
    parts += [_mark(x(mark.timestamp())) for mark in marks if first <= mark.timestamp() <= last]
    for at, anchor in ((first, "start"), (last, "end")):
        text = moment(datetime.fromtimestamp(at, UTC))
        parts.append(f'<text class="tick" x="{x(at):.1f}" y="{HEIGHT - 6}" text-anchor="{anchor}">{text}</text>')
    for place, line in enumerate(chart.lines):
        points = _stepped(line) if chart.steps else [(at.timestamp(), value) for at, value in line.points]
        path = " ".join(f"{x(at):.1f},{y(value):.1f}" for at, value in points)
        parts.append(f'<polyline fill="none" stroke="{colour(line, place)}" stroke-width="2" points="{path}"/>')
    return "".join([*parts, "</svg>"])


def _mark(x: float) -> str:
    return f'<line class="mark" x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP}" y2="{HEIGHT - _BOTTOM}"/>'


def _stepped(line: Line) -> list[tuple[float, float]]:
    points: list[tuple[float, float]] = []
    for at, value in line.points:
        if points:
            points.append((at.timestamp(), points[-1][1]))
        points.append((at.timestamp(), value))
    return points
