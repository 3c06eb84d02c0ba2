"""Answers of Prometheus turned into curves: each criterion over time, against its limit and the baseline."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from math import isfinite
from typing import Any, Final

from sark_api.names import ARM_BASELINE, ARM_NEW, LABEL_IMPLEMENTATION
from sark_api.spec import CacheP95, OpaP95
from sark_api.status import HistoryEntry

from . import questions
from .seen import Seen
from .span import Stretch

_MEBIBYTE: Final = 1024.0 * 1024
_REFUSED: Final = ("deny", "undefined")
_DIGITS: Final = 6
_LEVELS: Final = ("limit", "warning")

Values = list[float | None]
Series = Sequence[tuple[Mapping[str, str], Mapping[float, float]]]
"""Labels, and values by Unix second."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a chart."""

    label: str
    role: str
    """new, baseline, limit, warning or target: what it is drawn like."""
    values: Values


@dataclass(frozen=True, slots=True)
class Curve:
    """One chart."""

    name: str
    """Name of the criterion."""
    unit: str
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Marker:
    """A transition, drawn as a line across the charts."""

    at: float
    label: str
    way: str
    """up or down."""


@dataclass(frozen=True, slots=True)
class Mismatch:
    """A kind of different decisions, and how many there were."""

    path: str
    kind: str
    count: int


@dataclass(frozen=True, slots=True)
class Curves:
    """All charts of one rollout over one stretch."""

    times: tuple[float, ...] = ()
    """Unix seconds."""
    curves: tuple[Curve, ...] = ()
    markers: tuple[Marker, ...] = ()
    mismatches: tuple[Mismatch, ...] = ()
    problem: str = ""
    """Why some or all of it is missing, one sentence."""
    stamp: int = 0
    """Grows with each reading."""

    def to_wire(self) -> dict[str, Any]:
        """Return it as JSON for the browser, without what the page itself shows."""
        return {name: value for name, value in asdict(self).items() if name != "mismatches"}


def read_series(result: Any) -> Series:
    """Return the series of a range answer; what is not one, or not finite, is left out."""
    found = []
    for series in result if isinstance(result, list) else ():
        try:
            values = {float(at): float(value) for at, value in series["values"]}
            found.append((dict(series["metric"]), {at: value for at, value in values.items() if isfinite(value)}))
        except (KeyError, TypeError, ValueError):
            continue
    return found


def read_mismatches(result: Any) -> tuple[Mismatch, ...]:
    """Return the kinds of an instant answer, the commonest first."""
    found = []
    for series in result if isinstance(result, list) else ():
        try:
            labels, count = series["metric"], float(series["value"][1])
            found.append(Mismatch(str(labels.get("path", "")), str(labels.get("kind", "")), round(count)))
        except (AttributeError, IndexError, KeyError, OverflowError, TypeError, ValueError):
            continue
    return tuple(sorted(found, key=lambda each: (-each.count, each.path, each.kind)))


def curves(  # noqa: PLR0917 - what it is made of
    seen: Seen,
    stretch: Stretch,
    answers: Mapping[str, Series],
    different: tuple[Mismatch, ...] = (),
    problem: str = "",
    stamp: int = 0,
) -> Curves:
    """Return the charts made of `answers`, by the names of the questions; what was not answered has no chart."""
    start = int(stretch.start.timestamp())
    times = tuple(float(at) for at in range(start, int(stretch.end.timestamp()) + 1, stretch.step))
    drawn = _Drawing(seen, stretch, times, answers)
    made = tuple(filter(_has_data, drawn.all()))
    return Curves(times, made, markers(seen.status.history, times), different, problem, stamp)


def _has_data(curve: Curve) -> bool:
    """Return whether there is something to see beside limits."""
    return any(value is not None for line in curve.lines if line.role not in _LEVELS for value in line.values)


def markers(history: Iterable[HistoryEntry], times: Sequence[float]) -> tuple[Marker, ...]:
    """Return the changes of the share that lie within `times`."""
    if not times:
        return ()
    return tuple(
        Marker(entry.time.timestamp(), f"{entry.to_percent}%", "up" if entry.to_percent > entry.from_percent else "down")
        for entry in history
        if entry.from_percent != entry.to_percent and times[0] <= entry.time.timestamp() <= times[-1]
    )


