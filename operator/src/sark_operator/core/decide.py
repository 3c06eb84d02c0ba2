"""One tick of one rollout, as a function of values.

    decide(identity, spec, status, observation, now) -> Decision

The steps stand in the order in which they happen, whatever the state: the way back first, the way on last. Each changes the
tick's draft, and each sees what the ones before it decided, so that an advance cannot happen after a revert.

The function is deterministic. Deciding again on its own outcome, with the flags it wrote and nothing else changed, decides
nothing more.
"""

from __future__ import annotations

from datetime import datetime

from sark_api import reasons
from sark_api.spec import SarkRolloutSpec
from sark_api.status import Phase, SarkRolloutStatus

from .advance import advance
from .ahead import ahead
from .conditions import conditions
from .convergence import convergence
from .decision import Action, Decision, ReleaseFinalizer, WriteFlags, WriteStatus
from .explanation import explain
from .finalizer import may_release
from .flag_plan import FlagPlan, plan_flags
from .history import appended, entries
from .intent import intent
from .ledger import next_number, recorded, settled
from .lifecycle import wanted_percent
from .observation import Identity, Observation
from .ownership import record_edits
from .proof import proof
from .safety import safety
from .summary import summarize
from .tick import OPERATOR, Tick
from .wake import wake_at


def decide(
    identity: Identity, spec: SarkRolloutSpec, status: SarkRolloutStatus, observation: Observation, now: datetime
) -> Decision:
    """Return the next status of the rollout, and the writes that bring the world there, in their order."""
    tick = Tick.begin(identity, spec, status, observation, now)
    tick.change(ledger=settled(tick.status.ledger, observation.filing))
    safety(tick)
    intent(tick)
    convergence(tick)
    proof(tick)
    advance(tick)
    return _conclude(tick, status)


def _conclude(tick: Tick, stored: SarkRolloutStatus) -> Decision:
    """Turn the tick's draft into a decision: the flags it needs, its record, and what it says to people and programs."""
    plan = plan_flags(tick.claim())
    released = may_release(tick, plan)
    tick.change(flags=plan.applied)
    if plan.write and plan.trouble and plan.trouble.reason is reasons.FLAGS_REPAIRED:
        tick.record(reasons.FLAGS_REPAIRED, OPERATOR, tick.percent, plan.trouble.message)
    record_edits(tick, plan.write)
    _name_revision(tick, plan)
    revision = plan.applied.revision if plan.applied and plan.applied.percent == tick.percent else 0
    records = entries(
        tick.transitions,
        first=next_number(tick.status.ledger),
        now=tick.now,
        revision=revision,
        policy_revision=tick.sighting.policy,
        operator_version=tick.observation.operator_version,
    )
    explanation = explain(tick, released=released)
    tick.change(
        history=appended(tick.status.history, records),
        ledger=recorded(tick, records),
        reason=explanation.reason.name,
        message=explanation.message,
        conditions=conditions(tick, explanation, plan.trouble),
        summary=summarize(tick.spec, tick.status),
        next=None if tick.identity.deleting else ahead(tick.spec, tick.status, tick.now),
    )
    flags_first = tick.percent <= wanted_percent(tick.before)
    actions = _actions(plan.write, flags_first=flags_first, changed=tick.status != stored, released=released)
    return Decision(tick.status, actions, records, wake_at(tick, plan))


def _name_revision(tick: Tick, plan: FlagPlan) -> None:
    """Note in a revert the revision that restores the baseline; until it has, another one may be needed."""
    last, applied = tick.status.revert, plan.applied
    if last is None or applied is None or applied.percent > 0 or tick.status.step is not None:
        return
    if last.revision == 0 or tick.status.phase is Phase.REVERTING:
        tick.change(revert=last.model_copy(update={"revision": applied.revision}))


def _actions(write: WriteFlags | None, *, flags_first: bool, changed: bool, released: bool) -> tuple[Action, ...]:
    """Return the writes in their order: status first where the share goes up, flags first where they take something back.

    Whatever is lost in between, no more is in force than the stored status allows. A plain renewal is not urgent, so its status
    comes first.
    """
    status: tuple[Action, ...] = (WriteStatus(),) if changed else ()
    flags: tuple[Action, ...] = (write,) if write else ()
    release: tuple[Action, ...] = (ReleaseFinalizer(),) if released else ()
    urgent = flags_first and write is not None and write.force
    return (*flags, *status, *release) if urgent else (*status, *flags, *release)
