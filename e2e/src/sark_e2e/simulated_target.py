"""A target in memory: a flags ConfigMap, sidecars that follow it, metrics, and a clock, for tests of the operator's core.

It obeys the rules the real parts obey: a sidecar ignores a revision that is not higher and goes to baseline past
`valid_until`; a write needs the resourceVersion it was decided on; the status goes through its wire form. Everything else is
up to the test.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from math import inf, nan

from sark_api.evidence import digest
from sark_api.flags import FlagDocument
from sark_api.names import ARM_BASELINE, ARM_NEW
from sark_api.reasons import FLAGS_CONFIG_MAP_MISSING
from sark_api.spec import BUILT_IN_CRITERIA, Action, SarkRolloutSpec
from sark_api.status import LedgerSegment, SarkRolloutStatus
from sark_operator.core.alerts import FiringAlert
from sark_operator.core.decide import decide
from sark_operator.core.decision import Decision, ReleaseFinalizer, WriteFlags, WriteStatus
from sark_operator.core.ledger import numbered
from sark_operator.core.lifecycle import begins_revert, wanted_percent
from sark_operator.core.observation import (
    ArmWindow,
    Comparisons,
    CountedPlane,
    CountedWindow,
    DataPlane,
    Filing,
    Histogram,
    Identity,
    MemorySeries,
    Metrics,
    Missing,
    Observation,
    ObservedFlags,
    PodReport,
)

BOUNDS = (0.0005, 0.00075, 0.001, 0.0025, 0.005, 0.0075, 0.01, 0.025, 0.05, 0.1, 1.0, inf)
"""Buckets that bracket the report's thresholds, in seconds."""


MOST_WINDOWS = 64
"""Counting windows the shell asks for at once."""


def quick_spec(**changes: object) -> SarkRolloutSpec:
    """Return a spec whose steps take seconds: 5, 10, 25, 50 and 100 %, 15 s of proof in each, a tick every 2 s."""
    members: dict[str, object] = {
        "target": {"matchLabels": {"app": "gateway"}, "flagsConfigMap": "gateway-flags"},
        "prometheus": {"address": "http://prometheus:9090"},
        "steps": [{"percent": percent, "bake": "15s"} for percent in (5, 10, 25, 50, 100)],
        "criteria": {"window": "10s", "memoryGrowth": {"window": "30s"}},
        "interval": "2s",
        "validFor": "1m",
        "watchAfter": "30s",
        "rollback": {"blindFor": "1m"},
    }
    return SarkRolloutSpec.model_validate(members | changes)


def criteria_that(action: Action) -> dict[str, object]:
    """Return the criteria of `quick_spec`, all with one action; throughput is off, since a simulated fleet is slow."""
    acting: dict[str, dict[str, object]] = {name: {"action": action} for name in BUILT_IN_CRITERIA}
    acting["memoryGrowth"]["window"] = "30s"
    acting["throughput"]["minRequestsPerSecond"] = 0
    return {"window": "10s", **acting}


def times(number: float = 1000, seconds: float = 0.0004) -> Histogram:
    """Return `number` observations of `seconds` each."""
    return Histogram(BOUNDS, tuple(number if bound >= seconds else 0.0 for bound in BOUNDS))


def arm(requests: float = 1000, errors: float = 0, seconds: float = 0.004, refusals: float = 0) -> ArmWindow:
    """Return one arm's window in which every request took `seconds`."""
    return ArmWindow(requests, errors, times(requests, seconds), refusals)


def healthy_plane(fallbacks: float = 0) -> DataPlane:
    """Return what healthy sidecars measure inside the new arm."""
    return DataPlane(
        fallbacks=fallbacks, evaluations=times(), lookups=times(), cpu={"gw-0": 0.2}, shadow=Comparisons(matches=1000)
    )


def _scaled(window: ArmWindow, requests: float) -> ArmWindow:
    """Return the same arm with so many `requests`."""
    by = requests / window.requests
    latency = Histogram(window.latency.bounds, tuple(by * number for number in window.latency.counts))
    return ArmWindow(requests, by * window.errors, latency, by * window.refusals)


def _counted(plane: DataPlane) -> CountedPlane:
    """Return what each window counts inside the new arm; nothing of what cannot be seen."""
    return CountedPlane(
        None if isinstance(plane.fallbacks, Missing) else plane.fallbacks,
        times(0) if isinstance(plane.evaluations, Missing) else plane.evaluations,
        times(0) if isinstance(plane.lookups, Missing) else plane.lookups,
        None if isinstance(plane.shadow, Missing) else plane.shadow,
    )


