"""Prometheus' answers turned into values, per rollout. Nothing here asks anybody anything.

A number that is not finite makes the answer of its rollout unusable: NaN compares false both ways and would pass for good news.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from math import inf, isfinite, isnan, nan
from typing import Any, Protocol, TypeVar

from sark_api.names import LABEL_IMPLEMENTATION, LABEL_ROLLOUT
from sark_operator.core.alerts import FiringAlert, FiringAlerts
from sark_operator.core.observation import Histogram, MemorySeries
from sark_operator.core.points import Point, Points
from sark_operator.shell.series import Series

Bounds = tuple[float, ...]
"""Upper bounds of a histogram's buckets, the last one infinite."""
Parsed_co = TypeVar("Parsed_co", covariant=True)

_PAIR = 2
_LAST_TIME = 253402300799.0
"""The end of the year 9999 in Unix seconds; a calendar knows none after it."""
_NO_POINT = "has an unexpected form: a sample that is not a time and a number"
_NO_DATE = "has an unexpected form: a sample at a time that no calendar has"
_NO_LABELS = "has an unexpected form: labels that are no mapping of texts"
_REFUSALS = frozenset({"deny", "undefined"})
MOST_FIRING = 10_000
"""Alerts that may fire in one answer."""


class AnswerError(ValueError):
    """The answer is not what was asked for; the message is a clause that says what is wrong with it."""


Sample = tuple[Mapping[str, str], float]
"""The labels of one series and its value at one time. No class: an answer about a thousand rollouts has some ten thousand."""


@dataclass(frozen=True, slots=True)
class Requests:
    """One arm's requests in a window, and how many of them were errors and refusals."""

    requests: float = 0.0
    errors: float = 0.0
    refusals: float = 0.0

    @classmethod
    def of(cls, results: Iterable[tuple[str, float]]) -> Requests:
        """Return the sums of numbers of requests by result."""
        requests = errors = refusals = 0.0
        for result, number in results:
            requests += number
            if result == "error":
                errors += number
            elif result in _REFUSALS:
                refusals += number
        return cls(requests, errors, refusals)


def samples(result: Any) -> Iterator[Sample]:
    """Yield the series of an instant vector. Raises `AnswerError`."""
    for series in _list(result):
        yield _labels(series), _point(_member(series, "value"))[1]


def firing(result: Any) -> FiringAlerts:
    """Return the alerts in an instant vector of ALERTS. Raises `AnswerError`.

    Every rollout that asks for labels which many have looks through all of them, on the event loop: what one server answers
    must not keep the others waiting.
    """
    found = [FiringAlert.of(_own_labels(labels)) for labels, value in samples(result) if value > 0]
    if len(found) > MOST_FIRING:
        raise AnswerError(f"has {len(found):,} alerts that fire, and at most {MOST_FIRING:,} are looked at")
    return FiringAlerts(found)


def _own_labels(labels: Mapping[str, str]) -> Mapping[str, str]:
    return {name: value for name, value in labels.items() if name not in ("__name__", "alertstate")}


def number(result: Any) -> float:
    """Return the one finite number of a scalar or of a vector of one series. Raises `AnswerError`."""
    found = _list(result)
    if len(found) == _PAIR and not isinstance(found[0], dict):
        value = _point(found)[1]
    elif len(found) == 1:
        _labels(found[0])
        value = _point(_member(found[0], "value"))[1]
    elif not found:
        raise AnswerError("gave no series; it must give one number")
    else:
        raise AnswerError(f"gave {len(found)} series; it must give one number: aggregate it, as in sum(...)")
    if not isfinite(value):
        raise AnswerError(f"gave {value}, which is not a number to compare")
    return value


class Gathering(Protocol[Parsed_co]):
    """Samples taken one by one, of which what is wanted is kept: as mappings the labels of an answer are ten times as much."""

    def add(self, labels: Mapping[str, str], value: float) -> None:
        """Take one."""
        ...

    def result(self) -> Parsed_co:
        """Return what they say, all together."""
        ...


class RequestsByArm:
    """Gathers requests and errors by rollout and arm."""

    def __init__(self) -> None:
        self._numbers: defaultdict[tuple[str, str], list[tuple[str, float]]] = defaultdict(list)

    def add(self, labels: Mapping[str, str], value: float) -> None:
        """Take one."""
        self._numbers[_arm(labels)].append((labels.get("result", ""), value))

    def result(self) -> dict[str, dict[str, Requests]]:
        """Return what they say, all together."""
        totals: defaultdict[str, dict[str, Requests]] = defaultdict(dict)
        for (rollout, arm), results in self._numbers.items():
            totals[rollout][arm] = Requests.of(results)
        return dict(totals)


