"""What must hold of the records of edits."""

from __future__ import annotations

from collections.abc import Mapping

from sark_api.spec import SarkRolloutSpec

from .moment import Moment
from .tally import noted

EDITS = frozenset({"SpecEdited", "PlanEdited", "FeaturesEdited"})
_STEERING = frozenset({"mode", "attempt", "request"})
"""What of a spec asks for something; the answers to it are told elsewhere."""


def policy_of(spec: SarkRolloutSpec) -> dict[str, object]:
    """Return what the spec says of how things are proven."""
    return {name: said for name, said in spec.to_wire().items() if name not in _STEERING}


def check_edits(moment: Moment, evaluated: Mapping[str, object]) -> None:
    """An edit is recorded when it is first evaluated, with what it changed, and moves nothing by itself."""
    policy = policy_of(moment.spec)
    told = [record for record in moment.decision.records if record.reason in EDITS]
    edited = moment.before.evaluated_spec is not None and policy != evaluated
    assert edited or not [record for record in told if record.reason == "SpecEdited"]
    assert told or not edited
    assert all(record.from_percent == record.to_percent for record in told)
    if not edited:
        return
    limits = [_cpu_limit(each) for each in (evaluated, policy)]
    if limits[0] != limits[1] and _without_criteria(policy) == _without_criteria(evaluated):
        assert f"criteria.cpu.limitPercent: {limits[0]} -> {limits[1]}" in "".join(record.message for record in told)
        noted("a limit was edited")


def _cpu_limit(policy: Mapping[str, object]) -> object:
    criteria = policy["criteria"]
    assert isinstance(criteria, Mapping)
    return criteria["cpu"]["limitPercent"]


def _without_criteria(policy: Mapping[str, object]) -> dict[str, object]:
    return {name: said for name, said in policy.items() if name != "criteria"}
