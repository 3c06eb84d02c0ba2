"""Whether Prometheus remembers anything of a rollout. Where it does not, a replay would only tell that nothing was seen."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final, Protocol

from sark_api.names import METRIC_FLAG_REVISION
from sark_operator.core.observation import Missing
from sark_operator.shell import promql
from sark_operator.shell.prometheus import Read, Server, as_it_is

POINTS: Final = 1_000
"""Parts a span is cut into: each is looked through as a whole, and no part is too long for the server."""


class Ranges(Protocol):
    """Who answers range queries."""

    async def over(
        self, server: Server, query: str, start: datetime, end: datetime, step: int, *, read: Read = as_it_is
    ) -> list[object] | Missing:
        """Return what `read` makes of the answer."""
        ...


async def is_remembered(door: Ranges, server: Server, rollout: str, start: datetime, end: datetime) -> bool | Missing:
    """Return whether there is a sample of `rollout` (namespace/name) from `start` to `end`, by which all others are dated."""
    length = end - start
    step = max(1, -(-length // timedelta(seconds=POINTS)))
    first = end - length // timedelta(seconds=step) * timedelta(seconds=step)  # the last part ends at the end
    query = f"count(last_over_time({METRIC_FLAG_REVISION}{{{promql.only(rollout)}}}[{step}s]))"
    answer = await door.over(server, query, first, end, step)
    return answer if isinstance(answer, Missing) else bool(answer)