def memory(kibibytes_per_hour: float, now: datetime, window: timedelta, pod: str = "gw-0") -> MemorySeries:
    """Return memory that has grown evenly for the whole `window` before `now`."""
    end, points = now.timestamp(), 12
    ages = [window.total_seconds() * (points - index) / points for index in range(points + 1)]
    return MemorySeries(pod, tuple((end - age, 1e8 - age * kibibytes_per_hour * 1024 / 3600) for age in ages))


@dataclass
class SimulatedSidecar:
    """One ready pod."""

    document: FlagDocument | None = None
    reachable: bool = True
    following: bool = True
    """Whether it hears of new flag documents."""
    policy: str = "policy-1"
    baseline_policy: str = "policy-1"
    baseline_only: tuple[tuple[str, str], ...] = ()
    """Paths its engine leaves to OPA, each with the reason."""
    since: datetime | None = None
    """Since when it applies its share."""

    def hear(self, document: FlagDocument | None, now: datetime) -> None:
        """Take over a document with a higher revision."""
        before = self.document
        if document is not None and self.following and (before is None or document.revision > before.revision):
            self.since = self.since if before and before.percentage == document.percentage else now
            self.document = document

    def report(self, name: str, now: datetime) -> PodReport:
        """Return what the operator gets when it asks."""
        if not self.reachable:
            return PodReport(name, error="GET /flags: connection refused")
        document = self.document
        return PodReport(
            name,
            percent=document.percentage if document and not document.expired(now) else 0,
            revision=document.revision if document else 0,
            sha256=document.digest() if document else "",
            rollout=document.rollout if document else "",
            expired=bool(document and document.expired(now)),
            since=self.since,
            policy_revision=self.policy,
            baseline_policy_revision=self.baseline_policy,
            baseline_only_count=len(self.baseline_only),
            baseline_only=self.baseline_only,
        )


