"""What counts as not seeing, which ends a share after rollback.blindFor. An Unknown verdict is not always blindness."""

from __future__ import annotations

from collections.abc import Sequence

from sark_api.spec import Action
from sark_api.status import CriterionStatus, Verdict

from .figures import sentences
from .judgement import spoken, with_verdict
from .observation import Identity, Metrics, Missing, Observation
from .problems import partly_seen
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


def half_seen(criteria: Sequence[CriterionStatus], identity: Identity, observation: Observation) -> Missing | None:
    """Return why what is seen is not the fleet, all of it and nothing else, though a criterion should be able to revert.

    A criterion that passes then has passed for a part of the fleet, or for requests of others. None when all is seen, or when
    nothing that could be seen would take anything back.
    """
    if not any(one.action == Action.REVERT for one in criteria):
        return None
    return partly_seen(identity, observation)


def what_is_unseen(criteria: Sequence[CriterionStatus], part: Missing | None) -> str:
    """Return what is not seen as one sentence: first `part`, what is amiss with the fleet as a whole, then the `criteria`.

    When Prometheus answers nothing both have one reason, which the criteria tell.
    """
    said = spoken(criteria)
    return said if part is None or part.message in said else sentences([part.message, *([said] if said else [])])


def _seen(criterion: CriterionStatus, metrics: Metrics) -> bool:
    match criterion.name:
        case memory_growth.NAME:
            return memory_growth.is_seen(metrics.memory)
        case service_time.OPA_NAME:
            return service_time.is_seen(metrics.data_plane.evaluations)
        case service_time.CACHE_NAME:
            return service_time.is_seen(metrics.data_plane.lookups)
        case decision_mismatch.NAME:
            return decision_mismatch.is_seen(metrics.data_plane.shadow)
        case _:
            return criterion.samples >= criterion.min_samples > 0
