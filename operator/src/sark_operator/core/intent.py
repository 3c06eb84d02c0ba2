"""Step 2 of a tick: what the user asked for in the spec. It can stop, pause, restart and re-plan; it never raises a share."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from sark_api import reasons
from sark_api.spec import Mode, OnDelete
from sark_api.status import FlagsApplied, Phase, StepProgress

from .edits import Edit, record_spec_edits, spec_edits, told
from .figures import span
from .finding import found
from .flag_document import feature_flags, is_ours, readable_document
from .plan import fresh_bake, position
from .request import follow_request
from .retry import again, retry
from .revert import revert
from .spec_fields import section
from .tick import USER, Tick

_MODE_TOLD: Final = {each.name for each in (reasons.PAUSED_BY_USER, reasons.RESUMED_BY_USER, reasons.ROLLED_BACK_BY_USER)}


def intent(tick: Tick) -> None:
    """Follow deletion, mode, attempt, a retry that is due, edits of all else, and a request, in this order."""
    _delete(tick)
    _roll_back(tick)
    _restart(tick)
    retry(tick)
    _pause_or_resume(tick)
    _follow_edits(tick)
    follow_request(tick)
    tick.change(observed_generation=tick.identity.generation)


def _delete(tick: Tick) -> None:
    if tick.identity.deleting and tick.spec.rollback.on_delete is OnDelete.BASELINE and tick.in_step:
        revert(tick, reasons.ROLLOUT_DELETED, actor=USER)


def _roll_back(tick: Tick) -> None:
    if tick.spec.mode is Mode.ROLLBACK and tick.in_step:
        revert(tick, reasons.ROLLED_BACK_BY_USER, actor=USER)


def _restart(tick: Tick) -> None:
    """Begin a new attempt from the end of an earlier one.

    A higher number is taken up where there is progress to discard: once reverted, or completed. During a revert it waits for
    its end; with mode Rollback, for another mode. On the way up it is only recorded, for there is nothing to try again. A lower
    number, as a reverted commit brings it, restarts nothing. After a revert one metric window must pass first.
    """
    before, asked = tick.status.attempt, tick.spec.attempt
    ended = tick.status.phase in (Phase.REVERTED, Phase.COMPLETED)
    if before == asked or tick.status.phase is Phase.REVERTING:
        return
    if not ended or asked < before:
        tick.change(attempt=asked)
        return
    if tick.spec.mode is Mode.ROLLBACK or tick.identity.deleting or _remembers_failure(tick):
        return
    percent, old = tick.percent, tick.status
    tick.restart(again(old, attempt=asked, retries=0))
    message = reasons.ATTEMPT_RAISED.sentence(attempt=asked, before=before)
    tick.record(reasons.ATTEMPT_RAISED, USER, percent, message)


def _remembers_failure(tick: Tick) -> bool:
    """Return whether the metric window still holds requests of the attempt that was reverted, and say so.

    A new attempt begun now would be judged by the old one's errors and reverted at its first tick.
    """
    last, window = tick.status.revert, tick.spec.criteria.window
    if tick.status.phase is not Phase.REVERTED or last is None or last.completed_at is None:
        return False
    left = last.completed_at + window - tick.now
    if left > timedelta(0):
        tick.hold = found(reasons.ATTEMPT_WAITS, attempt=tick.spec.attempt, left=span(left), window=span(window))
    return left > timedelta(0)


def _pause_or_resume(tick: Tick) -> None:
    """Pausing stops advances and the bake. Safety, and the renewal of the flags, go on."""
    phase, percent = tick.status.phase, tick.percent
    if tick.spec.mode is Mode.PAUSED and phase in (Phase.PENDING, Phase.PROGRESSING):
        tick.change(phase=Phase.PAUSED)
        tick.record(reasons.PAUSED_BY_USER, USER, percent, reasons.PAUSED_BY_USER.sentence(percent=percent))
    elif tick.spec.mode is not Mode.PAUSED and phase is Phase.PAUSED:
        tick.change(phase=Phase.PROGRESSING if tick.status.step else Phase.PENDING)
        message = reasons.RESUMED_BY_USER.sentence(percent=percent, mode=tick.spec.mode)
        tick.record(reasons.RESUMED_BY_USER, USER, percent, message)


def _follow_edits(tick: Tick) -> None:
    """Follow an edited plan and edited features, and record whatever else was edited: each field in one record."""
    edits = spec_edits(tick)
    steps = [edit for edit in edits if section(edit.path) in ("steps", "schedule")]
    features = [edit for edit in edits if section(edit.path) == "features"]
    recorded = [*(steps if _follow_plan(tick, steps) else ()), *(features if _follow_features(tick, features) else ())]
    record_spec_edits(tick, [edit for edit in edits if edit not in recorded and not _is_told(tick, edit)])


def _is_told(tick: Tick, edit: Edit) -> bool:
    """Return whether a transition tells of this edit: of an attempt when it begins, and of a mode that leads to something."""
    happened = {each.reason.name for each in tick.transitions}
    begins = reasons.ATTEMPT_RAISED.name in happened or tick.status.attempt != tick.spec.attempt
    if edit.path == "mode":
        return bool(happened & _MODE_TOLD) or (begins and tick.spec.mode is Mode.AUTO)
    return edit.path == "attempt" and begins


def _follow_plan(tick: Tick, edits: Sequence[Edit]) -> bool:
    """Find the present share's place in a plan that was edited on the way, and return whether it has another one.

    The share itself stays, whatever the plan says now. A promotion to a step that is gone is forgotten.
    """
    step = tick.status.step
    if step is None:
        return False
    index, total = position(tick.spec, step.percent)
    lost = step.promoted_to is not None and step.promoted_to not in [step.percent, *(each.percent for each in tick.spec.plan())]
    if (index, total) == (step.index, step.total) and not lost:
        return False
    promoted_to = None if lost else step.promoted_to
    tick.change(step=step.model_copy(update={"index": index, "total": total, "promoted_to": promoted_to}))
    message = reasons.PLAN_EDITED.sentence(percent=step.percent, step=f"{index} of {total}", edits=told(tick, edits))
    tick.record(reasons.PLAN_EDITED, USER, step.percent, message)
    return True


def _follow_features(tick: Tick, edits: Sequence[Edit]) -> bool:
    """Start the step again when the features were edited, and return whether: what was proven was proven for other switches.

    The edit tells, also where the document does not: it may be gone, be unreadable, or say so already, written by an operator
    that died before the status. The document tells where an older operator has not kept what the spec said.
    """
    step = tick.status.step
    if step is None or tick.status.phase is Phase.COMPLETED or not (edits or _serves_other_features(tick, step)):
        return False
    # Until the document says so too the step begins anew in each tick; the edit itself is told once, with what it was. What
    # was asked for after that was asked for these features.
    edited = bool(edits) or tick.before.evaluated_spec is None
    tick.change(
        step=step.model_copy(update={"started_at": tick.now, "promoted_to": None if edited else step.promoted_to}),
        bake=fresh_bake(tick.spec, step.percent),
        flags=_to_be_confirmed(tick),
        convergence=None,
        awaited=None,
    )
    if edited:
        message = reasons.FEATURES_EDITED.sentence(percent=step.percent, edits=told(tick, edits))
        tick.record(reasons.FEATURES_EDITED, USER, step.percent, message)
    tick.look_again()
    return True


def _serves_other_features(tick: Tick, step: StepProgress) -> bool:
    document = readable_document(tick.observation.flags)
    if document is None or not is_ours(tick.identity, document) or document.percentage != step.percent:
        return False
    return document.feature_flags != feature_flags(tick.spec.features, step.percent)


def _to_be_confirmed(tick: Tick) -> FlagsApplied | None:
    """Return the flags in force as those that sidecars must confirm, if the status does not know them: they are of the edit."""
    flags, known = tick.status.flags, tick.before.flags
    if flags is None or known is None or flags.revision == known.revision:
        return flags
    return flags.model_copy(update={"share_revision": flags.revision})
