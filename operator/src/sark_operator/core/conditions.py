"""The eleven conditions: the contract for programs.

Each has its meaning and its reason from a table, and changes its time only when its status flips.
"""

from __future__ import annotations

from collections.abc import Sequence

from sark_api import conditions as types
from sark_api import reasons
from sark_api.reasons import EventType
from sark_api.spec import Action
from sark_api.status import Condition, ConditionStatus, CriterionStatus, Phase, Verdict

from .finding import Finding, found
from .instants import to_seconds
from .judgement import seeing, spoken, with_verdict
from .ledger import filing_trouble
from .observation import Missing
from .ownership import ownership
from .problems import missing_metrics, untrusted
from .tick import Tick

_TRUE, _FALSE, _UNKNOWN = ConditionStatus.TRUE, ConditionStatus.FALSE, ConditionStatus.UNKNOWN
_State = tuple[ConditionStatus, Finding]


def conditions(tick: Tick, explanation: Finding, trouble: Finding | None) -> list[Condition]:
    """Return all conditions of the tick's draft; `trouble` is what is wrong with the flags, if anything."""
    states: dict[str, _State] = {
        types.READY: _ready(tick),
        types.PROGRESSING: _progressing(tick, explanation),
        types.CONVERGED: _converged(tick),
        types.METRICS_AVAILABLE: _metrics_available(tick),
        types.SAMPLE_SUFFICIENT: _sample_sufficient(tick.status.criteria),
        types.CRITERIA_MET: _criteria_met(tick.status.criteria),
        types.PAUSED: _during(tick, Phase.PAUSED, explanation, found(reasons.NOT_PAUSED, mode=tick.spec.mode)),
        types.REVERTING: _during(tick, Phase.REVERTING, explanation, found(reasons.NOT_REVERTING)),
        types.COMPLETED: _during(tick, Phase.COMPLETED, explanation, found(reasons.NOT_COMPLETED)),
        types.FLAGS_OWNED: ownership(tick),
        types.DEGRADED: (_TRUE, degraded)
        if (degraded := trouble or filing_trouble(tick))
        else (_FALSE, found(reasons.AS_EXPECTED)),
    }
    before = {condition.type: condition for condition in tick.before.conditions}
    return [_condition(tick, name, state, before.get(name)) for name, state in states.items()]


def _condition(tick: Tick, name: str, state: _State, before: Condition | None) -> Condition:
    status, finding = state
    kept = before is not None and before.status is status
    return Condition(
        type=name,
        status=status,
        reason=finding.reason.name,
        message=finding.message,
        last_transition_time=before.last_transition_time if before and kept else to_seconds(tick.now),
        observed_generation=tick.identity.generation,
    )


def _ready(tick: Tick) -> _State:
    return (_FALSE, tick.problems[0]) if tick.problems else (_TRUE, found(reasons.AS_EXPECTED))


def _progressing(tick: Tick, explanation: Finding) -> _State:
    """True while time alone will bring it further; a reason that wants a human makes it false."""
    moving = tick.automatic and tick.status.phase in (Phase.PENDING, Phase.PROGRESSING)
    return (_TRUE if moving and explanation.reason.event is EventType.NORMAL else _FALSE), explanation


def _converged(tick: Tick) -> _State:
    if isinstance(tick.observation.pods, Missing):
        return _UNKNOWN, tick.sighting.finding
    if not tick.observation.pods:
        return _FALSE, next(p for p in tick.problems if p.reason is reasons.NO_READY_PODS)
    return (_TRUE if tick.sighting.converged else _FALSE), tick.sighting.finding


def _metrics_available(tick: Tick) -> _State:
    missing = next(missing_metrics(tick.observation.metrics), None) or untrusted(tick.identity, tick.observation)
    if missing is not None:
        return _FALSE, found(reasons.METRICS_UNAVAILABLE, message=missing.message)
    return _TRUE, found(reasons.METRICS_READ)


def _sample_sufficient(criteria: Sequence[CriterionStatus]) -> _State:
    if not criteria:
        return _UNKNOWN, found(reasons.NOT_JUDGED)
    unknown = with_verdict(criteria, Verdict.UNKNOWN, Action.REVERT, Action.HOLD)
    few = [criterion for criterion in unknown if criterion.samples < criterion.min_samples]
    if few:
        return _FALSE, found(reasons.TOO_FEW_SAMPLES, verdicts=spoken(few))
    return _TRUE, found(reasons.SAMPLES_SUFFICIENT)


def _criteria_met(criteria: Sequence[CriterionStatus]) -> _State:
    if not criteria:
        return _UNKNOWN, found(reasons.NOT_JUDGED)
    breaches = with_verdict(criteria, Verdict.BREACH, Action.REVERT, Action.HOLD)
    if breaches:
        return _FALSE, found(reasons.CRITERIA_BREACHED, verdicts=spoken(breaches))
    if seeing(criteria):
        return _TRUE, found(reasons.CRITERIA_PASS, verdicts=spoken(criteria))
    unknown = with_verdict(criteria, Verdict.UNKNOWN, Action.REVERT, Action.HOLD)
    return _UNKNOWN, Finding(reasons.CRITERION_UNKNOWN, reasons.CRITERIA_PASS.sentence(verdicts=spoken(unknown)))


def _during(tick: Tick, phase: Phase, explanation: Finding, otherwise: Finding) -> _State:
    return (_TRUE, explanation) if tick.status.phase is phase else (_FALSE, otherwise)
