"""What time and counting windows prove: each of them once, and enough of them something."""

from __future__ import annotations

from sark_api.spec import Action
from sark_api.status import Verdict
from sark_operator.core.lifecycle import wanted_percent

from .moment import ROUNDING, Moment
from .tally import TALLY, noted

ENOUGH = 70
"""Counting windows of a criterion far beyond its limit that are a breach by any reckoning, at a share where they can be."""
FEW_CROWD = 25
"""Share in percent up to which requests that crowd into the new arm stand out so much."""


def check_bake(moment: Moment) -> None:
    """Proven time is at most the time between good ticks, and at most three intervals of it at once."""
    before, after = moment.before, moment.after
    if after.step is None or after.bake is None or before.step is None or before.bake is None:
        return
    if "FeaturesEdited" in moment.reasons:
        assert after.bake.proven_milliseconds == 0, "what was proven for other features is kept"
    if after.step.percent != before.step.percent or after.bake.proven_milliseconds < before.bake.proven_milliseconds:
        assert after.bake.proven_milliseconds == 0
        return
    grown = after.bake.proven_milliseconds - before.bake.proven_milliseconds
    assert 0 <= grown <= moment.most
    if moment.sure:
        assert after.bake.counted_at == moment.now, f"nothing was in the way, and it is frozen: {after.bake.frozen}"
    assert after.bake.proven_milliseconds <= moment.allowance
    if moment.sure and moment.known.sure:
        TALLY["bake surely counts"] += 1
        if any(one.verdict is Verdict.BREACH for one in after.criteria if one.name not in ("throughput", "cpu")):
            TALLY["bake counts in spite of a warning"] += 1
        assert grown > moment.most - ROUNDING - 1e-6, "nothing was in the way, and not all the time was counted"


def check_evidence(moment: Moment) -> None:
    """No window counts twice, be its number or its time: no more are added than Prometheus has newly given."""
    before, after = moment.before, moment.after
    if after.counted_until is None:
        assert not any(evidence.windows for evidence in after.evidence)
        return
    assert after.counted_until <= max(moment.now, before.counted_until or moment.now)
    if before.started_at is None or before.attempt != after.attempt or not after.evidence:
        return
    known = {evidence.name: evidence for evidence in before.evidence}
    new = len(moment.new_windows)
    for evidence in after.evidence:
        old = known.get(evidence.name)
        grown = evidence.windows - (old.windows if old else 0)
        assert 0 <= grown <= new, f"{evidence.name} has counted {grown} windows, and there are {new} new ones"
        if old is not None and grown == 0:
            assert evidence == old
        TALLY["evidence grows" if grown else "evidence stands"] += 1
    if moment.quiet:
        TALLY["no counting windows for too long"] += 1


def check_what_lasts(moment: Moment) -> None:
    """What has been bad for long is called a breach, whatever its action, and whatever was good before."""
    criterion, share, windows = moment.known.lasting
    if not moment.running or criterion != moment.broken(moment.share) or share != moment.share or windows < ENOUGH:
        return
    if not criterion or not moment.new_windows or (criterion == "sampleRatio" and share > FEW_CROWD):
        return
    if criterion == "latencyP95" and moment.uncompared:
        return
    noted(f"{criterion} lasts")
    action = moment.action(criterion)
    if action is Action.REVERT:
        assert wanted_percent(moment.after) == 0
        return
    verdicts = {one.name: one.verdict for one in moment.after.criteria}
    assert verdicts[criterion] is Verdict.BREACH