@dataclass
class SimulatedTarget:
    """One rollout and all it steers."""

    spec: SarkRolloutSpec = field(default_factory=quick_spec)
    identity: Identity = field(default_factory=lambda: Identity("shop", "gateway", "uid-1", 1))
    status: SarkRolloutStatus = field(default_factory=SarkRolloutStatus)
    now: datetime = datetime(2026, 1, 1, 12, tzinfo=UTC)
    flags: ObservedFlags | Missing = field(default_factory=lambda: ObservedFlags("1", None))
    sidecars: dict[str, SimulatedSidecar] = field(default_factory=lambda: {f"gw-{n}": SimulatedSidecar() for n in range(3)})
    arms: Mapping[str, ArmWindow] | Missing = field(default_factory=lambda: {ARM_NEW: arm(), ARM_BASELINE: arm()})
    strays: float = 0.0
    """Requests of the new arm that Prometheus shows although it should have none, as at 0 %."""
    windows_missing: Missing | None = None
    """Why counting windows cannot be read, though all else can."""
    windows_unsound: bool = False
    """Whether what the counting windows say of the arms are no counts, though all else can be read."""
    clock_behind: timedelta = timedelta(0)
    """How far Prometheus' clock is behind: windows that end later than its present are empty."""
    clock_ahead: timedelta = timedelta(0)
    """How far it is ahead: it has windows of a time that the operator's clock has yet to show."""
    crowding: float = 1.0
    """Times the odds asked for at which a request goes to the new arm."""
    metrics_age: timedelta = timedelta(0)
    """How old the answers of Prometheus are that a tick sees."""
    growth: float | Missing = 0.0
    """Growth of every pod's memory in KiB per hour."""
    memory_age: timedelta | None = None
    """How far back every pod's memory is known; the criterion's window when None."""
    plane: DataPlane = field(default_factory=healthy_plane)
    custom: Mapping[str, float | Missing] = field(default_factory=dict)
    alerts: tuple[FiringAlert, ...] | Missing = ()
    """What fires."""
    foreign: tuple[str, ...] = ()
    """Namespaces of others whose targets export series that name the rollout."""
    unscraped: int = 0
    """How many sidecars Prometheus does not see."""
    pods_missing: Missing | None = None
    rival: str = ""
    flags_refused: bool = False
    """Whether the API server refuses to write flags, as an admission webhook makes it do."""
    namespace_ending: bool = False
    """Whether the namespace is going away: nothing can be created in it."""
    released: bool = False
    filed: dict[int, str] = field(default_factory=dict)
    """Evidence records in ConfigMaps, by number; four to each."""
    filing: Filing | None = None
    """What the present operator remembers of filing."""
    filing_fails: str = ""
    """Why records cannot be filed."""
    written: list[WriteFlags] = field(default_factory=list)
    """All flag writes that took effect."""

    def observe(self) -> Observation:
        """Return what a tick sees now."""
        settings = self.spec.criteria.memory_growth
        sustained = self._memory(settings.sustained) if settings.sustained_windows > 1 else None
        reports = tuple(sidecar.report(name, self.now) for name, sidecar in sorted(self.sidecars.items()))
        return Observation(
            flags=self.flags,
            pods=self.pods_missing or reports,
            metrics=Metrics(
                self._arms(),
                self._memory(settings.window),
                self.plane,
                self.custom,
                alerts=self.alerts,
                windows=self._windows(),
                scraped=max(0, len(self.sidecars) - self.unscraped),
                foreign=self.foreign,
                sustained_memory=sustained,
                age=self.metrics_age,
                clock_ahead=self.clock_ahead - self.clock_behind,
            ),
            rival=self.rival,
            operator_version="0.1.0",
            filing=self.filing,
            namespace_ending=self.namespace_ending and self.identity.deleting,
        )

    def _memory(self, over: timedelta) -> tuple[MemorySeries, ...] | Missing:
        """Return the memory of each pod `over` some time, or for as long as it is known."""
        if isinstance(self.growth, Missing):
            return self.growth
        known = min(over, self.memory_age or over)
        return tuple(memory(self.growth, self.now, known, name) for name in self.sidecars)

    def _arms(self) -> Mapping[str, ArmWindow] | Missing:
        """Return what Prometheus shows of both arms: in a step of 0 % the new one has no requests but `strays`.

        Arms that a test gives as many requests each get those of their shares; others are shown as the test has them.
        """
        step = self.status.step
        if isinstance(self.arms, Missing) or step is None:
            return self.arms
        if step.percent > 0:
            alike = len({window.requests for window in self.arms.values()}) == 1
            return self._shared(self.arms, step.percent / 100) if alike else self.arms
        strays = {ARM_NEW: arm(self.strays)} if self.strays else {}
        return {name: window for name, window in self.arms.items() if name != ARM_NEW} | strays

    def _shared(self, arms: Mapping[str, ArmWindow], share: float) -> Mapping[str, ArmWindow]:
        """Return the arms with as many requests of the baseline as the share leaves it, `crowding` aside."""
        if not 0 < share < 1 or ARM_NEW not in arms or ARM_BASELINE not in arms or not arms[ARM_BASELINE].requests:
            return arms
        left = arms[ARM_NEW].requests * (1 - share) / share / self.crowding
        return {**arms, ARM_BASELINE: _scaled(arms[ARM_BASELINE], left)}

    def _windows(self) -> tuple[CountedWindow, ...] | Missing:
        """Return the counting windows just before now, all like the arms are now; those counted before are among them.

        The baseline arm gets as many requests as the share leaves it, `crowding` aside.
        """
        if self.windows_missing is not None:
            return self.windows_missing
        if isinstance(shown := self._arms(), Missing):
            return shown
        length, arms = self.spec.criteria.counting(), self._shared(shown, wanted_percent(self.status) / 100)
        last = datetime.fromtimestamp(self.now.timestamp() // length.total_seconds() * length.total_seconds(), UTC)
        ends = [last - age * length for age in reversed(range(MOST_WINDOWS if self.clock_behind else 4))]
        ends += [last + (age + 1) * length for age in range(self.clock_ahead // length)]
        empty = dict.fromkeys(arms, arm(0))
        if self.windows_unsound:
            arms = {name: replace(window, errors=nan) for name, window in arms.items()}
        return tuple(
            CountedWindow(end - length, end, arms, _counted(self.plane))
            if end <= self.now - self.clock_behind
            else CountedWindow(end - length, end, empty, CountedPlane(0.0))
            for end in ends
        )

    def decide(self) -> Decision:
        """Return what would be decided now, without doing it."""
        return decide(self.identity, self.spec, self.status, self.observe(), self.now)

    def tick(self, after: float = 0, *, die_after: int | None = None, deliver: bool = True) -> Decision:
        """Let `after` seconds pass, decide, act, and let sidecars hear of it; an operator dies after `die_after` writes."""
        self.now += timedelta(seconds=after)
        decision = self.decide()
        self.act(decision, die_after=die_after, deliver=deliver)
        return decision

    def act(self, decision: Decision, *, die_after: int | None = None, deliver: bool = True) -> None:
        """Do what was decided, and let sidecars hear of it.

        An operator that dies files no evidence in this tick, and its successor does not know what was filed.
        """
        stored = self.status
        for action in decision.actions[:die_after]:
            if not self._act(action, decision):
                if isinstance(action, WriteFlags) and begins_revert(stored, decision.status) and die_after is None:
                    self._act(WriteStatus(), decision)
                    break
                self.filing = None
                break
        else:
            self._file(died=die_after is not None)
        if deliver:
            self.deliver()

    def run(self, seconds: float, every: float = 1) -> list[Decision]:
        """Tick `every` so many seconds for `seconds`, and return what was decided."""
        return [self.tick(every) for _ in range(round(seconds / every))]

    def run_to(self, percent: int) -> None:
        """Tick until the status wants `percent` and the sidecars have confirmed it once.

        Raises:
            AssertionError: it does not get there in ten minutes.
        """
        for _ in range(600):
            self.tick(1)
            if self.status.step is not None and self.status.step.percent == percent:
                self.tick(1)
                return
        raise AssertionError(f"{percent}% was not reached: {self.status.message}")

    def deliver(self) -> None:
        """Let the sidecars hear of the document in force."""
        if isinstance(self.flags, ObservedFlags) and not self.flags.error:
            for sidecar in self.sidecars.values():
                sidecar.hear(self.flags.document, self.now)

    def put(self, document: FlagDocument | None, error: str = "", *, by: str = "") -> None:
        """Change the ConfigMap behind the operator's back, as the field manager `by` when it is given."""
        version = int(self.flags.resource_version) if isinstance(self.flags, ObservedFlags) else 0
        self.flags = ObservedFlags(str(version + 1), document, error, (by,) if by else ())

    def lose_config_map(self) -> None:
        """Delete the ConfigMap."""
        self.flags = Missing(FLAGS_CONFIG_MAP_MISSING.name, "configmap gateway-flags not found")

    def ask(self, **changes: object) -> None:
        """Edit the spec, as a user does."""
        self.spec = self.spec.model_copy(update=changes)
        self.identity = replace(self.identity, generation=self.identity.generation + 1)

    def delete(self) -> None:
        """Ask for the object's deletion."""
        self.identity = replace(self.identity, deleting=True)

    @property
    def document(self) -> FlagDocument | None:
        """The document in force."""
        return self.flags.document if isinstance(self.flags, ObservedFlags) else None

    @property
    def percent(self) -> int:
        """The share in force by the document."""
        return self.document.percentage if self.document else 0

    def _act(self, action: object, decision: Decision) -> bool:
        """Do one action; return whether it took effect."""
        match action:
            case WriteFlags():
                return self._write(action)
            case WriteStatus():
                self.status = SarkRolloutStatus.model_validate(decision.status.to_wire())
            case ReleaseFinalizer():
                self.released = True
        return True

    def _file(self, *, died: bool) -> None:
        """Put what the stored status has unfiled into ConfigMaps; an operator that died does not, and forgets."""
        if died:
            self.filing = None
            return
        last, segments = "", {}
        for number, text in () if self.filing_fails else numbered(self.status.ledger.unfiled):
            if self.filed.setdefault(number, text) != text:
                raise AssertionError(f"record {number} was decided twice")
            index = (number - 1) // 4 + 1
            last, segments[index] = digest(text), LedgerSegment(index=index, first=4 * index - 3)
        if last or self.filing_fails:
            self.filing = Filing(last, tuple(segments.values()), self.filing_fails)

    def _write(self, write: WriteFlags) -> bool:
        version = self.flags.resource_version if isinstance(self.flags, ObservedFlags) else ""
        if write.resource_version != version or (isinstance(self.flags, Missing) and not self._absent):
            return False
        if self.flags_refused or (self.namespace_ending and self._absent):
            return False
        if isinstance(self.flags, ObservedFlags) and self.flags.owners and not write.force:
            return False
        self.flags = ObservedFlags(str(int(version or 0) + 1), write.document)
        self.written.append(write)
        return True

    @property
    def _absent(self) -> bool:
        return isinstance(self.flags, Missing) and self.flags.reason == FLAGS_CONFIG_MAP_MISSING.name