class LatencyByArm:
    """Gathers latency histograms by rollout and arm.

    A histogram that cannot be reckoned with becomes one without a number: it is the fault of its own rollout, and must not
    blind the others in the same answer.
    """

    def __init__(self) -> None:
        self._counts: defaultdict[tuple[str, str], dict[float, float]] = defaultdict(dict)

    def add(self, labels: Mapping[str, str], value: float) -> None:
        """Take one."""
        buckets = self._counts[_arm(labels)]
        bound = _bound(labels.get("le", ""))
        buckets[bound] = buckets.get(bound, 0.0) + value

    def result(self) -> dict[str, dict[str, Histogram]]:
        """Return what they say, all together."""
        histograms: defaultdict[str, dict[str, Histogram]] = defaultdict(dict)
        orders: dict[frozenset[float], Bounds] = {}
        for (rollout, arm), buckets in self._counts.items():
            histograms[rollout][arm] = _histogram(buckets, orders)
        return dict(histograms)


class NumberByRollout:
    """Gathers the one number of each rollout."""

    def __init__(self) -> None:
        self._numbers: dict[str, float] = {}

    def add(self, labels: Mapping[str, str], value: float) -> None:
        """Take one."""
        self._numbers[_rollout(labels)] = value

    def result(self) -> dict[str, float]:
        """Return what they say, all together."""
        return self._numbers


class ResultsByRollout:
    """Gathers the numbers by rollout and result."""

    def __init__(self) -> None:
        self._results: defaultdict[str, dict[str, float]] = defaultdict(dict)

    def add(self, labels: Mapping[str, str], value: float) -> None:
        """Take one."""
        self._results[_rollout(labels)][labels.get("result", "")] = value

    def result(self) -> dict[str, dict[str, float]]:
        """Return what they say, all together."""
        return dict(self._results)


def gathered(found: Iterable[Sample], gathering: Gathering[Parsed_co]) -> Parsed_co:
    """Return what all samples say together."""
    for labels, value in found:
        gathering.add(labels, value)
    return gathering.result()


def at_once(begin: Callable[[], Gathering[Parsed_co]]) -> Callable[[Any], Parsed_co]:
    """Return what reads all samples of an instant answer together; it raises `AnswerError`."""
    return lambda result: gathered(samples(result), begin())


def by_time(result: Any, begin: Callable[[], Gathering[Parsed_co]]) -> dict[float, Parsed_co]:
    """Return what the samples of a range answer say, by their time in Unix seconds. Raises `AnswerError`."""
    found: defaultdict[float, Gathering[Parsed_co]] = defaultdict(begin)
    for series in _list(result):
        labels = _labels(series)
        for at, value in _points(series):
            found[at].add(labels, value)
    return {at: gathering.result() for at, gathering in found.items()}


def memory_by_rollout(result: Any) -> dict[str, tuple[MemorySeries, ...]]:
    """Return memory by rollout and pod; a series without a `pod` label goes by its `instance`. Raises `AnswerError`.

    A pod that came back at another address is two series of one pod: their points are put in order of time. Points that are not
    finite are left out.
    """
    found: dict[tuple[str, str], Points] = {}
    rows: dict[tuple[float, ...], tuple[float, ...]] = {}
    """Each row of times once: nearly all series of an answer have the same."""
    for series in _list(result):
        labels = _labels(series)
        key = _rollout(labels), _pod(labels)
        points = sorted(point for point in _points(series) if isfinite(point[1]))
        if key in found:
            points = _merged(found[key], points)
        times = tuple(at for at, _ in points)
        found[key] = Points(rows.setdefault(times, times), [value for _, value in points])
    grouped: defaultdict[str, list[MemorySeries]] = defaultdict(list)
    for (rollout, pod), values in sorted(found.items(), key=lambda item: item[0]):
        grouped[rollout].append(MemorySeries(pod, values))
    return {rollout: tuple(pods) for rollout, pods in grouped.items()}


def _merged(one: Iterable[Point], other: Iterable[Point]) -> list[Point]:
    """Return the points of both in order of time, the larger one where there are two."""
    points = dict(one)
    for at, value in other:
        points[at] = max(value, points.get(at, value))
    return sorted(points.items())


def namespaces_by_rollout(found: Iterable[Sample]) -> dict[str, frozenset[str]]:
    """Return the namespaces that series of each rollout come from."""
    namespaces: defaultdict[str, set[str]] = defaultdict(set)
    for labels, _ in found:
        namespaces[_rollout(labels)].add(labels.get("namespace", ""))
    return {rollout: frozenset(each - {""}) for rollout, each in namespaces.items()}


def cores_by_pod(found: Iterable[Sample]) -> dict[str, dict[str, float]]:
    """Return the cores used by rollout and pod; a series without a `pod` label goes by its `instance`."""
    cores: defaultdict[str, dict[str, float]] = defaultdict(dict)
    for labels, value in found:
        pods, pod = cores[_rollout(labels)], _pod(labels)
        pods[pod] = max(value, pods.get(pod, value))
    return dict(cores)


