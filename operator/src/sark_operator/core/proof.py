"""Step 4 of a tick: the bake clock, which counts proven time only.

Time counts between two ticks in a row at which every sidecar had confirmed the share and every criterion passed, and only as
much of it as three intervals: an operator that was dead, or a clock that was set forward, proves nothing. A clock that is set
back takes nothing away. Whatever stops the clock freezes it; it goes on from where it stood.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from sark_api import reasons
from sark_api.reasons import shorten
from sark_api.spec import Action
from sark_api.status import Bake, Phase, Verdict

from .finding import Finding, found
from .judgement import seeing, spoken, with_verdict
from .plan import fresh_bake
from .tick import Tick

MAX_GAP_INTERVALS: Final = 3
_FROZEN: Final = 512


def proof(tick: Tick) -> None:
    """Add to the proven time of the present step, or say why it is frozen."""
    step = tick.status.step
    if step is None or tick.status.phase not in (Phase.PROGRESSING, Phase.PAUSED):
        return
    tick.hold = _why_frozen(tick)
    required = fresh_bake(tick.spec, step.percent)
    before = tick.status.bake or required
    tick.change(bake=_frozen(before, required, tick.hold) if tick.hold else _counted(tick, before, required))


def _why_frozen(tick: Tick) -> Finding | None:
    """Return the gravest reason why this tick proves nothing, or None when it does."""
    criteria, percent = tick.status.criteria, tick.percent
    if tick.status.phase is Phase.PAUSED:
        return found(reasons.PAUSED_BY_USER, percent=percent)
    if tick.problems:
        return tick.problems[0]
    if not tick.sighting.converged:
        return tick.sighting.finding
    if seeing(criteria):
        return None
    if breaches := with_verdict(criteria, Verdict.BREACH, Action.HOLD, Action.REVERT):
        return found(reasons.CRITERION_HOLDS, percent=percent, verdicts=spoken(breaches))
    unknown = with_verdict(criteria, Verdict.UNKNOWN, Action.HOLD, Action.REVERT)
    return found(reasons.CRITERION_UNKNOWN, percent=percent, verdicts=spoken(unknown))


def _frozen(before: Bake, required: Bake, why: Finding) -> Bake:
    return required.model_copy(
        update={"proven_milliseconds": before.proven_milliseconds, "frozen": shorten(why.message, _FROZEN)}
    )


def _counted(tick: Tick, before: Bake, required: Bake) -> Bake:
    """Return the bake with the time since the last counted tick; there is none after a tick at which it was frozen."""
    gap = tick.now - before.counted_at if before.counted_at else timedelta(0)
    counted = max(timedelta(0), min(gap, MAX_GAP_INTERVALS * tick.spec.interval))
    milliseconds = before.proven_milliseconds + counted // timedelta(milliseconds=1)
    return required.model_copy(update={"proven_milliseconds": milliseconds, "counted_at": tick.now})
