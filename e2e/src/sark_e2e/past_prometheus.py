"""A Prometheus that scrapes nothing and holds a past that was made up for it, written through its OTLP door."""

from __future__ import annotations

import itertools
import json
import urllib.request
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from sark_api.names import (
    ARM_BASELINE,
    ARM_NEW,
    FEATURE_OPA,
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
)

from .loopback import LoopbackNetwork
from .probe import http_ok
from .process import Process
from .progress import Report, silent

SCRAPE: Final = timedelta(seconds=15)
BOUNDS: Final = ("0.0005", "0.00075", "0.001", "0.005", "0.0075", "0.025", "0.1", "0.5", "+Inf")
PODS: Final = 2
CPU_SECONDS: Final = 0.001
"""CPU time of one request."""
_BATCH: Final = 40
"""Scrapes written at once."""
_OPENER: Final = urllib.request.build_opener(urllib.request.ProxyHandler({}))

Series = tuple[str, Mapping[str, str], float]
"""Name, labels, value."""


class PastPrometheus(Process):
    """A server with an empty store. Fill it in the order of time."""

    def __init__(self, binary: Path, *, network: LoopbackNetwork, folder: Path, report: Report = silent) -> None:
        address = f"{network.server}:{network.port()}"
        self.url = f"http://{address}"
        folder.mkdir(parents=True, exist_ok=True)
        configuration = folder / "prometheus.yml"
        configuration.write_text("global: {}\n", encoding="utf-8")
        super().__init__(
            "past-prometheus",
            [
                binary,
                f"--config.file={configuration}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address={address}",
                "--web.enable-otlp-receiver",
            ],
            log=folder / "past-prometheus.log",
            ready=http_ok(f"{self.url}/-/ready"),
            report=report,
        )

    def fill(self, past: Iterator[tuple[datetime, list[Series]]]) -> None:
        """Write what was scraped, oldest first. Everything is sent as a gauge, since only then a name is kept as it is."""
        for batch in _batches(past, _BATCH):
            points: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
            for at, name, labels, value in ((at, *each) for at, scraped in batch for each in scraped):
                points[name].append(_point(at, labels, value))
            metrics = [{"name": name, "gauge": {"dataPoints": found}} for name, found in points.items()]
            request = urllib.request.Request(  # noqa: S310 - the address is the server's own
                f"{self.url}/api/v1/otlp/v1/metrics",
                data=json.dumps({"resourceMetrics": [{"scopeMetrics": [{"metrics": metrics}]}]}).encode(),
                headers={"Content-Type": "application/json"},
            )
            with _OPENER.open(request, timeout=30) as answer:
                answer.read()


def scrapes(
    rollout: str,
    start: datetime,
    length: timedelta,
    *,
    rate: float,
    new_share: float,
    failing: Callable[[datetime], float] = lambda _: 0.0,
) -> Iterator[tuple[datetime, list[Series]]]:
    """Yield what Prometheus scraped of a fleet of two pods.

    Each pod answered `rate` requests a second, `new_share` (0 to 1) of them on the new arm, of which `failing` (0 to 1, by
    time) were errors. Every request took 2 ms.
    """
    counts: dict[tuple[str, str], float] = dict.fromkeys(itertools.product((ARM_NEW, ARM_BASELINE), ("allow", "error")), 0.0)
    at = start
    while at <= start + length:
        for arm, part in ((ARM_NEW, new_share), (ARM_BASELINE, 1 - new_share)):
            requests = rate * part * SCRAPE.total_seconds()
            errors = round(requests * (failing(at) if arm == ARM_NEW else 0.0))
            counts[arm, "allow"] += requests - errors
            counts[arm, "error"] += errors
        yield at, [each for pod in range(PODS) for each in _scraped(rollout, f"pod-{pod}", counts)]
        at += SCRAPE


def _scraped(rollout: str, pod: str, counts: Mapping[tuple[str, str], float]) -> Iterator[Series]:
    labels = {LABEL_ROLLOUT: rollout, "pod": pod, "instance": f"{pod}:8182"}
    yield METRIC_FLAG_REVISION, labels, 1.0
    yield METRIC_MEMORY, labels, 1e8
    yield METRIC_CPU, labels, sum(counts.values()) * CPU_SECONDS
    yield METRIC_FALLBACK, {**labels, "feature": FEATURE_OPA, "error_type": "timeout"}, 0.0
    for (arm, result), number in counts.items():
        yield METRIC_REQUESTS, {**labels, LABEL_IMPLEMENTATION: arm, "result": result}, number
    for arm in (ARM_NEW, ARM_BASELINE):
        total = counts[arm, "allow"] + counts[arm, "error"]
        more = {"operation": "get"}
        for name, extra, seconds in (
            (METRIC_REQUEST_SECONDS, {}, 0.002),
            (METRIC_OPA_SECONDS, {}, 0.002),
            (METRIC_CACHE_SECONDS, more, 0.0002),
        ):
            for bound in BOUNDS:
                within = total if float(bound) >= seconds else 0.0
                yield f"{name}_bucket", {**labels, **extra, LABEL_IMPLEMENTATION: arm, "le": bound}, within


def _point(at: datetime, labels: Mapping[str, str], value: float) -> dict[str, Any]:
    attributes = [{"key": key, "value": {"stringValue": text}} for key, text in labels.items()]
    return {"attributes": attributes, "timeUnixNano": str(int(at.timestamp()) * 10**9), "asDouble": value}


def _batches(past: Iterator[tuple[datetime, list[Series]]], size: int) -> Iterator[tuple[tuple[datetime, list[Series]], ...]]:
    while batch := tuple(itertools.islice(past, size)):
        yield batch
