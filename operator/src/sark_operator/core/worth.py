"""Which change of a status is worth a write at once, and which may wait for the next few evaluations.

At every evaluation something changes: the bake has grown, a window was counted, a sentence says 0.31% instead of 0.32%. Written
each time it is most of what an operator asks of the API server, and of what every watcher of rollouts has to read. What has
happened, what holds and what was verified is written at once; the rest within `LONGEST`. An operator that dies in between takes
it along: its successor goes on from what is stored, counts the same windows again, and has proven a little less.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from sark_api.model import ApiModel
from sark_api.spec import SarkRolloutSpec
from sark_api.status import SarkRolloutStatus

LONGEST: Final = timedelta(minutes=1)
INTERVALS: Final = 4
SHORT: Final = timedelta(seconds=5)
"""Who lets a rollout be evaluated more often than this is there and looks on: everything is written at once."""


def longest_wait(spec: SarkRolloutSpec) -> timedelta:
    """Return how old the stored status may get while nothing happens."""
    interval: timedelta = spec.interval
    return min(LONGEST, INTERVALS * interval) if interval >= SHORT else timedelta(0)


_PASSING: Final = frozenset(
    {"evaluated_at", "observed_basis_points", "baseline_p95_microseconds", "counted_until", "evidence", "message", "summary"}
    | {"evaluated_spec"}
)
"""What of a status every evaluation changes: clocks, counts, and the sentences that tell of them. What the spec said is none of
these; an edit of it has a record, which is news, and what was merely noted may wait: a CRD that is older than the operator
lets none of it be stored."""
_IN_PARTS: Final = frozenset({"bake", "next", "criteria", "conditions"})
"""What of a status lasts in parts only."""
_FIGURES: Final = frozenset({"value", "samples", "message", "bound", "evidence", "windows", "seen"})
_CLOCKS: Final = frozenset({"proven_milliseconds", "counted_at", "frozen"})
_FORECAST: Final = frozenset({"earliest", "waits"})
_SENTENCE: Final = frozenset({"message"})

_Members = dict[str, object]


def is_news(before: SarkRolloutStatus, after: SarkRolloutStatus) -> bool:
    """Return whether `after` says more than that time has passed and the same was seen again."""
    return _without(before, _PASSING | _IN_PARTS) != _without(after, _PASSING | _IN_PARTS) or _parts(before) != _parts(after)


def _parts(status: SarkRolloutStatus) -> tuple[object, ...]:
    bake, plan = status.bake, status.next
    return (
        bake and (_without(bake, _CLOCKS), bool(bake.frozen)),
        plan and _without(plan, _FORECAST),
        [_without(criterion, _FIGURES) for criterion in status.criteria],
        [_without(condition, _SENTENCE) for condition in status.conditions],
    )


def _without(model: ApiModel, passing: frozenset[str]) -> _Members:
    return {name: value for name, value in model if name not in passing}
