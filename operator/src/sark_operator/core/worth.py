"""Which change of a status is worth a write at once, and which may wait for the next few evaluations.

At every evaluation something changes: the bake has grown, a window was counted, a sentence says 0.31% instead of 0.32%. Written
each time it is most of what an operator asks of the API server, and of what every watcher of rollouts has to read. What has
happened, what holds and what was verified is written at once; the rest within `LONGEST`. An operator that dies in between takes
it along: its successor goes on from what is stored, counts the same windows again, and has proven a little less.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from sark_api.spec import SarkRolloutSpec
from sark_api.status import SarkRolloutStatus, Summary

LONGEST: Final = timedelta(minutes=1)
INTERVALS: Final = 4
SHORT: Final = timedelta(seconds=5)
"""Who lets a rollout be evaluated more often than this is there and looks on: everything is written at once."""


def longest_wait(spec: SarkRolloutSpec) -> timedelta:
    """Return how old the stored status may get while nothing happens."""
    interval: timedelta = spec.interval
    return min(LONGEST, INTERVALS * interval) if interval >= SHORT else timedelta(0)


def is_news(before: SarkRolloutStatus, after: SarkRolloutStatus) -> bool:
    """Return whether `after` says more than that time has passed and the same was seen again."""
    return _lasting(before) != _lasting(after)


def _lasting(status: SarkRolloutStatus) -> SarkRolloutStatus:
    """Return the status without what every evaluation changes: clocks, counts, and the sentences that tell of them."""
    bake, plan = status.bake, status.next
    figures = {"value": "", "samples": 0, "message": "", "bound": "", "evidence": "", "windows": 0, "seen": False}
    return status.model_copy(
        update={
            "evaluated_at": None,
            "observed_basis_points": None,
            "baseline_p95_microseconds": None,
            "counted_until": None,
            "evidence": [],
            "message": "",
            "summary": Summary(),
            "bake": bake
            and bake.model_copy(
                update={"proven_milliseconds": 0, "counted_at": None, "frozen": "frozen" if bake.frozen else ""}
            ),
            "next": plan and plan.model_copy(update={"earliest": None, "waits": []}),
            "criteria": [criterion.model_copy(update=figures) for criterion in status.criteria],
            "conditions": [condition.model_copy(update={"message": ""}) for condition in status.conditions],
        }
    )
