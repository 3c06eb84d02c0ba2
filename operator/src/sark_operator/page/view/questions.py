"""What is asked of Prometheus for the curves of one rollout: its own criteria, over a stretch of time."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from sark_api.names import (
    ARM_NEW,
    LABEL_IMPLEMENTATION,
    LABEL_ROLLOUT,
    METRIC_CACHE_SECONDS,
    METRIC_CPU,
    METRIC_FALLBACK,
    METRIC_MEMORY,
    METRIC_OPA_SECONDS,
    METRIC_REQUEST_SECONDS,
    METRIC_REQUESTS,
    METRIC_SHADOW_COMPARISONS,
    METRIC_SHADOW_MISMATCHES,
)
from sark_api.spec import Criteria, Toggle
from sark_operator.core.plan import compares

from .seen import Seen
from .span import Stretch

MAX_KINDS: Final = 20
"""Kinds of mismatches that are listed, the commonest first."""
REQUESTS: Final = "requests"
LATENCY: Final = "latency"
MEMORY: Final = "memory"
CPU: Final = "cpu"
FALLBACKS: Final = "fallbacks"
ENGINE: Final = "engine"
CACHE: Final = "cache"
COMPARISONS: Final = "comparisons"
CUSTOM: Final = "custom/"


def rate_window(criteria: Criteria, stretch: Stretch) -> timedelta:
    """Return the window each point looks back over: that of the criteria, or a whole step so that nothing falls between two."""
    return max(criteria.window, timedelta(seconds=stretch.step))


def questions(seen: Seen, stretch: Stretch) -> dict[str, str]:
    """Return the range queries by name; those of criteria that are turned off are left out."""
    criteria, features = seen.spec.criteria, seen.spec.features
    window = _seconds(rate_window(criteria, stretch))
    long = _seconds(max(criteria.memory_growth.window, timedelta(seconds=stretch.step)))
    own, new = _matcher(seen), _matcher(seen, **{LABEL_IMPLEMENTATION: ARM_NEW})
    lookups = _matcher(seen, **{LABEL_IMPLEMENTATION: ARM_NEW, "operation": "get"})
    arms = f"{LABEL_IMPLEMENTATION}, "
    asked = {
        REQUESTS: f"sum by ({arms}result) (increase({METRIC_REQUESTS}{own}[{window}]))",
        LATENCY: _p95(METRIC_REQUEST_SECONDS, own, window, arms),
        MEMORY: f"max(deriv({METRIC_MEMORY}{own}[{long}])) * 3600",
        CPU: f"max(rate({METRIC_CPU}{own}[{window}]))",
        FALLBACKS: f"sum(increase({METRIC_FALLBACK}{own}[{window}]))",
    }
    if features.opa is Toggle.ENABLED:
        asked[ENGINE] = _p95(METRIC_OPA_SECONDS, new, window)
    if features.cache is Toggle.ENABLED:
        asked[CACHE] = _p95(METRIC_CACHE_SECONDS, lookups, window)
    if compares(seen.spec):
        asked[COMPARISONS] = f"sum by (result) (increase({METRIC_SHADOW_COMPARISONS}{own}[{window}]))"
    return asked | {f"{CUSTOM}{criterion.name}": criterion.query for criterion in criteria.custom}


def mismatches(seen: Seen, stretch: Stretch) -> str:
    """Return the query, asked at the end of the stretch, for the different decisions in it by path and kind."""
    series = f"{METRIC_SHADOW_MISMATCHES}{_matcher(seen)}[{_seconds(stretch.length)}]"
    return f"topk({MAX_KINDS}, sum by (path, kind) (increase({series}))) > 0"


def _p95(metric: str, matcher: str, window: str, by: str = "") -> str:
    return f"histogram_quantile(0.95, sum by ({by}le) (increase({metric}_bucket{matcher}[{window}])))"


def _matcher(seen: Seen, **labels: str) -> str:
    """Return label matchers. Values are quoted, though a namespace and a name hold nothing that would need it."""
    pairs = {LABEL_ROLLOUT: seen.key, **labels}
    return "{" + ", ".join(f"{name}={_quoted(value)}" for name, value in pairs.items()) + "}"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _seconds(window: timedelta) -> str:
    return f"{max(1, int(window.total_seconds()))}s"
