"""Prometheus' answers turned into values, per rollout. Nothing here asks anybody anything.

A number that is not finite makes the answer of its rollout unusable: NaN compares false both ways and would pass for good news.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import inf, isfinite, isnan, nan
from typing import Any, NamedTuple

from sark_api.names import LABEL_IMPLEMENTATION, LABEL_ROLLOUT
from sark_operator.core.alerts import FiringAlert
from sark_operator.core.observation import Histogram, MemorySeries
from sark_operator.shell.series import Series

_PAIR = 2
_REFUSALS = frozenset({"deny", "undefined"})


class AnswerError(ValueError):
    """The answer is not what was asked for; the message is a clause that says what is wrong with it."""


class Sample(NamedTuple):
    """One series at one time. A tuple: an answer about a thousand rollouts has some ten thousand."""

    labels: Mapping[str, str]
    value: float


@dataclass(frozen=True, slots=True)
class Requests:
    """One arm's requests in a window, and how many of them were errors and refusals."""

    requests: float = 0.0
    errors: float = 0.0
    refusals: float = 0.0

    def plus(self, result: str, number: float) -> Requests:
        """Return the sum with `number` more requests of one result."""
        return Requests(
            self.requests + number,
            self.errors + (number if result == "error" else 0.0),
            self.refusals + (number if result in _REFUSALS else 0.0),
        )


def samples(result: Any) -> Iterator[Sample]:
    """Yield the series of an instant vector. Raises `AnswerError`."""
    for series in _list(result):
        yield Sample(_labels(series), _point(_member(series, "value"))[1])


def firing(result: Any) -> tuple[FiringAlert, ...]:
    """Return the alerts in an instant vector of ALERTS. Raises `AnswerError`."""
    return tuple(FiringAlert.of(_own_labels(sample.labels)) for sample in samples(result) if sample.value > 0)


def _own_labels(labels: Mapping[str, str]) -> Mapping[str, str]:
    return {name: value for name, value in labels.items() if name not in ("__name__", "alertstate")}


def number(result: Any) -> float:
    """Return the one finite number of a scalar or of a vector of one series. Raises `AnswerError`."""
    found = _list(result)
    if len(found) == _PAIR and not isinstance(found[0], dict):
        value = _point(found)[1]
    elif len(found) == 1:
        value = _point(_member(found[0], "value"))[1]
    elif not found:
        raise AnswerError("gave no series; it must give one number")
    else:
        raise AnswerError(f"gave {len(found)} series; it must give one number: aggregate it, as in sum(...)")
    if not isfinite(value):
        raise AnswerError(f"gave {value}, which is not a number to compare")
    return value


def requests_by_arm(found: Iterable[Sample]) -> dict[str, dict[str, Requests]]:
    """Return requests and errors by rollout and arm."""
    totals: defaultdict[str, defaultdict[str, Requests]] = defaultdict(lambda: defaultdict(Requests))
    for sample in found:
        arms, arm = totals[_rollout(sample)], sample.labels.get(LABEL_IMPLEMENTATION, "")
        arms[arm] = arms[arm].plus(sample.labels.get("result", ""), sample.value)
    return {rollout: dict(arms) for rollout, arms in totals.items()}


def latency_by_arm(found: Iterable[Sample]) -> dict[str, dict[str, Histogram]]:
    """Return latency histograms by rollout and arm.

    A histogram that cannot be reckoned with becomes one without a number: it is the fault of its own rollout, and must not
    blind the others in the same answer.
    """
    counts: defaultdict[tuple[str, str], dict[float, float]] = defaultdict(dict)
    for labels, value in found:
        buckets = counts[labels.get(LABEL_ROLLOUT, ""), labels.get(LABEL_IMPLEMENTATION, "")]
        bound = _bound(labels.get("le", ""))
        buckets[bound] = buckets.get(bound, 0.0) + value
    histograms: defaultdict[str, dict[str, Histogram]] = defaultdict(dict)
    known: dict[tuple[float, ...], tuple[float, ...]] = {}
    """Each row of bounds once: all sidecars of one version have the same."""
    for (rollout, arm), buckets in counts.items():
        histogram = _histogram(buckets)
        bounds = known.setdefault(histogram.bounds, histogram.bounds)
        histograms[rollout][arm] = Histogram(bounds, histogram.counts)
    return dict(histograms)


def by_time(result: Any) -> dict[float, list[Sample]]:
    """Return the samples of a range answer by their time, in Unix seconds. Raises `AnswerError`."""
    found: defaultdict[float, list[Sample]] = defaultdict(list)
    for series in _list(result):
        labels = _labels(series)
        for at, value in _points(series):
            found[at].append(Sample(labels, value))
    return dict(found)


