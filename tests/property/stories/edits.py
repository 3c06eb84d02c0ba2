"""What must hold of the records of edits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sark_api.spec import Mode, SarkRolloutSpec

from .moment import Moment
from .tally import noted

EDITS = frozenset({"SpecEdited", "PlanEdited", "FeaturesEdited"})
_STEERING = ("mode", "attempt")
"""What of a spec asks for something at once; what comes of it has a record of its own."""
_MODES = frozenset({"PausedByUser", "ResumedByUser", "RolledBackByUser"})


def policy_of(spec: SarkRolloutSpec) -> dict[str, object]:
    """Return what the spec says, but for requests, whose answers are told elsewhere."""
    return {name: said for name, said in spec.to_wire().items() if name != "request"}


def check_edits(moment: Moment, evaluated: Mapping[str, object]) -> None:
    """An edit is recorded when it is first evaluated, with what it changed, and moves nothing by itself."""
    policy = policy_of(moment.spec)
    told = [record for record in moment.decision.records if record.reason in EDITS]
    edited = moment.before.evaluated_spec is not None and policy != evaluated
    assert edited or not [record for record in told if record.reason == "SpecEdited"]
    assert told or not edited or _how_it_is_proven(policy) == _how_it_is_proven(evaluated)
    assert not edited or _is_steering_told(moment, [name for name in _STEERING if policy.get(name) != evaluated.get(name)])
    assert all(record.from_percent == record.to_percent for record in told)
    if not edited:
        return
    limits = [_cpu_limit(each) for each in (evaluated, policy)]
    if limits[0] != limits[1] and _without_criteria(policy) == _without_criteria(evaluated):
        assert f"criteria.cpu.limitPercent: {limits[0]} -> {limits[1]}" in "".join(record.message for record in told)
        noted("a limit was edited")


def _is_steering_told(moment: Moment, names: Sequence[str]) -> bool:
    """Return whether each edit of these fields is told: by itself, by what came of it, or later by an attempt that waits."""
    spec, records = moment.spec, moment.decision.records
    happened = {record.reason for record in records}
    begins = "AttemptRaised" in happened or moment.decision.status.attempt != spec.attempt
    by_itself = "".join(record.message for record in records if record.reason == "SpecEdited")
    otherwise = {"mode": bool(happened & _MODES) or (begins and spec.mode is Mode.AUTO), "attempt": begins}
    return all(f"{name}: " in by_itself or otherwise[name] for name in names)


def _how_it_is_proven(policy: Mapping[str, object]) -> dict[str, object]:
    return {name: said for name, said in policy.items() if name not in _STEERING}


def _cpu_limit(policy: Mapping[str, object]) -> object:
    criteria = policy["criteria"]
    assert isinstance(criteria, Mapping)
    return criteria["cpu"]["limitPercent"]


def _without_criteria(policy: Mapping[str, object]) -> dict[str, object]:
    return {name: said for name, said in policy.items() if name != "criteria"}
