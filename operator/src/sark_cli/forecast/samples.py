"""How many samples each criterion needs in its window, and how many a given traffic gives it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from sark_api.spec import Action, SarkRolloutSpec
from sark_operator.core.lifecycle import FULL, is_split
from sark_operator.core.plan import needs as stage

_BOTH_ARMS = ("latencyP95", "denyShift")
"""Criteria that compare with the baseline arm, and so need its requests as well."""
_TOGETHER = ("sampleRatio",)
"""Criteria that need requests, whichever arm has them."""
_SPLIT_ONLY = ("denyShift", "sampleRatio")
"""Criteria that are not judged at the full share, where there is one arm."""
STORED: Final = "stored"
"""The arm of a need that only an earlier step can meet."""


@dataclass(frozen=True, slots=True)
class Need:
    """One criterion at one share."""

    criterion: str
    """Name as in spec.criteria."""
    arm: str
    """new, baseline or both: whose requests; compared: those drawn for the shadow; stored: the baseline's in a step before."""
    needed: int
    got: float
    """Requests the window holds at this traffic, on average."""
    action: Action

    @property
    def met(self) -> bool:
        """Whether there are enough."""
        return self.got >= self.needed


def needs(spec: SarkRolloutSpec, percent: int, traffic: float) -> Iterator[Need]:
    """Yield what every criterion with a least number of samples needs at `percent`, and gets at `traffic` requests a second.

    Every criterion that has `minSamples` is found by that field, so that a new one needs no change here. Its samples are at
    most the arm's requests: a criterion that counts something rarer, evaluations behind a cache say, may get fewer.
    """
    window = spec.criteria.window.total_seconds()
    compared = stage(spec, percent).shadow.sample_percent
    if compared:
        mismatch = spec.criteria.decision_mismatch
        yield Need("decisionMismatch", "compared", mismatch.min_comparisons, traffic * compared / 100 * window, mismatch.action)
    if percent == 0:
        return
    yield from needs_of_earlier(spec, percent)
    split = is_split(percent)  # at the full share there is no baseline arm, and the stored baseline serves
    for name, field in type(spec.criteria).model_fields.items():
        criterion = getattr(spec.criteria, name)
        needed = getattr(criterion, "min_samples", None)
        if needed is None:
            continue
        spelled = field.alias or name
        action = getattr(criterion, "action", Action.REVERT)
        if spelled in _SPLIT_ONLY and not split:
            continue
        if spelled in _TOGETHER:
            yield Need(spelled, "both", needed, traffic * window, action)
            continue
        yield Need(spelled, "new", needed, traffic * percent / 100 * window, action)
        if spelled in _BOTH_ARMS and split:
            yield Need(spelled, "baseline", needed, traffic * (100 - percent) / 100 * window, action)


def needs_of_earlier(spec: SarkRolloutSpec, percent: int) -> Iterator[Need]:
    """Yield what is needed at `percent` of steps before it and is not there, whatever the traffic.

    At the full share latencyP95 compares with the baseline's last p95, which only a step that splits the traffic measures.
    """
    latency = spec.criteria.latency_p95
    if percent == FULL and not any(is_split(step.percent) for step in spec.plan()):
        yield Need("latencyP95", STORED, latency.min_samples, 0.0, latency.action)
