"""How many questions an arm's cache answered, from the sidecar's own metrics: a row called cached must be cached."""

from __future__ import annotations

import urllib.request
from dataclasses import dataclass
from typing import Final

from sark_api.names import METRIC_CACHE

from .failure import BenchError

_TIMEOUT_SECONDS: Final = 5
_OPENER: Final = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True)
class CacheClaim:
    """What a row says about a cache, and where to see whether it is so."""

    metrics_url: str
    arm: str
    """Value of the `implementation` label of the cache."""
    cached: bool
    """Every question is answered from it; else none."""


@dataclass(frozen=True)
class CacheUse:
    """Lookups so far."""

    hits: float
    misses: float

    def share_since(self, before: CacheUse) -> float:
        """Return the share of lookups since `before` that were hits, 0 to 1. Raises BenchError when there was none."""
        hits, misses = self.hits - before.hits, self.misses - before.misses
        if hits + misses <= 0:
            raise BenchError("the sidecar looked nothing up in the cache that this row is about")
        return hits / (hits + misses)


def cache_use(claim: CacheClaim) -> CacheUse:
    """Return the lookups in the cache that `claim` is about."""
    with _OPENER.open(claim.metrics_url, timeout=_TIMEOUT_SECONDS) as answer:
        text = answer.read().decode()
    hits, misses = (
        counter(text, METRIC_CACHE, implementation=claim.arm, operation="get", result=each) for each in ("hit", "miss")
    )
    return CacheUse(hits, misses)


def counter(text: str, name: str, **labels: str) -> float:
    """Return the sum of the samples of `name` in Prometheus' text format that carry all of `labels`."""
    total = 0.0
    for line in text.splitlines():
        sample, _, value = line.rpartition(" ")
        own, _, rest = sample.partition("{")
        pairs = rest.rstrip("}").split(",")
        if own == name and all(f'{label}="{wanted}"' in pairs for label, wanted in labels.items()):
            total += float(value)
    return total
