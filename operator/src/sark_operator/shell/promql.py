"""The questions asked of Prometheus.

No query names a rollout: each asks for all rollouts of a server at once, grouped by the label that tells them apart. So a
thousand rollouts on one Prometheus cost what one costs, and nothing a user writes is ever spliced into PromQL.
"""

from __future__ import annotations

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

LONGEST_SCRAPE_INTERVAL = timedelta(minutes=1)
"""Scrape intervals up to this cannot hide a restart between two samples."""


def requests(window: timedelta) -> str:
    """Return the query for the requests of each arm by result, in the last `window`."""
    series = f"{METRIC_REQUESTS}[{_seconds(window)}]"
    return f"sum by ({LABEL_ROLLOUT}, {LABEL_IMPLEMENTATION}, result) (increase({series}))"


def latency(window: timedelta) -> str:
    """Return the query for the latency histogram of each arm, in the last `window`."""
    series = f"{METRIC_REQUEST_SECONDS}_bucket[{_seconds(window)}]"
    return f"sum by ({LABEL_ROLLOUT}, {LABEL_IMPLEMENTATION}, le) (increase({series}))"


def alerts() -> str:
    """Return the query for every alert that fires, of whatever it is; which are whose is found out afterwards."""
    return 'ALERTS{alertstate="firing"}'


def fallbacks(window: timedelta) -> str:
    """Return the query for the requests of the new arm that the baseline had to answer, in the last `window`."""
    return f"sum by ({LABEL_ROLLOUT}) (increase({METRIC_FALLBACK}[{_seconds(window)}]))"


def evaluations(window: timedelta) -> str:
    """Return the query for the histogram of the embedded engine's evaluations, in the last `window`."""
    series = f'{METRIC_OPA_SECONDS}_bucket{{{LABEL_IMPLEMENTATION}="{ARM_NEW}"}}[{_seconds(window)}]'
    return f"sum by ({LABEL_ROLLOUT}, {LABEL_IMPLEMENTATION}, le) (increase({series}))"


def lookups(window: timedelta) -> str:
    """Return the query for the histogram of look-ups in the in-process cache, in the last `window`."""
    series = f'{METRIC_CACHE_SECONDS}_bucket{{{LABEL_IMPLEMENTATION}="{ARM_NEW}", operation="get"}}[{_seconds(window)}]'
    return f"sum by ({LABEL_ROLLOUT}, {LABEL_IMPLEMENTATION}, le) (increase({series}))"


def comparisons(window: timedelta) -> str:
    """Return the query for the requests drawn for comparison by result, in the last `window`; and those `UNCONFIRMED` now."""
    counted = f"sum by ({LABEL_ROLLOUT}, result) (increase({METRIC_SHADOW_COMPARISONS}[{_seconds(window)}]))"
    waiting = f"sum by ({LABEL_ROLLOUT}) ({METRIC_SHADOW_UNCONFIRMED})"
    return f'{counted} or label_replace({waiting}, "result", "{UNCONFIRMED}", "", "")'


def mismatches(window: timedelta) -> str:
    """Return the query for the decisions that differed by path and kind, in the last `window`; without those that did not."""
    series = f"{METRIC_SHADOW_MISMATCHES}[{_seconds(window)}]"
    return f"sum by ({LABEL_ROLLOUT}, path, kind) (increase({series})) > 0"


def cpu(window: timedelta) -> str:
    """Return the query for the cores each sidecar used, averaged over the last `window`."""
    series = f'{METRIC_CPU}{{{LABEL_ROLLOUT}!=""}}[{_seconds(window)}]'
    return f"max by ({LABEL_ROLLOUT}, pod, instance) (rate({series}))"


def counted_requests(window: timedelta) -> str:
    """Return the query for what the requests of each arm, by result, grew by in the `window` before each point of a range."""
    return _grown(METRIC_REQUESTS, window, LABEL_IMPLEMENTATION, "result")


def counted_latency(window: timedelta) -> str:
    """Return the query for what the latency histogram of each arm grew by in the `window` before each point of a range."""
    return _grown(f"{METRIC_REQUEST_SECONDS}_bucket", window, LABEL_IMPLEMENTATION, "le")


