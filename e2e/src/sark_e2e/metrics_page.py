"""The reference of all metrics: `python -m sark_e2e.metrics_page` prints docs/reference/metrics.md.

Names, kinds, labels and meanings come from the registries themselves: the operator's, and the one of a data plane that is made
for the purpose, with the sidecar's own series in it. Nothing is started.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families
from sark_engine import Engine, Policies, Server

from sark_operator.shell.telemetry import Telemetry as OperatorTelemetry
from sark_sidecar.telemetry import Telemetry as SidecarTelemetry

_HEAD = """\
# Metrics

Made by `make crds` from the registries of operator and sidecar. Names and labels are a contract; meanings are those that
`/metrics` gives. A counter is shown with its `_total`, a histogram has `_bucket`, `_sum` and `_count`.

Series of the sidecar carry `sark_rollout`, the `namespace/name` of the rollout in force; `implementation` is `rust` for the new
arm and `python` for the baseline. [Alerts](../alerts.md) over them are ready to load.
"""
_SIDECAR_PLACE, _OPERATOR_PLACE = "`GET /metrics` on the admin port, 8182.", "`GET /metrics` on `--probe-address`."
_OF_SAMPLES = frozenset({"le", "quantile"})


@dataclass(frozen=True, order=True)
class Family:
    """One metric as people look for it."""

    name: str
    kind: str
    labels: tuple[str, ...]
    meaning: str


def operator_families() -> list[Family]:
    """Return what an operator counts, families without any series yet included."""
    # The registry offers the names of labels no other way while there is no series.
    collectors: Iterable[Any] = OperatorTelemetry().registry._collector_to_names  # noqa: SLF001
    found = []
    for collector in collectors:
        for metric in collector.describe():
            labels = tuple(getattr(metric, "_labelnames", getattr(collector, "_labelnames", ())))
            found.append(Family(_full(metric), metric.type, labels, metric.documentation))
    return sorted(found)


def sidecar_families() -> list[Family]:
    """Return what a sidecar counts; all of it exists from the start, but the ends of certificates only where there are any."""
    server = Server(Engine(Policies([("page.rego", "package page\nallow := true")])))
    telemetry = SidecarTelemetry(server)
    for listener in ("data", "admin"):
        telemetry.certificate_left(listener, 0)
    return families_of(server.metrics().decode())


def families_of(text: str) -> list[Family]:
    """Return what an exposition holds; the labels every series of a sidecar or a scrape has are left out."""
    return sorted(_family(metric) for metric in text_string_to_metric_families(text))


def _family(metric: Metric) -> Family:
    # Some samples have fewer labels than others of their family, as cache results by operation.
    labels = {label: None for sample in metric.samples for label in sample.labels}
    own = tuple(label for label in labels if label not in _OF_SAMPLES and label != "sark_rollout")
    return Family(_full(metric), metric.type, own, metric.documentation)


def _full(metric: Metric) -> str:
    return f"{metric.name}_total" if metric.type == "counter" else metric.name


def render() -> str:
    """Return the page as Markdown."""
    return "".join(
        [
            _HEAD,
            *_section("Sidecar", _SIDECAR_PLACE, sidecar_families()),
            *_section("Operator", _OPERATOR_PLACE, operator_families()),
        ]
    )


def _section(title: str, place: str, families: Iterable[Family]) -> Iterator[str]:
    yield f"\n## {title}\n\n{place}\n\n| name | kind | labels | meaning |\n|---|---|---|---|\n"
    for family in families:
        labels = ", ".join(f"`{label}`" for label in family.labels)
        yield f"| `{family.name}` | {family.kind} | {labels} | {family.meaning.replace('|', '/')} |\n"


if __name__ == "__main__":
    sys.stdout.write(render())
