"""What Prometheus can show of a target, and what is bad about it by the documentation, whatever the core makes of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum, auto

from sark_api.names import ARM_BASELINE, ARM_NEW
from sark_api.spec import Action
from sark_e2e.simulated_target import SimulatedTarget, arm, healthy_plane, times
from sark_operator.core.alerts import FiringAlert
from sark_operator.core.observation import ArmWindow, Comparisons, DataPlane, Histogram, Missing

from .limits import CUSTOM

AWAY = Missing("MetricsUnreachable", "no answer")
NAN = float("nan")
_BLIND = DataPlane(fallbacks=AWAY, evaluations=AWAY, lookups=AWAY, cpu=AWAY, shadow=AWAY)
_ARMS = frozenset({"errorRate", "latencyP95", "denyShift", "sampleRatio", "fallbackRate"})
"""Criteria that rest on the requests of both arms."""
_WITHOUT_ARMS = frozenset({"errorRate", "latencyP95"})
"""Those whose missing numbers block everything, in a step of 0 % too."""


class Found(Enum):
    """How soon something bad is a breach."""

    AT_ONCE = auto()
    BY_THE_FLOOR = auto()
    """At once, unless the attempt has just begun."""
    BY_WINDOWS = auto()
    """When enough counting windows have shown it; until then it is undecided, which holds."""
    BY_WINDOWS_ALONE = auto()
    """The same, and one look at criteria.window says nothing unless all of it is of the share in force."""


def both(new: ArmWindow, baseline: ArmWindow | None = None) -> Mapping[str, ArmWindow]:
    """Return the arms; the baseline is healthy unless it is given."""
    return {ARM_NEW: new, ARM_BASELINE: baseline or arm()}


@dataclass(frozen=True, slots=True)
class Symptom:
    """One state of the metrics."""

    bad: str = ""
    """The criterion that is beyond its strict limit; empty when none is."""
    found: Found = Found.AT_ONCE
    action: Action | None = None
    """What a breach does where that is not the spec's to say: what the label of an alert says."""
    excused: bool = False
    """Whether the baseline arm suffers as much: while both serve, that it is bad is not decided."""
    slow_baseline: bool = False
    """Whether the baseline arm is so slow that slowness of the new arm alone is none beside its p95."""
    locks_out: bool = False
    """Whether nearly nobody is served any more, which goes back although the action is Hold."""
    suspected: frozenset[str] = frozenset()
    """Further criteria whose counting windows look bad."""
    undecided: str = ""
    """A criterion that is measured and may turn out to be beyond its strict limit."""
    unseen: frozenset[str] = frozenset()
    """Criteria that cannot be measured."""
    missing: frozenset[str] = frozenset()
    """Criteria whose metrics were asked for and not answered: nothing goes on without them, whether judged or not."""
    arms: Mapping[str, ArmWindow] | Missing = field(default_factory=lambda: both(arm()))
    growth: float | Missing = 0.0
    plane: DataPlane = field(default_factory=healthy_plane)
    custom: float | Missing = 1.0
    alerts: tuple[FiringAlert, ...] | Missing = ()
    crowding: float = 1.0

    def show(self, target: SimulatedTarget) -> None:
        """Have Prometheus show it."""
        target.arms, target.growth, target.plane = self.arms, self.growth, self.plane
        target.custom, target.alerts, target.crowding = {CUSTOM: self.custom}, self.alerts, self.crowding


def _partly_slow(slow: float, *, of: float = 1000) -> ArmWindow:
    """Return an arm of which `slow` requests took very long, and the others as long as they always do."""
    quick, late = times(of - slow, 0.004), times(slow, 0.2)
    counts = tuple(sum(each) for each in zip(quick.counts, late.counts, strict=True))
    return replace(arm(of), latency=Histogram(quick.bounds, counts))


def _planed(**parts: object) -> DataPlane:
    healthy = healthy_plane()
    members = {name: getattr(healthy, name) for name in ("fallbacks", "evaluations", "lookups", "cpu", "shadow")}
    return DataPlane(**(members | parts))


def _firing(action: Action | None) -> tuple[FiringAlert, ...]:
    labels = {"alertname": "Odd", "sark_rollout": "shop/gateway"} | ({"sark_action": action} if action else {})
    return (FiringAlert.of(labels),)


