"""Trying again without being asked: bounded, after a cool-down that doubles, and only after what a criterion took back."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from sark_api import reasons
from sark_api.reasons import REASONS
from sark_api.spec import Mode, SarkRolloutSpec
from sark_api.status import Phase, SarkRolloutStatus

from .figures import span
from .finding import Finding
from .flag_document import is_ours, readable_document
from .tick import OPERATOR, Tick

LONGEST: Final = timedelta(days=7)
_RETRIABLE: Final = (reasons.CRITERION_BREACHED.name, reasons.BLIND_TOO_LONG.name)


def retry(tick: Tick) -> None:
    """Begin the attempt again when its cool-down has passed, or say when that will be."""
    status, limit = tick.status, tick.spec.rollback.retry.limit
    last = status.revert
    if last is None or tick.hold is not None:
        return
    due = due_at(tick.spec, status)
    if due is None or tick.identity.deleting or tick.observation.rival:
        return
    number, wait = status.retries + 1, cool_down(tick.spec, status.retries)
    document = readable_document(tick.observation.flags)
    if document is not None and not is_ours(tick.identity, document):
        # Its rollout may rest by now and be no rival any more: the fleet that it has moved is not begun anew unasked.
        owner = document.rollout or "of no name"
        message = reasons.RETRY_SUPERSEDED.sentence(why=last.message, retry=number, limit=limit, owner=owner)
        tick.hold = Finding(REASONS[last.reason], message)
        return
    left = due - tick.now
    if left > timedelta(0):
        message = reasons.RETRY_WAITS.sentence(why=last.message, retry=number, limit=limit, left=span(left))
        tick.hold = Finding(REASONS[last.reason], message)
        return
    tick.restart(again(status, attempt=status.attempt, retries=number))
    tick.record(reasons.RETRIED, OPERATOR, 0, reasons.RETRIED.sentence(retry=number, limit=limit, cooled=span(wait)))


def due_at(spec: SarkRolloutSpec, status: SarkRolloutStatus) -> datetime | None:
    """Return when a reverted rollout is begun again without being asked; None when it is not."""
    last = status.revert
    if status.phase is not Phase.REVERTED or last is None or last.completed_at is None or spec.mode is not Mode.AUTO:
        return None
    if last.reason not in _RETRIABLE or status.retries >= spec.rollback.retry.limit or status.attempt != spec.attempt:
        return None
    return last.completed_at + cool_down(spec, status.retries)


def cool_down(spec: SarkRolloutSpec, retries: int) -> timedelta:
    """Return how long 0 % lasts before the next retry, after so many: doubled each time, at least one metric window."""
    wait: timedelta = spec.rollback.retry.after * (1 << retries)
    return max(min(wait, LONGEST), spec.criteria.window)


def again(status: SarkRolloutStatus, *, attempt: int, retries: int) -> SarkRolloutStatus:
    """Return the status at which everything begins anew.

    What was answered and what was written stays known: neither a request nor a revision is ever used a second time.
    """
    return SarkRolloutStatus(
        attempt=attempt,
        retries=retries,
        flags=status.flags,
        request=status.request,
        history=status.history,
        leader=status.leader,
        ledger=status.ledger,
        notified=status.notified,
        conditions=status.conditions,
    )
