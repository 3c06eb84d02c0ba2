"""What Prometheus is asked for a report: the two arms beside each other, and the sidecars' memory, over the whole rollout."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from math import isfinite
from typing import TYPE_CHECKING, Any, Final

from sark_api.names import LABEL_IMPLEMENTATION, LABEL_ROLLOUT, METRIC_MEMORY, METRIC_REQUEST_SECONDS, METRIC_REQUESTS

from .story import Chart, Line

if TYPE_CHECKING:
    from sark_operator.shell.prometheus import Door, Server

_POINTS: Final = 200
_SHORTEST: Final = 5
"""Seconds between two points: nobody scrapes much more often."""
_MOST_LINES: Final = 12
_MEGA: Final = 1e6


def step(begins: datetime, ends: datetime) -> int:
    """Return the seconds between two points."""
    return max(_SHORTEST, round((ends - begins).total_seconds() / _POINTS))


def questions(key: str, seconds: int) -> list[tuple[str, str, str, str]]:
    """Return title, unit, query and the label that tells the lines apart, of each chart of the rollout `key`."""
    own = f"{LABEL_ROLLOUT}={json.dumps(key)}"
    window = f"{max(4 * seconds, 20)}s"
    arm = LABEL_IMPLEMENTATION
    asked = f"sum by ({arm}) (rate({METRIC_REQUESTS}{{{own}}}[{window}]))"
    failed = f'sum by ({arm}) (rate({METRIC_REQUESTS}{{{own}, result="error"}}[{window}]))'
    buckets = f"sum by ({arm}, le) (rate({METRIC_REQUEST_SECONDS}_bucket{{{own}}}[{window}]))"
    return [
        ("Requests", "1/s", asked, arm),
        # An arm without a single error has no such series: it counts as none.
        ("Requests without a genuine decision", "%", f"100 * ({failed} or 0 * {asked}) / {asked}", arm),
        ("p95 of a request", "ms", f"1000 * histogram_quantile(0.95, {buckets})", arm),
        ("Memory of a sidecar", "MB", f"max by (instance) ({METRIC_MEMORY}{{{own}}}) / {_MEGA:g}", "instance"),
    ]


async def charts(door: Door, server: Server, key: str, begins: datetime, ends: datetime) -> list[Chart]:
    """Ask every question; one that is not answered says why in its chart."""
    seconds = step(begins, ends)
    return [await _chart(door, server, question, (begins, ends, seconds)) for question in questions(key, seconds)]


async def _chart(
    door: Door, server: Server, question: tuple[str, str, str, str], span: tuple[datetime, datetime, int]
) -> Chart:
    from sark_operator.core.observation import Missing

    title, unit, query, label = question
    begins, ends, seconds = span
    answer = await door.over(server, query, begins, ends + timedelta(seconds=1), seconds)
    if isinstance(answer, Missing):
        return Chart(title, unit, query=query, missing=answer.message)
    lines = tuple(line for each in answer[:_MOST_LINES] if (line := _line(each, label)).points)
    return Chart(title, unit, lines, query, "" if lines else "Prometheus has no sample of it in this time")


def _line(answer: Any, label: str) -> Line:
    points = [(float(at), float(value)) for at, value in answer["values"]]
    finite = [(datetime.fromtimestamp(at, UTC), value) for at, value in points if isfinite(value)]
    return Line(str(answer["metric"].get(label, "all")), tuple(finite))
