"""One criterion in sentences: what it says, and what that rests on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from sark_api.spec import Action
from sark_api.status import CriterionStatus, Verdict
from sark_operator.core.figures import count
from sark_operator.core.nearness import odds_in
from sark_operator.core.sequential.weight import DOUBTFUL

from .times import moment

_DOES: Final = {Action.REVERT: "reverts", Action.HOLD: "holds the step", Action.WARN: "only warns"}
_COUNTED: Final = {
    "errorRate": "request",
    "latencyP95": "request",
    "denyShift": "decision",
    "sampleRatio": "request",
    "memoryGrowth": "pod",
    "decisionMismatch": "comparison",
    "fallbackRate": "request",
    "opaP95": "evaluation",
    "cacheP95": "look-up",
    "throughput": "request",
    "cpu": "pod",
}
"""What the samples of a criterion are; of any other they are called samples."""
_SLOW: Final = ("latencyP95", "opaP95", "cacheP95")
"""Criteria whose value is a time, and whose bound is a share: of what took longer than the limit."""
_TOLD: Final = {
    "name",
    "verdict",
    "action",
    "value",
    "limit",
    "samples",
    "minSamples",
    "message",
    "query",
    "since",
    "bound",
    "evidence",
    "evidenceNeeded",
    "windows",
    "seen",
}


def criterion_lines(criterion: CriterionStatus) -> list[str]:
    """Return what a criterion says, with its limit, its samples, what is proven, and the question that was asked."""
    since = f" since {moment(criterion.since)}" if criterion.since else ""
    does = _DOES.get(Action(criterion.action)) if criterion.action in set(Action) else f"does {criterion.action}"
    lines = [f"  {criterion.name}: {criterion.verdict}{since}; a breach {does}"]
    lines += [f"    {line}" for line in _rests_on(criterion)]
    for name, member in criterion.to_wire().items():
        if name not in _TOLD:
            lines += [f"  {line}" for line in further(name, member)]
    return [*lines, f"    query: {criterion.query}"] if criterion.query else lines


def further(name: str, value: Any) -> Iterator[str]:
    """Yield a member this command has no sentence for, so that a newer record is shown and not swallowed."""
    if isinstance(value, list):
        for member in value:
            yield f"  {name}: {_flat(member)}"
    elif value not in ("", 0, False, {}):
        yield f"  {name}: {_flat(value)}"


def _rests_on(criterion: CriterionStatus) -> Iterator[str]:
    """Yield the verdict's sentence, and of what it rests on what that sentence does not tell."""
    message = criterion.message
    yield message.removeprefix(f"{criterion.name} ").removeprefix(f"{criterion.verdict}: ")
    yield _measured(criterion)
    if criterion.verdict is Verdict.UNKNOWN and criterion.seen:
        yield "it was measured, only not proven: rollback.blindFor does not run for it"
    if criterion.bound.strip("0.% ") and f"at least {criterion.bound} with" not in message:
        yield _bound(criterion)
    if criterion.evidence and f"evidence {criterion.evidence} in" not in message:
        yield _evidence(criterion)


def _measured(criterion: CriterionStatus) -> str:
    value = f"value {criterion.value}" if criterion.value else "no value"
    limit = f"limit {criterion.limit}" if criterion.limit else "no limit"
    if not criterion.samples and not criterion.min_samples:
        return f"{value}, {limit}"
    needed = f"; a verdict needs {criterion.min_samples:,}" if criterion.min_samples else ""
    return f"{value}, {limit}, from {count(criterion.samples, _COUNTED.get(criterion.name, 'sample'))}{needed}"


def _bound(criterion: CriterionStatus) -> str:
    if criterion.name in _SLOW:
        return f"this window alone proves with 99.9% confidence that at least {criterion.bound} took longer than the limit"
    return f"this window alone proves with 99.9% confidence that it is at least {criterion.bound}"


def _evidence(criterion: CriterionStatus) -> str:
    """Return what all windows that were counted say for a breach, and how much of it is enough."""
    odds, enough = odds_in(criterion.evidence) or 0, criterion.evidence_needed
    found = criterion.evidence if odds > 1 else f"none ({criterion.evidence})"
    sentence = f"evidence for a breach from {count(criterion.windows, 'counting window')} of this attempt: {found}"
    if not enough:
        return sentence
    if odds >= (odds_in(enough) or 0):
        return f"{sentence}; {enough} is enough"
    doubted = f", and from {DOUBTFUL:g} to 1 on it does not pass" if odds >= DOUBTFUL else ""
    return f"{sentence}; {enough} would be enough{doubted}"


def _flat(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_flat(member)}" for key, member in value.items())
    return str(value)