def counted_fallbacks(window: timedelta) -> str:
    """Return the query for what the fallbacks grew by in the `window` before each point of a range."""
    return _grown(METRIC_FALLBACK, window)


def counted_evaluations(window: timedelta) -> str:
    """Return the query for what the histogram of evaluations grew by in the `window` before each point of a range."""
    return _grown(f'{METRIC_OPA_SECONDS}_bucket{{{LABEL_IMPLEMENTATION}="{ARM_NEW}"}}', window, LABEL_IMPLEMENTATION, "le")


def counted_lookups(window: timedelta) -> str:
    """Return the query for what the histogram of cache look-ups grew by in the `window` before each point of a range."""
    series = f'{METRIC_CACHE_SECONDS}_bucket{{{LABEL_IMPLEMENTATION}="{ARM_NEW}", operation="get"}}'
    return _grown(series, window, LABEL_IMPLEMENTATION, "le")


def counted_comparisons(window: timedelta) -> str:
    """Return the query for what the comparisons by result grew by in the `window` before each point of a range."""
    return _grown(METRIC_SHADOW_COMPARISONS, window, "result")


def _grown(series: str, window: timedelta, *by: str) -> str:
    """Return the difference of counters at the two ends of a window: whole requests, which `increase()` would extrapolate.

    A pod counts when it has the series at both ends. One whose counters began anew is left out as a whole for that window and
    the minute after it, in which an older sample can still be the newest before the window: some of its results would seem to
    have grown less than others.
    """
    seconds = _seconds(window)
    pod = f"{LABEL_ROLLOUT}, pod, instance"
    resets = f"resets({METRIC_REQUESTS}[{_seconds(window + LONGEST_SCRAPE_INTERVAL)}])"
    return (
        f"sum by ({', '.join((LABEL_ROLLOUT, *by))}) (({series} - {series} offset {seconds}) "
        f"unless on ({pod}) (max by ({pod}) ({resets}) > 0))"
    )


def memory() -> str:
    """Return the query for the resident memory of each sidecar, asked over a range."""
    return f'max by ({LABEL_ROLLOUT}, pod, instance) ({METRIC_MEMORY}{{{LABEL_ROLLOUT}!=""}})'


def memory_step(window: timedelta) -> int:
    """Return the seconds between two points of a memory window, at least 1."""
    return max(1, round(window.total_seconds() / MEMORY_POINTS))


def sample_age() -> str:
    """Return the query for the age in seconds of each rollout's newest sample.

    Prometheus' own clock is used on both sides, so a clock that differs from the operator's cannot make old samples look new.
    """
    return f"time() - max by ({LABEL_ROLLOUT}) (timestamp({METRIC_FLAG_REVISION}))"


def scraped(window: timedelta) -> str:
    """Return the query for how many sidecars of each rollout have a sample not older than `window`, and a minute at least.

    A target that cannot be scraped, or is none any more, has no sample from then on. Series without an `instance`, as of a
    rule, do not tell sidecars apart and are not counted.
    """
    newest = f'max by ({LABEL_ROLLOUT}, pod, instance) (timestamp({METRIC_FLAG_REVISION}{{instance!=""}}))'
    return f"count by ({LABEL_ROLLOUT}) (time() - {newest} <= {_seconds(max(window, LONGEST_SCRAPE_INTERVAL))})"


def claimants(window: timedelta) -> str:
    """Return the query for the namespaces of all targets with a series that names a rollout, of those judged, in the `window`.

    The label `namespace` is what a scrape configuration makes of the pod's; where there is none, nothing tells. The names of
    the metrics, without which two of them would be one series, are kept by `last_over_time`.
    """
    series = f'{{__name__=~"{"|".join(_JUDGED)}", {LABEL_ROLLOUT}!="", {LABEL_NAMESPACE}!=""}}'
    return f"group by ({LABEL_ROLLOUT}, {LABEL_NAMESPACE}) (last_over_time({series}[{_seconds(window)}]))"


def _seconds(window: timedelta) -> str:
    return f"{max(1, int(window.total_seconds()))}s"
