"""The questions asked of Prometheus.

Each asks for all rollouts of a server at once, grouped by the label that tells them apart, so that a thousand rollouts on one
Prometheus cost what one costs. One that hardly anybody else asks is narrowed by a matcher, `only`. Nothing else a user writes
than the name of the rollout is ever spliced into PromQL, and a name is made of letters, digits, dots and dashes.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from sark_api.names import (
    ARM_NEW,
    LABEL_IMPLEMENTATION,
    LABEL_ROLLOUT,
    METRIC_CACHE_SECONDS,
    METRIC_CPU,
    METRIC_FALLBACK,
    METRIC_FLAG_REVISION,
    METRIC_MEMORY,
    METRIC_OPA_SECONDS,
    METRIC_REQUEST_SECONDS,
    METRIC_REQUESTS,
    METRIC_SHADOW_COMPARISONS,
    METRIC_SHADOW_MISMATCHES,
    METRIC_SHADOW_UNCONFIRMED,
)

UNCONFIRMED = "unconfirmed"
"""Result under which `comparisons` has the differences that the sidecars have not counted yet."""

MEMORY_POINTS = 60
"""Points a memory window is cut into."""

LABEL_NAMESPACE = "namespace"
"""What a scrape configuration calls the namespace of a pod."""

_NAMED = f'{LABEL_ROLLOUT}!=""'
"""Series of any rollout."""

_JUDGED = (
    METRIC_REQUESTS,
    f"{METRIC_REQUEST_SECONDS}_bucket",
    METRIC_FALLBACK,
    f"{METRIC_OPA_SECONDS}_bucket",
    f"{METRIC_CACHE_SECONDS}_bucket",
    METRIC_SHADOW_COMPARISONS,
    METRIC_SHADOW_MISMATCHES,
    METRIC_SHADOW_UNCONFIRMED,
    METRIC_CPU,
    METRIC_MEMORY,
    METRIC_FLAG_REVISION,
)
"""Whatever a verdict rests on, or is said to be fresh by."""

QueryOf = Callable[[timedelta, str], str]
"""Makes a query of a window and a matcher."""

LONGEST_SCRAPE_INTERVAL = timedelta(minutes=1)
"""Scrape intervals up to this cannot hide a restart between two samples."""


def only(rollout: str) -> str:
    """Return the matcher for the series of one rollout (namespace/name), which every question takes as `about`."""
    return f'{LABEL_ROLLOUT}="{rollout}"'


def requests(window: timedelta, about: str = "") -> str:
    """Return the query for the requests of each arm by result, in the last `window`."""
    series = f"{_series(METRIC_REQUESTS, about)}[{_seconds(window)}]"
    return f"sum by ({LABEL_ROLLOUT}, {LABEL_IMPLEMENTATION}, result) (increase({series}))"


def latency(window: timedelta, about: str = "") -> str:
    """Return the query for the latency histogram of each arm, in the last `window`."""
    series = f"{_series(f'{METRIC_REQUEST_SECONDS}_bucket', about)}[{_seconds(window)}]"
    return f"sum by ({LABEL_ROLLOUT}, {LABEL_IMPLEMENTATION}, le) (increase({series}))"


def alerts(about: str = "") -> str:
    """Return the query for every alert that fires, of whatever it is; which are whose is found out afterwards."""
    return _series("ALERTS", 'alertstate="firing"', about)


def asks_for_alerts(query: str) -> bool:
    """Return whether `query` is that for alerts, whomever it is about."""
    return query.startswith("ALERTS{")


def fallbacks(window: timedelta, about: str = "") -> str:
    """Return the query for the requests of the new arm that the baseline had to answer, in the last `window`."""
    return f"sum by ({LABEL_ROLLOUT}) (increase({_series(METRIC_FALLBACK, about)}[{_seconds(window)}]))"


def evaluations(window: timedelta, about: str = "") -> str:
    """Return the query for the histogram of the embedded engine's evaluations, in the last `window`."""
    series = f"{_evaluations(about)}[{_seconds(window)}]"
    return f"sum by ({LABEL_ROLLOUT}, {LABEL_IMPLEMENTATION}, le) (increase({series}))"


def lookups(window: timedelta, about: str = "") -> str:
    """Return the query for the histogram of look-ups in the in-process cache, in the last `window`."""
    series = f"{_lookups(about)}[{_seconds(window)}]"
    return f"sum by ({LABEL_ROLLOUT}, {LABEL_IMPLEMENTATION}, le) (increase({series}))"


def comparisons(window: timedelta, about: str = "") -> str:
    """Return the query for the requests drawn for comparison by result, in the last `window`; and those `UNCONFIRMED` now."""
    counted = f"sum by ({LABEL_ROLLOUT}, result) (increase({_series(METRIC_SHADOW_COMPARISONS, about)}[{_seconds(window)}]))"
    waiting = f"sum by ({LABEL_ROLLOUT}) ({_series(METRIC_SHADOW_UNCONFIRMED, about)})"
    return f'{counted} or label_replace({waiting}, "result", "{UNCONFIRMED}", "", "")'


def mismatches(window: timedelta, about: str = "") -> str:
    """Return the query for the decisions that differed by path and kind, in the last `window`; without those that did not."""
    series = f"{_series(METRIC_SHADOW_MISMATCHES, about)}[{_seconds(window)}]"
    return f"sum by ({LABEL_ROLLOUT}, path, kind) (increase({series})) > 0"


