"""What one tick saw: plain values, collected by the shell, read by `decide`.

A thing that could not be seen is a `Missing` with the reason, never a zero: no data is not good data.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from sark_api import reasons
from sark_api.flags import FlagDocument
from sark_api.status import LedgerSegment

from .alerts import FiringAlert
from .points import Point
from .theil_sen import Slope, plausible_points, theil_sen


@dataclass(frozen=True, slots=True)
class Missing:
    """Something that could not be observed."""

    reason: str
    """Name of a reason of the table, as in MetricsUnreachable."""
    message: str
    """One sentence: what could not be seen, where, and what to look at."""


@dataclass(frozen=True, slots=True)
class PodReport:
    """What one ready pod's sidecar said of itself."""

    name: str
    percent: int | None = None
    """Share it applies now; 0 when its document has expired; None when it could not be asked."""
    revision: int | None = None
    sha256: str = ""
    rollout: str = ""
    expired: bool = False
    """Whether it serves 0 % because its document has expired, and not because that says so."""
    since: datetime | None = None
    """Since when it applies this share, by its own clock."""
    policy_revision: str = ""
    """Revision of the policies its embedded engine serves."""
    baseline_policy_revision: str = ""
    """Revision of the policies its OPA serves; empty when the sidecar cannot tell."""
    baseline_only_count: int = 0
    """How many rules of its policies its engine leaves to OPA at every share."""
    baseline_only: tuple[tuple[str, str], ...] = ()
    """The first of them: pairs of (path, reason)."""
    error: str = ""
    """Why it could not be asked, as a clause: `GET /flags: connection refused`; empty when it answered."""


@dataclass(frozen=True, slots=True)
class Histogram:
    """Observations in one window by upper bound."""

    bounds: tuple[float, ...]
    """Upper bounds in seconds, increasing; the last is infinity."""
    counts: tuple[float, ...]
    """Observations at or below each bound (cumulative), as Prometheus counts them."""

    @property
    def total(self) -> float:
        """Number of observations."""
        return self.counts[-1] if self.counts else 0.0


@dataclass(frozen=True, slots=True)
class ArmWindow:
    """One arm's requests in one window."""

    requests: float = 0.0
    errors: float = 0.0
    latency: Histogram = Histogram((), ())
    refusals: float = 0.0
    """Genuine decisions other than allow: deny and undefined."""


@dataclass(frozen=True, slots=True)
class CountedPlane:
    """What happened inside the new arm in one counting window."""

    fallbacks: float | None = None
    """Requests of the new arm that the baseline had to answer; None when there is no such series."""
    evaluations: Histogram = Histogram((), ())
    """Seconds the embedded engine's evaluations took."""
    lookups: Histogram = Histogram((), ())
    """Seconds the look-ups in the in-process cache took."""
    compared: Comparisons | None = None
    """Decisions that were compared in the shadow; None when nobody asked for them."""


@dataclass(frozen=True, slots=True)
class CountedWindow:
    """What the counters grew by between two instants: whole requests, without extrapolation."""

    start: datetime
    end: datetime
    arms: Mapping[str, ArmWindow]
    """By implementation label; an arm without requests is absent or empty."""
    plane: CountedPlane = CountedPlane()


@dataclass(frozen=True, slots=True)
class MemorySeries:
    """One pod's resident memory over time."""

    pod: str
    points: Sequence[Point]
    """Pairs of (Unix seconds, bytes), oldest first."""
    _slopes: dict[int, Slope | None] = field(default_factory=dict, init=False, repr=False, compare=False)
    _lengths: list[float] = field(default_factory=list, init=False, repr=False, compare=False)

    @property
    def seconds(self) -> float:
        """Seconds from the first plausible point to the last; 0 where there are none. They are reckoned once."""
        if not self._lengths:
            times = [at for at, _ in plausible_points(self.points)]
            self._lengths.append(times[-1] - times[0] if times else 0.0)
        return self._lengths[0]

    def slope(self, among: int = 1) -> Slope | None:
        """Return the trend in bytes per second, as sure as the worst of `among` pods must be; None where the points tell none.

        It is reckoned once: an answer of Prometheus serves several ticks, and the slopes of all pairs of points are much of
        what one costs.
        """
        if among not in self._slopes:
            self._slopes.clear()
            self._slopes[among] = theil_sen(self.points, among=among)
        return self._slopes[among]


_NOT_ASKED: Final = Missing(reasons.METRICS_NOT_ASKED.name, reasons.METRICS_NOT_ASKED.sentence())