_FLOOR = Found.BY_THE_FLOOR
SYMPTOMS: Mapping[str, Symptom] = {
    "good": Symptom(),
    "errors": Symptom("errorRate", _FLOOR, arms=both(arm(1000, 100))),
    "some errors": Symptom("errorRate", Found.BY_WINDOWS, arms=both(arm(1000, 30))),
    "slowness": Symptom("latencyP95", _FLOOR, arms=both(arm(seconds=0.2))),
    "a tenth is slow": Symptom("latencyP95", Found.BY_WINDOWS, arms=both(_partly_slow(100))),
    "few are slow": Symptom(arms=both(_partly_slow(20))),
    "errors of both arms": Symptom("errorRate", _FLOOR, excused=True, arms=both(arm(1000, 100), arm(1000, 100))),
    "slowness of both arms": Symptom(
        suspected=frozenset({"latencyP95"}), slow_baseline=True, arms=both(arm(seconds=0.2), arm(seconds=0.2))
    ),
    "more refusals": Symptom("denyShift", _FLOOR, arms=both(arm(refusals=900), arm(refusals=100))),
    "fewer refusals": Symptom("denyShift", _FLOOR, arms=both(arm(refusals=100), arm(refusals=900))),
    "no permission": Symptom("denyShift", _FLOOR, locks_out=True, arms=both(arm(refusals=990), arm(refusals=100))),
    "crowding": Symptom("sampleRatio", Found.BY_WINDOWS_ALONE, arms=both(arm(100_000), arm(100_000)), crowding=100.0),
    "leak": Symptom("memoryGrowth", growth=90_000.0),
    "fallbacks": Symptom("fallbackRate", _FLOOR, plane=_planed(fallbacks=100.0)),
    "slow evaluations": Symptom("opaP95", _FLOOR, plane=_planed(evaluations=times(seconds=0.02))),
    "slow look-ups": Symptom("cacheP95", _FLOOR, plane=_planed(lookups=times(seconds=0.002))),
    "mismatches": Symptom("decisionMismatch", plane=_planed(shadow=Comparisons(matches=900, mismatches=100))),
    "mismatches to be confirmed": Symptom(
        undecided="decisionMismatch", plane=_planed(shadow=Comparisons(matches=900, unconfirmed=900))
    ),
    "a query of the user's": Symptom(CUSTOM, custom=9.0),
    "an alert": Symptom("alerts", alerts=_firing(None)),
    **{f"an alert {action.lower()}s": Symptom("alerts", action=action, alerts=_firing(action)) for action in Action},
    "errors, else blind": Symptom(
        "errorRate",
        _FLOOR,
        suspected=frozenset({"sampleRatio"}),
        unseen=frozenset({"denyShift", "memoryGrowth"}),
        missing=frozenset({"memoryGrowth"}),
        arms={ARM_NEW: arm(1000, 100)},
        growth=AWAY,
    ),
    "leak, else blind": Symptom("memoryGrowth", unseen=_ARMS, missing=_WITHOUT_ARMS, arms=AWAY, growth=90_000.0),
    "few": Symptom(suspected=frozenset({"errorRate"}), unseen=_ARMS, arms=both(arm(1, 1))),
    "none": Symptom(unseen=_ARMS, arms={}),
    "nonsense": Symptom(unseen=_ARMS, arms=both(arm(NAN, 0))),
    "no memory": Symptom(unseen=frozenset({"memoryGrowth"}), missing=frozenset({"memoryGrowth"}), growth=AWAY),
    "no data plane": Symptom(
        unseen=frozenset({"fallbackRate", "opaP95", "cacheP95", "decisionMismatch"}),
        missing=frozenset({"fallbackRate", "opaP95", "cacheP95"}),
        plane=_BLIND,
    ),
    "no answer to the user's query": Symptom(unseen=frozenset({CUSTOM}), missing=frozenset({CUSTOM}), custom=AWAY),
    "no alerts": Symptom(unseen=frozenset({"alerts"}), missing=frozenset({"alerts"}), alerts=AWAY),
    "away": Symptom(unseen=_ARMS | {"memoryGrowth"}, missing=_WITHOUT_ARMS | {"memoryGrowth"}, arms=AWAY, growth=AWAY),
}
"""By what a user would call them."""
OF: Mapping[str, tuple[str, ...]] = {
    criterion: tuple(
        name
        for name, one in SYMPTOMS.items()
        if one.bad == criterion and one.action is None and not (one.unseen or one.excused)
    )
    for criterion in dict.fromkeys(one.bad for one in SYMPTOMS.values() if one.bad)
}
"""The symptoms of each criterion that show nothing else."""
