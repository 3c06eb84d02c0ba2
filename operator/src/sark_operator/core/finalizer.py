"""When a rollout that is being deleted may go."""

from __future__ import annotations

from sark_api.spec import OnDelete
from sark_api.status import Phase

from .flag_plan import FlagPlan
from .observation import Missing
from .problems import config_map_missing
from .tick import Tick


def may_release(tick: Tick, plan: FlagPlan) -> bool:
    """Return whether onDelete is met, as far as the flags go; sidecars are not waited for.

    Keep lets go at once, unless the criteria are just taking the share back: then 0 % comes first there too. Kept below 100 %,
    the share lasts until the document's validity ends, since nobody renews it. Baseline lets go once nothing is left to write:
    the document in force is ours at 0 %, or another rollout's, or there is no ConfigMap and its namespace is going away.
    """
    if not tick.identity.deleting:
        return False
    if tick.spec.rollback.on_delete is OnDelete.KEEP and tick.status.phase is not Phase.REVERTING:
        return True
    if isinstance(tick.observation.flags, Missing) and not config_map_missing(tick.observation):
        return False
    return plan.write is None and not tick.in_step