def memory_by_rollout(result: Any) -> dict[str, tuple[MemorySeries, ...]]:
    """Return memory by rollout and pod; a series without a `pod` label goes by its `instance`. Raises `AnswerError`.

    A pod that came back at another address is two series of one pod: their points are put in order of time. Points that are not
    finite are left out.
    """
    found: dict[tuple[str, str], tuple[tuple[float, float], ...]] = {}
    instants: dict[float, float] = {}
    """Each time once: all series of an answer have the same."""
    for series in _list(result):
        labels = _labels(series)
        pod = labels.get("pod") or labels.get("instance") or "unnamed"
        key = labels.get(LABEL_ROLLOUT, ""), pod
        points = sorted((instants.setdefault(at, at), value) for at, value in _points(series) if isfinite(value))
        found[key] = _merged(found[key], points) if key in found else tuple(points)
    grouped: defaultdict[str, list[MemorySeries]] = defaultdict(list)
    for (rollout, pod), values in sorted(found.items()):
        grouped[rollout].append(MemorySeries(pod, values))
    return {rollout: tuple(pods) for rollout, pods in grouped.items()}


def _merged(one: Iterable[tuple[float, float]], other: Iterable[tuple[float, float]]) -> tuple[tuple[float, float], ...]:
    """Return the points of both in order of time, the larger one where there are two."""
    points = dict(one)
    for at, value in other:
        points[at] = max(value, points.get(at, value))
    return tuple(sorted(points.items()))


def number_by_rollout(found: Iterable[Sample]) -> dict[str, float]:
    """Return the one number of each rollout."""
    return {_rollout(sample): sample.value for sample in found}


def cores_by_pod(found: Iterable[Sample]) -> dict[str, dict[str, float]]:
    """Return the cores used by rollout and pod; a series without a `pod` label goes by its `instance`."""
    cores: defaultdict[str, dict[str, float]] = defaultdict(dict)
    for sample in found:
        pod = sample.labels.get("pod") or sample.labels.get("instance") or "unnamed"
        pods = cores[_rollout(sample)]
        pods[pod] = max(sample.value, pods.get(pod, sample.value))
    return dict(cores)


def results_by_rollout(found: Iterable[Sample]) -> dict[str, dict[str, float]]:
    """Return the numbers by rollout and result."""
    results: defaultdict[str, dict[str, float]] = defaultdict(dict)
    for sample in found:
        results[_rollout(sample)][sample.labels.get("result", "")] = sample.value
    return dict(results)


def differences_by_rollout(found: Iterable[Sample]) -> dict[str, tuple[tuple[str, str, float], ...]]:
    """Return (path, kind, number) by rollout, the commonest first."""
    seen: defaultdict[str, list[tuple[str, str, float]]] = defaultdict(list)
    for sample in found:
        seen[_rollout(sample)].append((sample.labels.get("path", ""), sample.labels.get("kind", ""), sample.value))
    return {rollout: tuple(sorted(each, key=lambda one: (-one[2], one))) for rollout, each in seen.items()}


def ages(found: Iterable[Sample]) -> dict[str, float]:
    """Return by rollout the age in seconds of its newest sample."""
    return {_rollout(sample): sample.value for sample in found}


def finite(requests: Iterable[Requests], histograms: Iterable[Histogram]) -> bool:
    """Return whether every number of one rollout can be reckoned with."""
    numbers = [value for arm in requests for value in (arm.requests, arm.errors, arm.refusals)]
    return all(map(isfinite, [*numbers, *(count for histogram in histograms for count in histogram.counts)]))


def _histogram(buckets: Mapping[float, float]) -> Histogram:
    """Return the cumulative buckets in order.

    `increase` extrapolates every bucket by itself, so a higher one can come out a hair below a lower one: that is levelled.
    """
    bounds = sorted(buckets)
    if any(map(isnan, bounds)) or not bounds or bounds[-1] != inf:
        return Histogram((inf,), (nan,))
    counts, highest = [], 0.0
    for bound in bounds:
        value = buckets[bound]
        highest = max(highest, value) if isfinite(value) else value
        counts.append(highest)
    return Histogram(tuple(bounds), tuple(counts))


@lru_cache(maxsize=1024)
def _bound(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return nan


def _rollout(sample: Sample) -> str:
    return sample.labels.get(LABEL_ROLLOUT, "")


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
        raise AnswerError("has an unexpected form: labels that are no mapping")
    return labels


def _points(series: Any) -> list[tuple[float, float]]:
    """Return the points of a series of a range answer."""
    values = _list(_member(series, "values"))
    try:
        return [(float(at), float(value)) for at, value in values]
    except (TypeError, ValueError) as error:
        raise AnswerError("has an unexpected form: a sample that is not a time and a number") from error


def _point(pair: Any) -> tuple[float, float]:
    try:
        at, value = pair
        return float(at), float(value)
    except (TypeError, ValueError) as error:
        raise AnswerError("has an unexpected form: a sample that is not a time and a number") from error
