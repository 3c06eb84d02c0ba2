"""The CRD's CEL rules, checked without an API server.

Each rule has a twin here, keyed by the very expression, so that a rule that was changed has none any more: lint then says that
only the server can check it, and a unit test fails. The rules use functions that Kubernetes adds to CEL (`isSorted`), so the
twins are Python. An integration test compares them with the API server, case by case.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

from sark_api.crd import schema
from sark_api.spec import BUILT_IN_CRITERIA, CUSTOM_NAME_RULE, RequestAction, SarkRolloutSpec

from .finding import Finding, Level, Path

Twin = Callable[[SarkRolloutSpec], list[Path]]
"""Returns the places that break the rule; none when it holds."""


def _when(path: Path, broken: Callable[[SarkRolloutSpec], bool]) -> Twin:
    return lambda spec: [path] if broken(spec) else []


def _short_bakes(spec: SarkRolloutSpec) -> list[Path]:
    steps = spec.steps or []
    return [("spec", "steps", index, "bake") for index, step in enumerate(steps) if step.bake < spec.criteria.window]


def _falling_steps(spec: SarkRolloutSpec) -> list[Path]:
    pairs = enumerate(pairwise(spec.steps or []), start=1)
    return [("spec", "steps", index, "percent") for index, (before, step) in pairs if step.percent <= before.percent]


def _idle_steps(spec: SarkRolloutSpec) -> list[Path]:
    steps = enumerate(spec.steps or [])
    return [("spec", "steps", index, "percent") for index, step in steps if not step.percent and not step.shadow.sample_percent]


def _last_step(spec: SarkRolloutSpec) -> list[Path]:
    steps = spec.steps or []
    return [("spec", "steps", len(steps) - 1, "percent")] if steps and steps[-1].percent != 100 else []  # noqa: PLR2004


def _unknown_zones(spec: SarkRolloutSpec) -> list[Path]:
    return [("spec", "windows", index, "timeZone") for index, each in enumerate(spec.windows) if not _known(each.time_zone)]


def _known(zone: str) -> bool:
    try:
        ZoneInfo(zone)
    except (KeyError, ValueError, OSError):
        return False
    return True


def _between(value: timedelta, low: int, high: int) -> bool:
    return timedelta(seconds=low) <= value <= timedelta(seconds=high)


_WINDOW, _MEMORY = ("spec", "criteria", "window"), ("spec", "criteria", "memoryGrowth", "window")
_INTERVAL, _VALID, _TIMEOUT = ("spec", "interval"), ("spec", "validFor"), ("spec", "prometheus", "timeout")

_TO = ("spec", "request", "to")
_ADDRESS = ("spec", "prometheus", "address")


def _taken_names(spec: SarkRolloutSpec) -> list[Path]:
    custom = enumerate(spec.criteria.custom)
    return [("spec", "criteria", "custom", index, "name") for index, each in custom if each.name in BUILT_IN_CRITERIA]


TWINS: Mapping[str, Twin] = {
    "self.windows.all(w, timestamp('2026-01-01T00:00:00Z').getHours(w.timeZone) >= 0)": _unknown_zones,
    "(self.action == 'Skip') == has(self.to)": _when(
        _TO,
        lambda spec: spec.request is not None and (spec.request.action is RequestAction.SKIP) != (spec.request.to is not None),
    ),
    "!has(self.to) || self.to > self.percent": _when(
        _TO,
        lambda spec: spec.request is not None and spec.request.to is not None and spec.request.to <= spec.request.percent,
    ),
    CUSTOM_NAME_RULE: _taken_names,
    "!self.matches('^https?://[^/]*@')": _when(
        _ADDRESS, lambda spec: "@" in spec.prometheus.address.split("//", 1)[1].split("/", 1)[0]
    ),
    "has(self.steps) != has(self.schedule)": _when(
        ("spec", "steps"), lambda spec: (spec.steps is None) == (spec.schedule is None)
    ),
    "!has(self.steps) || self.steps.all(s, duration(s.bake) >= duration(self.criteria.window))": _short_bakes,
    "self.map(s, s.percent).isSorted() && self.all(s, self.exists_one(other, other.percent == s.percent))": _falling_steps,
    "self[size(self) - 1].percent == 100": _last_step,
    "self.percent > 0 || (has(self.shadow) && self.shadow.samplePercent > 0)": _idle_steps,
    "duration(self.interval) >= duration('1s') && duration(self.interval) <= duration('10m')": _when(
        _INTERVAL, lambda spec: not _between(spec.interval, 1, 600)
    ),
    "duration(self.validFor) >= duration('10s')": _when(_VALID, lambda spec: spec.valid_for < timedelta(seconds=10)),
    "duration(self.validFor) >= duration(self.interval) + duration(self.interval)": _when(
        _VALID, lambda spec: spec.valid_for < 2 * spec.interval
    ),
    "duration(self.criteria.window) >= duration('5s')": _when(
        _WINDOW, lambda spec: spec.criteria.window < timedelta(seconds=5)
    ),
    "duration(self.criteria.memoryGrowth.window) >= duration('30s')": _when(
        _MEMORY, lambda spec: spec.criteria.memory_growth.window < timedelta(seconds=30)
    ),
    "duration(self.prometheus.timeout) >= duration('1s') && duration(self.prometheus.timeout) <= duration('60s')": _when(
        _TIMEOUT, lambda spec: not _between(spec.prometheus.timeout, 1, 60)
    ),
}


def rules(*, edits: bool = False) -> list[tuple[str, str]]:
    """Return expression and message of every rule of the CRD that a single object can break, and with `edits` the others too.

    A rule about `oldSelf` speaks of an edit; there is nothing to compare a file with.
    """
    found = _rules(schema()["properties"]["spec"])
    return [(rule["rule"], rule["message"]) for rule in found if edits or "oldSelf" not in rule["rule"]]


def check_rules(spec: SarkRolloutSpec) -> Iterator[Finding]:
    """Yield every broken rule, with the CRD's own sentence."""
    for expression, message in rules():
        twin = TWINS.get(expression)
        if twin is None:
            text = f"not checked, use --server: {message}"
            yield Finding(Level.WARNING, ("spec",), text)
            continue
        for path in twin(spec):
            yield Finding(Level.ERROR, path, message)


def _rules(node: Any) -> Iterator[Mapping[str, str]]:
    """Yield the rules of a schema and of everything below it."""
    if isinstance(node, Mapping):
        yield from node.get("x-kubernetes-validations") or []
        for name, member in node.items():
            if name == "properties":
                for child in member.values():
                    yield from _rules(child)
            elif name in ("items", "additionalProperties"):
                yield from _rules(member)