class _Drawing:
    """The charts of one rollout, in the order they are shown."""

    def __init__(self, seen: Seen, stretch: Stretch, times: Sequence[float], answers: Mapping[str, Series]) -> None:
        self._seen = seen
        self._criteria = seen.spec.criteria
        self._window = questions.rate_window(seen.spec.criteria, stretch) / timedelta(seconds=1)
        self._times = times
        self._answers = answers
        self._counts = self._by_arm_and_result()
        self._new, self._baseline = self._total(ARM_NEW), self._total(ARM_BASELINE)

    def all(self) -> Iterator[Curve]:
        criteria = self._criteria
        yield self._share()
        yield self._errors()
        yield self._latency()
        yield self._refusals()
        if questions.FALLBACKS in self._answers:  # no series of it means that there was none; no answer means nothing
            fallbacks = _each(self._one(questions.FALLBACKS), self._new, _percent)
            yield self._against("fallbackRate", "%", fallbacks, criteria.fallback_rate.limit_basis_points / 100)
        yield self._service_time("opaP95", questions.ENGINE, criteria.opa_p95)
        yield self._service_time("cacheP95", questions.CACHE, criteria.cache_p95)
        yield self._different()
        growth = criteria.memory_growth.limit_kibibytes_per_hour / 1024
        slope = _scaled(self._one(questions.MEMORY), 1 / _MEBIBYTE)
        yield self._against("memoryGrowth", "MiB/h", slope, growth, label="plain slope")  # not the robust one that is judged
        cores = 1000 * 100 / criteria.cpu.millicores
        yield self._against("cpu", "%", _scaled(self._one(questions.CPU), cores), float(criteria.cpu.limit_percent))
        both = _each(self._new, self._baseline, lambda new, old: ((new or 0) + (old or 0)) / self._window)
        yield self._against("throughput", "req/s", both, float(criteria.throughput.min_requests_per_second) or None)
        for criterion in criteria.custom:
            yield self._against(criterion.name, "", self._one(questions.CUSTOM + criterion.name), float(criterion.max))

    def _share(self) -> Curve:
        seen = _each(self._new, self._baseline, lambda new, old: _percent(new or 0, (new or 0) + (old or 0)))
        return Curve("sampleRatio", "%", (Line("observed", "new", seen), Line("target", "target", self._target())))

    def _target(self) -> Values:
        """Return the share asked for at each time, from the history; nothing before what the history knows."""
        changes = [(entry.time.timestamp(), entry.from_percent, entry.to_percent) for entry in self._seen.status.history]
        found: Values = []
        for at in self._times:
            before = [to for when, _, to in changes if when <= at]
            after = [source for when, source, _ in changes if when > at]
            found.append(float(before[-1]) if before else float(after[0]) if after else None)
        return found

    def _errors(self) -> Curve:
        limit = self._criteria.error_rate.limit_basis_points / 100
        return Curve("errorRate", "%", (*self._shares(("error",)), self._level("limit", limit)))

    def _refusals(self) -> Curve:
        return Curve("denyShift", "%", self._shares(_REFUSED))

    def _shares(self, results: tuple[str, ...]) -> tuple[Line, ...]:
        def share(arm: str, total: Values) -> Values:
            hits = [sum(self._counts.get((arm, result), {}).get(at, 0.0) for result in results) for at in self._times]
            return _each(list(hits), total, _percent)

        return (
            Line("new arm", "new", share(ARM_NEW, self._new)),
            Line("baseline", "baseline", share(ARM_BASELINE, self._baseline)),
        )

    def _latency(self) -> Curve:
        arms = {labels.get(LABEL_IMPLEMENTATION, ""): self._on_grid(values) for labels, values in self._of(questions.LATENCY)}
        new, old = (_scaled(arms.get(arm, self._none()), 1000) for arm in (ARM_NEW, ARM_BASELINE))
        stored = self._seen.status.baseline_p95_microseconds
        times_baseline = self._criteria.latency_p95.limit_percent_of_baseline / 100
        last = stored / 1000 if stored else None
        limit = _scaled([value if value is not None else last for value in old], times_baseline)
        lines = (Line("new arm", "new", new), Line("baseline", "baseline", old), Line("limit", "limit", limit))
        return Curve("latencyP95", "ms", lines)

    def _service_time(self, name: str, asked: str, bounds: OpaP95 | CacheP95) -> Curve:
        values = _scaled(self._one(asked), 1000)
        return self._against(name, "ms", values, bounds.limit_microseconds / 1000, bounds.warning_microseconds / 1000 or None)

    def _different(self) -> Curve:
        counts = {labels.get("result", ""): self._on_grid(values) for labels, values in self._of(questions.COMPARISONS)}
        equal, unequal = (counts.get(result, self._none()) for result in ("match", "mismatch"))
        seen = _each(unequal, equal, lambda bad, good: _percent(bad or 0, (bad or 0) + (good or 0)))
        limit = self._criteria.decision_mismatch.limit_parts_per_million / 10_000
        return self._against("decisionMismatch", "%", seen, limit)

    def _against(
        self,
        name: str,
        unit: str,
        values: Values,
        limit: float | None,
        warning: float | None = None,
        *,
        label: str = "measured",
    ) -> Curve:
        lines = [Line(label, "new", values)]
        if warning is not None:
            lines.append(self._level("warning", warning))
        if limit is not None:
            lines.append(self._level("limit", limit))
        return Curve(name, unit, tuple(lines) if any(value is not None for value in values) else ())

    def _level(self, role: str, value: float) -> Line:
        return Line(role, role, [value] * len(self._times))

    def _of(self, name: str) -> Series:
        return self._answers.get(name, ())

    def _one(self, name: str) -> Values:
        """Return the only series of an answer; nothing where there are none or several."""
        found = self._of(name)
        return self._on_grid(found[0][1]) if len(found) == 1 else self._none()

    def _none(self) -> Values:
        return [None] * len(self._times)

    def _on_grid(self, values: Mapping[float, float]) -> Values:
        return [values.get(at) for at in self._times]

    def _by_arm_and_result(self) -> dict[tuple[str, str], Mapping[float, float]]:
        return {
            (labels.get(LABEL_IMPLEMENTATION, ""), labels.get("result", "")): values
            for labels, values in self._of(questions.REQUESTS)
        }

    def _total(self, arm: str) -> Values:
        series = [values for (each, _), values in self._counts.items() if each == arm]
        return [sum(found) if (found := [one[at] for one in series if at in one]) else None for at in self._times]


def _percent(part: float | None, whole: float | None) -> float | None:
    return 100 * (part or 0) / whole if whole else None


def _each(left: Values, right: Values, of: Callable[[float | None, float | None], float | None]) -> Values:
    return [None if one is None and other is None else _rounded(of(one, other)) for one, other in zip(left, right, strict=True)]


def _scaled(values: Values, factor: float) -> Values:
    return [None if value is None else _rounded(value * factor) for value in values]


def _rounded(value: float | None) -> float | None:
    """Return a value with as many digits as are drawn; nothing for one that has become infinite, which JSON cannot say."""
    return None if value is None or not isfinite(value) else float(f"{value:.{_DIGITS}g}")