def differences_by_rollout(found: Iterable[Sample]) -> dict[str, tuple[tuple[str, str, float], ...]]:
    """Return (path, kind, number) by rollout, the commonest first."""
    seen: defaultdict[str, list[tuple[str, str, float]]] = defaultdict(list)
    for labels, value in found:
        seen[_rollout(labels)].append((labels.get("path", ""), labels.get("kind", ""), value))
    return {rollout: tuple(sorted(each, key=lambda one: (-one[2], one))) for rollout, each in seen.items()}


@dataclass(frozen=True, slots=True)
class Ages:
    """How old what a server knows is, by its own clock."""

    seconds: Mapping[str, float]
    """Age of the newest sample by rollout."""
    at: float | None
    """The server's present when it answered, in Unix seconds; None when it has no series."""


def ages(result: Any) -> Ages:
    """Return what an instant vector of ages says. Raises `AnswerError`."""
    found = _list(result)
    at = _point(_member(found[0], "value"))[0] if found else None
    return Ages({_rollout(labels): value for labels, value in samples(found)}, at)


def finite(requests: Iterable[Requests], histograms: Iterable[Histogram]) -> bool:
    """Return whether every number of one rollout can be reckoned with."""
    numbers = [value for arm in requests for value in (arm.requests, arm.errors, arm.refusals)]
    return all(map(isfinite, [*numbers, *(count for histogram in histograms for count in histogram.counts)]))


def _histogram(buckets: Mapping[float, float], orders: dict[frozenset[float], Bounds]) -> Histogram:
    """Return the cumulative buckets in order.

    `increase` extrapolates every bucket by itself, so a higher one can come out a hair below a lower one: that is levelled.
    `orders` are the bounds of those before, in order: all sidecars of one version have the same.
    """
    kind = frozenset(buckets)
    bounds = orders.get(kind)
    if bounds is None:
        bounds = orders[kind] = _in_order(kind)
    if not bounds:
        return Histogram((inf,), (nan,))
    values = [buckets[bound] for bound in bounds]
    if isfinite(sum(values)):
        return Histogram(bounds, tuple(accumulate(values, max, initial=0.0))[1:])
    counts, highest = [], 0.0
    for value in values:
        highest = max(highest, value) if isfinite(value) else value
        counts.append(highest)
    return Histogram(bounds, tuple(counts))


def _in_order(bounds: frozenset[float]) -> Bounds:
    """Return the bounds of a histogram in order; none where they are not those of one."""
    return tuple(sorted(bounds)) if inf in bounds and not any(map(isnan, bounds)) else ()


@lru_cache(maxsize=1024)
def _bound(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return nan


def _rollout(labels: Mapping[str, str]) -> str:
    return labels.get(LABEL_ROLLOUT, "")


def _arm(labels: Mapping[str, str]) -> tuple[str, str]:
    """Return the rollout and the implementation."""
    return labels.get(LABEL_ROLLOUT, ""), labels.get(LABEL_IMPLEMENTATION, "")


def _pod(labels: Mapping[str, str]) -> str:
    return labels.get("pod") or labels.get("instance") or "unnamed"


def _list(value: Any) -> Sequence[Any]:
    if not isinstance(value, list | Series):
        raise AnswerError("has an unexpected form: a list of series was expected")
    return value


def _member(series: Any, name: str) -> Any:
    if not isinstance(series, dict) or name not in series:
        raise AnswerError(f"has an unexpected form: a series without {name!r}")
    return series[name]


def _labels(series: Any) -> Mapping[str, str]:
    labels = _member(series, "metric")
    if not isinstance(labels, dict):
        raise AnswerError(_NO_LABELS)
    for text in labels.values():
        if type(text) is not str:
            raise AnswerError(_NO_LABELS)
    return labels


def _points(series: Any) -> list[tuple[float, float]]:
    """Return the points of a series of a range answer."""
    return _dated(_list(_member(series, "values")))


def _point(pair: Any) -> tuple[float, float]:
    """Return one point, as `_dated` returns many: an answer has ten thousand series of one."""
    try:
        time, number = pair
        at, value = float(time), float(number)
    except (TypeError, ValueError, OverflowError) as error:
        raise AnswerError(_NO_POINT) from error
    if not 0 <= at <= _LAST_TIME:
        raise AnswerError(_NO_DATE)
    return at, value


def _dated(pairs: Iterable[Any]) -> list[tuple[float, float]]:
    try:
        points = [(float(at), float(value)) for at, value in pairs]
    except (TypeError, ValueError, OverflowError) as error:
        raise AnswerError(_NO_POINT) from error
    if not all([0 <= at <= _LAST_TIME for at, _ in points]):  # a NaN is no time either  # noqa: C419 - a list is faster
        raise AnswerError(_NO_DATE)
    return points
