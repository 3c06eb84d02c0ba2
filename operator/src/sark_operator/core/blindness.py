"""What counts as not seeing, which ends a share after rollback.blindFor. An Unknown verdict is not always blindness."""

from __future__ import annotations

from collections.abc import Sequence

from sark_api.spec import Action
from sark_api.status import CriterionStatus, Verdict

from .judgement import with_verdict
from .observation import Metrics, Missing
from .verdicts import decision_mismatch, memory_growth, service_time


def unseen(criteria: Sequence[CriterionStatus], metrics: Metrics) -> tuple[CriterionStatus, ...]:
    """Return the criteria that should be able to revert and cannot, for want of sight.

    Three kinds of Unknown are none of it; they hold the step all the same:

    - memory that is seen but not yet for long enough: it needs up to its whole window by design, an hour, while blindFor is a
      quarter of that by default;
    - enough samples that do not say yet which it is: above the limit, and perhaps by chance;
    - few evaluations, look-ups or comparisons that were counted: how many there are is the doing of the cache and the sample,
      and requests are seen elsewhere.
    """
    unknown = with_verdict(criteria, Verdict.UNKNOWN, Action.REVERT)
    return tuple(one for one in unknown if not _seen(one, metrics))


def _seen(criterion: CriterionStatus, metrics: Metrics) -> bool:
    match criterion.name:
        case memory_growth.NAME:
            return memory_growth.is_seen(metrics.memory)
        case service_time.OPA_NAME:
            return not isinstance(metrics.data_plane.evaluations, Missing)
        case service_time.CACHE_NAME:
            return not isinstance(metrics.data_plane.lookups, Missing)
        case decision_mismatch.NAME:
            return not isinstance(metrics.data_plane.shadow, Missing)
        case _:
            return criterion.samples >= criterion.min_samples > 0
