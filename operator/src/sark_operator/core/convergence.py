"""Step 3 of a tick: have the sidecars taken over what the status wants? A new or restarted pod asks the question anew."""

from __future__ import annotations

from sark_api.status import Phase

from .revert import complete_revert
from .tick import Tick


def convergence(tick: Tick) -> None:
    """Store what the sidecars confirmed, and end a revert that all of them have confirmed."""
    tick.change(convergence=tick.sighting.convergence)
    if tick.status.phase is Phase.REVERTING:
        complete_revert(tick)
