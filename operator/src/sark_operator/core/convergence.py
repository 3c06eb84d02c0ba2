"""Step 3 of a tick: have the sidecars taken over what the status wants? A new or restarted pod asks the question anew."""

from __future__ import annotations

from sark_api.status import Phase

from .observation import Missing
from .policies import policy_status
from .revert import complete_revert
from .tick import Tick


def convergence(tick: Tick) -> None:
    """Store what the sidecars confirmed and which policies they serve, and end a revert that all of them have confirmed."""
    pods = tick.observation.pods
    policies = None if isinstance(pods, Missing) else policy_status(pods)
    tick.change(convergence=tick.sighting.convergence, policies=policies or tick.status.policies)
    if tick.status.phase is Phase.REVERTING:
        complete_revert(tick)
