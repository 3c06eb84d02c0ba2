"""How much of a step is proven."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from sark_api.status import Phase, SarkRolloutStatus
from sark_operator.core.figures import progress


@dataclass(frozen=True, slots=True)
class Meter:
    """A part of a whole."""

    value: int
    whole: int
    text: str


def bake_meter(status: SarkRolloutStatus) -> Meter | None:
    """Return the proven part of the present step; None while there is no step that bakes."""
    bake = status.bake
    if bake is None or status.step is None or status.phase in (Phase.REVERTING, Phase.REVERTED) or not bake.required_seconds:
        return None
    needed = timedelta(seconds=bake.required_seconds)
    proven = min(timedelta(milliseconds=bake.proven_milliseconds), needed)
    return Meter(int(proven.total_seconds() * 1000), bake.required_seconds * 1000, progress(proven, needed))
