"""The way back: decided in one place, idempotent, and over only when every ready sidecar has confirmed 0 %."""

from __future__ import annotations

from sark_api import reasons
from sark_api.reasons import Reason
from sark_api.status import Phase, Revert

from .finding import found
from .flag_document import is_ours, readable_document
from .tick import OPERATOR, Tick


def revert(tick: Tick, reason: Reason, *, actor: str = OPERATOR, criterion: str = "", **values: object) -> None:
    """Take the share back to 0 % in this tick, because of `reason` with its `values`; `{percent}` is filled in here.

    The position in the plan and the bake are given up: a draft that still named a step could be read as wanting its share. The
    criteria stay as they were, for they are the evidence.
    """
    percent = tick.percent
    message = reason.sentence(percent=percent, **values)
    tick.change(
        phase=Phase.REVERTING,
        step=None,
        bake=None,
        convergence=None,
        completed_at=None,
        blind_since=None,
        approvals=[],
        awaited=None,
        revert=Revert(reason=reason.name, criterion=criterion, message=message, from_percent=percent, decided_at=tick.now),
    )
    tick.record(reason, actor, percent, message)
    tick.look_again()


def complete_revert(tick: Tick) -> None:
    """End a revert whose 0 % every ready sidecar has confirmed.

    At least one must: with no ready pod there is no witness, and the rollout keeps asking. When the flags belong to a rollout
    whose document must not be touched, nothing of ours is in force, and that is all there is to prove.
    """
    taken = readable_document(tick.observation.flags)
    superseded = taken is not None and not is_ours(tick.identity, taken) and (tick.resting or tick.observation.rival != "")
    last = tick.status.revert
    if last is None or not (tick.sighting.restored or superseded):
        return
    convergence = tick.sighting.convergence
    proof = (
        f"the flags belong to {taken.rollout}"
        if superseded and taken is not None
        else f"{convergence.confirmed} of {convergence.total} sidecars confirmed 0%"
    )
    seconds = f"{(tick.now - last.decided_at).total_seconds():.1f}"
    restored = found(reasons.BASELINE_RESTORED, proof=proof, seconds=seconds)
    tick.change(phase=Phase.REVERTED, revert=last.model_copy(update={"completed_at": tick.now}))
    tick.record(restored.reason, OPERATOR, 0, restored.message)
