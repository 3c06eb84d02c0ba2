"""What a glimpse may come to: the way back for a breach that all that can be seen shows as well, and nothing else."""

from __future__ import annotations

from dataclasses import replace

from sark_api.spec import Action
from sark_operator.core.decide import decide
from sark_operator.core.decision import goes_back_for_a_breach
from sark_operator.core.observation import Metrics, Observation
from sark_operator.shell.observer import UNASKED

from .moment import Moment
from .shares import check_way_back
from .symptoms import Found
from .tally import noted

SIGNS = {"errorRate", "latencyP95", "denyShift", "decisionMismatch", "alerts"}
"""Criteria whose breach a glimpse may show."""


def check_glimpse(moment: Moment, observation: Observation) -> None:
    """A glimpse takes back for a breach only what is taken back for one anyway, with the evidence that was there before."""
    glimpse = replace(observation, metrics=at_a_glimpse(observation.metrics))
    target = moment.target
    decision = decide(target.identity, target.spec, target.status, glimpse, target.now)
    whole = goes_back_for_a_breach(moment.decision)
    if goes_back_for_a_breach(decision):
        noted("back by a glimpse")
        assert whole, "a glimpse takes back what all that can be seen does not"
        check_way_back(replace(moment, decision=decision))
        # It counts no window; a clock that was set back takes its end along.
        until, before = decision.status.counted_until, moment.before.counted_until
        assert until == before or (until and before and until < before)
    elif whole and moment.found is Found.AT_ONCE and moment.broken(moment.share) in SIGNS:
        assert moment.action(moment.symptom.bad) is not Action.REVERT, "a glimpse does not see what can be seen at once"


def at_a_glimpse(metrics: Metrics) -> Metrics:
    """Return what a glimpse has of `metrics`."""
    return replace(
        metrics,
        memory=UNASKED,
        sustained_memory=None if metrics.sustained_memory is None else UNASKED,
        data_plane=replace(metrics.data_plane, fallbacks=UNASKED, evaluations=UNASKED, lookups=UNASKED, cpu=UNASKED),
        custom=dict.fromkeys(metrics.custom, UNASKED),
        windows=UNASKED,
        scraped=UNASKED,
        foreign=UNASKED,
    )
