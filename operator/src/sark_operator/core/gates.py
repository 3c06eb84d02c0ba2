"""What a proven step waits for before the next one begins: a human's word, and a time of the week. Neither stops a revert."""

from __future__ import annotations

from datetime import timedelta

from sark_api import reasons
from sark_api.instant import format_instant
from sark_api.spec import Approval, OnExpiry, Step
from sark_api.status import ApprovalStatus, Awaited

from .figures import span
from .finding import Finding, found
from .revert import complete_revert, revert
from .tick import OPERATOR, Tick
from .windows import UnknownZoneError, is_open, opens_at


def why_shut(tick: Tick, step: Step) -> Finding | None:
    """Return what keeps `step` from beginning now, or None when nothing does. An approval that came too late may revert."""
    return _unapproved(tick, step) or _outside(tick, step)


def used_up(approvals: list[ApprovalStatus], percent: int) -> list[ApprovalStatus]:
    """Return the approvals that are left once the step of `percent` has begun."""
    return [each for each in approvals if each.percent > percent]


def _unapproved(tick: Tick, step: Step) -> Finding | None:
    """Return that an approval is missing: of `step`, or of one that is left out on the way to it."""
    present = tick.status.step.percent if tick.status.step else -1
    needed = [each.percent for each in tick.spec.plan() if present < each.percent <= step.percent and _gated(each)]
    given = {each.percent for each in tick.status.approvals if _valid(tick, each)}
    missing = next((percent for percent in needed if percent not in given), None)
    if missing is None:
        tick.change(awaited=None)
        return None
    return _await(tick, missing)


def _gated(step: Step) -> bool:
    return step.approval is Approval.REQUIRED


def _valid(tick: Tick, approval: ApprovalStatus) -> bool:
    lasts = tick.spec.approvals.valid_for
    return not lasts or tick.now - approval.given_at < lasts


def _await(tick: Tick, step: int) -> Finding:
    """Wait for the approval of `step`, for so long as is asked."""
    rules, percent = tick.spec.approvals, tick.percent
    awaited = tick.status.awaited
    reverts = rules.on_expiry is OnExpiry.REVERT and tick.status.step is not None
    then = "; then it goes back to 0%" if reverts else ""
    if awaited is None or awaited.percent != step:
        awaited = Awaited(percent=step, since=tick.now)
        due = format_instant(tick.now + rules.expire_after)
        until = f"{' until' if reverts else ', expected by'} {due}{then}" if rules.expire_after else ""
        waits = found(reasons.APPROVAL_AWAITED, percent=percent, step=step, until=until)
        tick.record(waits.reason, OPERATOR, percent, waits.message)
    left = awaited.since + rules.expire_after - tick.now
    expired = bool(rules.expire_after) and left <= timedelta(0)
    tick.change(awaited=awaited.model_copy(update={"expired": expired}))
    if not expired:
        until = f", another {span(left)}{then}" if rules.expire_after else ""
        return found(reasons.APPROVAL_AWAITED, percent=percent, step=step, until=until)
    limit = span(rules.expire_after)
    if reverts:
        revert(tick, reasons.APPROVAL_MISSED, step=step, limit=limit)
        complete_revert(tick)  # convergence, which does it otherwise, is over in this tick
        return found(reasons.APPROVAL_MISSED, percent=percent, step=step, limit=limit)
    late = found(reasons.APPROVAL_EXPIRED, percent=percent, step=step, limit=limit)
    if not awaited.expired and tick.status.step is not None:
        tick.record(late.reason, OPERATOR, percent, late.message)
    return late


def _outside(tick: Tick, step: Step) -> Finding | None:
    percent, windows = tick.percent, tick.spec.windows
    try:
        if is_open(windows, tick.now):
            return None
        at = opens_at(windows, tick.now)
        opens = f"the next one opens at {format_instant(at)}" if at else "none opens"
    except UnknownZoneError as error:
        opens = f"the operator does not know the time zone {error}"
    return found(reasons.OUTSIDE_WINDOW, percent=percent, step=step.percent, opens=opens)