@dataclass(frozen=True, slots=True)
class Comparisons:
    """Decisions of both arms that were compared in the shadow, in one window."""

    matches: float = 0.0
    mismatches: float = 0.0
    differences: tuple[tuple[str, str, float], ...] = ()
    """Mismatches by (path, kind, number), the commonest first."""
    unconfirmed: float = 0.0
    """Decisions that differ and that the sidecars have not counted yet: a mismatch each, or nothing."""


@dataclass(frozen=True, slots=True)
class DataPlane:
    """What the sidecars measure inside the new arm, and of themselves, in one window."""

    fallbacks: float | Missing | None = _NOT_ASKED
    """Requests of the new arm that the baseline had to answer; None when there is no such series."""
    evaluations: Histogram | Missing = _NOT_ASKED
    """Seconds the embedded engine's evaluations took."""
    lookups: Histogram | Missing = _NOT_ASKED
    """Seconds the look-ups in the in-process cache took."""
    cpu: Mapping[str, float] | Missing = _NOT_ASKED
    """Cores used by each sidecar, by pod."""
    shadow: Comparisons | Missing = _NOT_ASKED
    """What was compared in the shadow; no comparison when there are no such series."""


_NO_TIME: Final = timedelta(0)


@dataclass(frozen=True, slots=True)
class Metrics:
    """What Prometheus said, and how it was asked."""

    arms: Mapping[str, ArmWindow] | Missing
    """By implementation label (`rust`, `python`); an arm without series is absent: it served nothing."""
    memory: tuple[MemorySeries, ...] | Missing
    """Of each pod over criteria.memoryGrowth.window."""
    data_plane: DataPlane = DataPlane()
    custom: Mapping[str, float | Missing] = field(default_factory=dict)
    """By name of the custom criterion: the one number its query gave."""
    alerts: tuple[FiringAlert, ...] | Missing = ()
    """The alerts about this rollout that fire."""
    queries: Mapping[str, str] = field(default_factory=dict)
    """Criterion name to the PromQL its numbers came from."""
    windows: tuple[CountedWindow, ...] | Missing = ()
    """Counting windows, oldest first: all since the last one counted, and maybe some before."""
    scraped: int | Missing | None = None
    """Sidecars of which Prometheus has a fresh sample; None where its series do not tell them apart, or none is expected."""
    foreign: tuple[str, ...] | Missing = ()
    """Namespaces other than the rollout's own whose targets had series naming it in the window, sorted."""
    sustained_memory: tuple[MemorySeries, ...] | Missing | None = None
    """Of each pod over as many windows as growth must last; None where that is one."""
    age: timedelta = _NO_TIME
    """How long ago the oldest part of it was asked for, windows and memory left out: they name their time."""
    clock_ahead: timedelta = _NO_TIME
    """How far Prometheus' clock is ahead of the operator's at least; negative when it is behind, 0 while nothing tells."""


@dataclass(frozen=True, slots=True)
class ObservedFlags:
    """The flags ConfigMap as it is."""

    resource_version: str
    document: FlagDocument | None
    """The document in it; None when it has none yet or it cannot be read."""
    error: str = ""
    """Why the document cannot be read; empty otherwise."""
    owners: tuple[str, ...] = ()
    """Field managers other than the operator that own a key of the document, as the API server recorded them."""


@dataclass(frozen=True, slots=True)
class Filing:
    """What this process has put into ConfigMaps of a rollout's evidence."""

    last: str = ""
    """SHA-256 of the record up to which all are known to be there, in hexadecimal; empty for none."""
    segments: tuple[LedgerSegment, ...] = ()
    """The ConfigMaps it found or made."""
    problem: str = ""
    """Why the last try failed, one sentence; empty when it did not."""


@dataclass(frozen=True, slots=True)
class Observation:
    """Everything one tick saw."""

    flags: ObservedFlags | Missing
    pods: tuple[PodReport, ...] | Missing
    """Reports of all ready pods, by name."""
    metrics: Metrics
    rival: str = ""
    """namespace/name of another live rollout that holds this target; empty when there is none."""
    operator_version: str = ""
    """Version of the operator that looked, for the record."""
    filing: Filing | None = None
    """What is known to be filed; None when this process has filed nothing of this rollout yet."""
    namespace_ending: bool = False
    """Whether the namespace is going away with the rollout: nothing can be created in it any more."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Whose rollout it is."""

    namespace: str
    name: str
    uid: str
    generation: int
    deleting: bool = False
    created_at: datetime | None = None
    requested_by: str = ""
    """Field manager that wrote spec.request, as the API server recorded it; empty when it did not."""
    edited_by: str = ""
    """Field manager that wrote the spec last, likewise; empty where nobody looked: while it is the one evaluated last."""

    @property
    def key(self) -> str:
        """namespace/name, the value of the sark_rollout label."""
        return f"{self.namespace}/{self.name}"