def cpu(window: timedelta, about: str = "") -> str:
    """Return the query for the cores each sidecar used, averaged over the last `window`."""
    series = f"{_series(METRIC_CPU, about or _NAMED)}[{_seconds(window)}]"
    return f"max by ({LABEL_ROLLOUT}, pod, instance) (rate({series}))"


def counted_requests(window: timedelta, about: str = "") -> str:
    """Return the query for what the requests of each arm, by result, grew by in the `window` before each point of a range."""
    return _grown(_series(METRIC_REQUESTS, about), window, about, LABEL_IMPLEMENTATION, "result")


def counted_latency(window: timedelta, about: str = "") -> str:
    """Return the query for what the latency histogram of each arm grew by in the `window` before each point of a range."""
    return _grown(_series(f"{METRIC_REQUEST_SECONDS}_bucket", about), window, about, LABEL_IMPLEMENTATION, "le")


def counted_fallbacks(window: timedelta, about: str = "") -> str:
    """Return the query for what the fallbacks grew by in the `window` before each point of a range."""
    return _grown(_series(METRIC_FALLBACK, about), window, about)


def counted_evaluations(window: timedelta, about: str = "") -> str:
    """Return the query for what the histogram of evaluations grew by in the `window` before each point of a range."""
    return _grown(_evaluations(about), window, about, LABEL_IMPLEMENTATION, "le")


def counted_lookups(window: timedelta, about: str = "") -> str:
    """Return the query for what the histogram of cache look-ups grew by in the `window` before each point of a range."""
    return _grown(_lookups(about), window, about, LABEL_IMPLEMENTATION, "le")


def counted_comparisons(window: timedelta, about: str = "") -> str:
    """Return the query for what the comparisons by result grew by in the `window` before each point of a range."""
    return _grown(_series(METRIC_SHADOW_COMPARISONS, about), window, about, "result")


def _grown(series: str, window: timedelta, about: str, *by: str) -> str:
    """Return the difference of counters at the two ends of a window: whole requests, which `increase()` would extrapolate.

    A pod counts when it has the series at both ends. One whose counters began anew is left out as a whole for that window and
    the minute after it, in which an older sample can still be the newest before the window: some of its results would seem to
    have grown less than others.
    """
    seconds = _seconds(window)
    pod = f"{LABEL_ROLLOUT}, pod, instance"
    resets = f"resets({_series(METRIC_REQUESTS, about)}[{_seconds(window + LONGEST_SCRAPE_INTERVAL)}])"
    return (
        f"sum by ({', '.join((LABEL_ROLLOUT, *by))}) (({series} - {series} offset {seconds}) "
        f"unless on ({pod}) (max by ({pod}) ({resets}) > 0))"
    )


def memory(about: str = "") -> str:
    """Return the query for the resident memory of each sidecar, asked over a range."""
    return f"max by ({LABEL_ROLLOUT}, pod, instance) ({_series(METRIC_MEMORY, about or _NAMED)})"


def memory_step(window: timedelta) -> int:
    """Return the seconds between two points of a memory window, at least 1."""
    return max(1, round(window.total_seconds() / MEMORY_POINTS))


def sample_age(about: str = "") -> str:
    """Return the query for the age in seconds of each rollout's newest sample.

    Prometheus' own clock is used on both sides, so a clock that differs from the operator's cannot make old samples look new.
    """
    return f"time() - max by ({LABEL_ROLLOUT}) (timestamp({_series(METRIC_FLAG_REVISION, about)}))"


def scraped(window: timedelta, about: str = "") -> str:
    """Return the query for how many sidecars of each rollout have a sample not older than `window`, and a minute at least.

    A target that cannot be scraped, or is none any more, has no sample from then on. Series without an `instance`, as of a
    rule, do not tell sidecars apart and are not counted.
    """
    target = _series(METRIC_FLAG_REVISION, 'instance!=""', about)
    newest = f"max by ({LABEL_ROLLOUT}, pod, instance) (timestamp({target}))"
    return f"count by ({LABEL_ROLLOUT}) (time() - {newest} <= {_seconds(max(window, LONGEST_SCRAPE_INTERVAL))})"


def claimants(window: timedelta, about: str = "") -> str:
    """Return the query for the namespaces of all targets with a series that names a rollout, of those judged, in the `window`.

    The label `namespace` is what a scrape configuration makes of the pod's; where there is none, nothing tells. The names of
    the metrics, without which two of them would be one series, are kept by `last_over_time`.
    """
    series = _series("", f'__name__=~"{"|".join(_JUDGED)}"', about or _NAMED, f'{LABEL_NAMESPACE}!=""')
    return f"group by ({LABEL_ROLLOUT}, {LABEL_NAMESPACE}) (last_over_time({series}[{_seconds(window)}]))"


def _seconds(window: timedelta) -> str:
    return f"{max(1, int(window.total_seconds()))}s"


def _evaluations(about: str) -> str:
    return _series(f"{METRIC_OPA_SECONDS}_bucket", f'{LABEL_IMPLEMENTATION}="{ARM_NEW}"', about)


def _lookups(about: str) -> str:
    return _series(f"{METRIC_CACHE_SECONDS}_bucket", f'{LABEL_IMPLEMENTATION}="{ARM_NEW}"', 'operation="get"', about)


def _series(metric: str, *matchers: str) -> str:
    """Return the selector of the series of `metric` that every matcher which is not empty matches."""
    wanted = ", ".join(filter(None, matchers))
    return f"{metric}{{{wanted}}}" if wanted else metric
