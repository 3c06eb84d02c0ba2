"""What the operator and the API server count of themselves, read as differences between two moments."""

from __future__ import annotations

import ssl
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from typing import Final

from prometheus_client.parser import text_string_to_metric_families

from sark_e2e.bench.failure import BenchError

_OURS: Final = frozenset({"sarkrollouts", "configmaps", "pods", "events", "leases"})
_SECONDS: Final = 30

Series = Mapping[tuple[str, frozenset[tuple[str, str]]], float]


@dataclass(frozen=True, slots=True)
class Counted:
    """All samples of one server at one moment."""

    samples: Series

    def sum(self, name: str, **labels: str) -> float:
        """Return the sum over all series of `name` that carry `labels`."""
        wanted = set(labels.items())
        return sum(value for (found, own), value in self.samples.items() if found == name and wanted <= own)

    def since(self, before: Counted) -> Counted:
        """Return what was added since `before`."""
        return Counted({key: value - before.samples.get(key, 0.0) for key, value in self.samples.items()})

    def quantile(self, name: str, share: float) -> float:
        """Return the upper bound of the histogram's bucket that holds the quantile; infinity beyond the last, 0 when empty."""
        buckets: dict[float, float] = {}
        for (found, own), value in self.samples.items():
            if found == f"{name}_bucket":
                bound = float(dict(own)["le"])
                buckets[bound] = buckets.get(bound, 0.0) + value
        total = buckets.get(inf, 0.0)
        return next((bound for bound in sorted(buckets) if buckets[bound] >= share * total), inf) if total else 0.0

    def api_calls(self) -> float:
        """Return the requests to the API server for what an operator touches, watches left out."""
        return sum(
            value
            for (name, own), value in self.samples.items()
            if name == "apiserver_request_total"
            for labels in (dict(own),)
            if labels.get("resource") in _OURS and labels.get("verb") != "WATCH"
        )


def counted(url: str, context: ssl.SSLContext | None = None) -> Counted:
    """Read /metrics at `url`. Raises BenchError."""
    handlers: list[urllib.request.BaseHandler] = [urllib.request.ProxyHandler({})]
    if context is not None:
        handlers.append(urllib.request.HTTPSHandler(context=context))
    try:
        with urllib.request.build_opener(*handlers).open(f"{url}/metrics", timeout=_SECONDS) as answer:
            text = answer.read().decode()
    except OSError as error:
        raise BenchError(f"{url}/metrics cannot be read: {error}") from error
    return Counted(
        {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }
    )
