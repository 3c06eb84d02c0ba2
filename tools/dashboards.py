"""The two Grafana dashboards: `make dashboards` writes them to manifests/grafana. What they ask stands here, once.

Every expression is about one rollout (`$rollout`) and sums both sides of a division to the same labels, so that nothing divides
by itself; quantiles come from buckets; memory's growth from `deriv` over hours. SARK's dashboard got these wrong.
"""
# ruff: noqa: INP001 - a script, no part of a package

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

FOLDER: Final = Path(__file__).parents[1] / "manifests" / "grafana"
_WIDTH: Final = 24
_OWN: Final = 'sark_rollout="$rollout"'
_RATE: Final = "[$__rate_interval]"
_SOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}
_QUANTILES: Final = {"p50": 0.5, "p95": 0.95, "p99": 0.99}


@dataclass(frozen=True)
class Panel:
    """One panel. `queries` are expressions by their legends."""

    title: str
    about: str
    queries: dict[str, str]
    unit: str = "short"
    kind: str = "timeseries"
    width: int = 8
    height: int = 7
    limits: tuple[tuple[float, str], ...] = ()
    """Values from which another colour holds."""
    instant: bool = False
    most: float | None = None
    least: float | None = 0


def _quantiles(metric: str, *, by: str = "implementation", more: str = "") -> dict[str, str]:
    buckets = f"sum by ({by}, le) (rate({metric}_bucket{{{_OWN}{more}}}{_RATE}))"
    return {f"{{{{{by}}}}} {name}": f"histogram_quantile({share}, {buckets})" for name, share in _QUANTILES.items()}


def _share(part: str, whole: str, by: str = "implementation") -> str:
    """Part of a whole, 0 where there is a whole and no such part."""
    rate = f"sum by ({by}) (rate({whole}{_RATE}))"
    return f"(sum by ({by}) (rate({part}{_RATE})) or 0 * {rate}) / {rate}"


_ERRORS: Final = _share(f'sark_requests_total{{{_OWN}, result="error"}}', f"sark_requests_total{{{_OWN}}}")
_HITS: Final = _share(
    f'cache_operations_total{{{_OWN}, operation="get", result="hit"}}', f'cache_operations_total{{{_OWN}, operation="get"}}'
)
_P95: Final = (
    f"histogram_quantile(0.95, sum by (implementation, le) (rate(sark_request_duration_seconds_bucket{{{_OWN}}}{_RATE})))"
)

ROLLOUT: Final = (
    Panel(
        "Rollout percentages",
        "Share of subjects in the new arm, as the sidecars apply it, by feature.",
        {"{{feature}}": f"max by (feature) (feature_flag_rollout_percentage{{{_OWN}}})"},
        "percent",
        "stat",
        width=6,
        most=100,
    ),
    Panel(
        "Traffic distribution",
        "Requests of each arm in the time shown. It should be what the percentage says; `sampleRatio` checks it.",
        {"{{implementation}}": f"sum by (implementation) (increase(sark_requests_total{{{_OWN}}}[$__range]))"},
        kind="piechart",
        width=6,
        instant=True,
    ),
    Panel(
        "OPA latency",
        "Evaluations: of the engine in process, and of OPA over HTTP. Target 5 ms, critical 7.5 ms.",
        _quantiles("opa_evaluation_duration_seconds"),
        "s",
        width=12,
        limits=((0.005, "yellow"), (0.0075, "red")),
    ),
    Panel(
        "Cache latency",
        "Look-ups: in process, and in Redis. Target 0.5 ms, critical 0.75 ms.",
        _quantiles("cache_operation_duration_seconds", more=', operation="get"'),
        "s",
        width=12,
        limits=((0.0005, "yellow"), (0.00075, "red")),
    ),
    Panel(
        "OPA throughput",
        "Evaluations a second; what the cache answers is not among them.",
        {"{{implementation}}": f"sum by (implementation) (rate(opa_evaluation_total{{{_OWN}}}{_RATE}))"},
        "reqps",
        width=6,
    ),
    Panel(
        "Cache hit rate",
        "Hits of all look-ups; stores do not count.",
        {"{{implementation}}": _HITS},
        "percentunit",
        width=6,
        most=1,
    ),
    Panel(
        "Error rates",
        "Requests without a genuine decision of their arm. 0.5% warns, 1% reverts.",
        {"{{implementation}}": _ERRORS},
        "percentunit",
        limits=((0.005, "yellow"), (0.01, "red")),
    ),
    Panel(
        "Fallback events",
        "Requests of the new arm that the baseline had to answer.",
        {
            "{{feature}} {{error_type}}": f"sum by (feature, error_type) (rate(implementation_fallback_total{{{_OWN}}}{_RATE}))"
            f" or sum(0 * rate(sark_requests_total{{{_OWN}}}{_RATE}))"
        },
        "reqps",
    ),
    Panel(
        "Comparison",
        "Both arms beside each other, now.",
        {
            "requests a second": f"sum by (implementation) (rate(sark_requests_total{{{_OWN}}}{_RATE}))",
            "p95 of a request": _P95,
            "errors": _ERRORS,
            "cache hits": _HITS,
        },
        kind="table",
        instant=True,
    ),
    Panel(
        "Decisions compared",
        "The shadow: matches, and mismatches, of which there should be none. Flat at zero while no step has a shadow.",
        {
            "{{result}}": f"sum by (result) (rate(sark_shadow_comparisons_total{{{_OWN}}}{_RATE}))"
            f" or sum(0 * rate(sark_requests_total{{{_OWN}}}{_RATE}))"
        },
        "reqps",
    ),
    Panel(
        "Phase",
        "Where the operator says the rollout is.",
        {"{{phase}}": f"max by (phase) (sark_operator_phase{{{_OWN}}}) == 1"},
        kind="stat",
        width=4,
        instant=True,
    ),
    Panel(
        "Bake",
        "Proven time of the present step, of the time it needs.",
        {
            "proven": f"max(sark_operator_bake_proven_seconds{{{_OWN}}})",
            "needed": f"max(sark_operator_bake_required_seconds{{{_OWN}}})",
        },
        "s",
        "stat",
        width=4,
    ),
    Panel(
        "Verdicts",
        "What each criterion said last.",
        {"{{criterion}}: {{verdict}}": f"max by (criterion, verdict) (sark_operator_verdict{{{_OWN}}}) == 1"},
        kind="table",
        instant=True,
    ),
    Panel(
        "Applied revision",
        "Flag revision of each sidecar. They part for a second at a change, and not longer.",
        {"{{pod}}{{instance}}": f"max by (pod, instance) (sark_flag_revision{{{_OWN}}})"},
    ),
    Panel(
        "Memory growth",
        "Slope over an hour of each sidecar. Above 2 MiB an hour for long is a leak.",
        {"{{pod}}{{instance}}": f"3600 * deriv(process_resident_memory_bytes{{{_OWN}}}[1h])"},
        "bytes",
        limits=((2 * 1024 * 1024, "red"),),
        least=None,
    ),
    Panel(
        "CPU",
        "Of one core, each sidecar. Critical from 90%.",
        {"{{pod}}{{instance}}": f"rate(process_cpu_seconds_total{{{_OWN}}}{_RATE})"},
        "percentunit",
        limits=((0.9, "red"),),
    ),
)

FLEET: Final = (
    Panel(
        "Requests",
        "By sidecar, both arms.",
        {"{{pod}}{{instance}}": f"sum by (pod, instance) (rate(sark_requests_total{{{_OWN}}}{_RATE}))"},
        "reqps",
    ),
    Panel(
        "Answers",
        "Of both arms: allow, deny, undefined, error. A new arm that denies more, or less, is `denyShift`'s business.",
        {"{{implementation}} {{result}}": f"sum by (implementation, result) (rate(sark_requests_total{{{_OWN}}}{_RATE}))"},
        "reqps",
    ),
    Panel("Request latency", "From the request's last byte to the answer.", _quantiles("sark_request_duration_seconds"), "s"),
    Panel(
        "Memory",
        "Resident.",
        {"{{pod}}{{instance}}": f"process_resident_memory_bytes{{{_OWN}}}"},
        "bytes",
    ),
    Panel("CPU", "Of one core.", {"{{pod}}{{instance}}": f"rate(process_cpu_seconds_total{{{_OWN}}}{_RATE})"}, "percentunit"),
    Panel(
        "Connections",
        "Open at the data port.",
        {"{{pod}}{{instance}}": f"sark_connections{{{_OWN}}}"},
    ),
    Panel(
        "Decision cache",
        "Entries in process.",
        {"{{pod}}{{instance}}": f"sark_decision_cache_entries{{{_OWN}}}"},
    ),
    Panel(
        "Cache turnover",
        "Decisions pushed out and expired, a second.",
        {
            "pushed out": f"sum(rate(sark_cache_evictions_total{{{_OWN}}}{_RATE}))",
            "expired": f"sum(rate(sark_cache_expired_total{{{_OWN}}}{_RATE}))",
        },
        "ops",
    ),
    Panel(
        "Waiting",
        "Requests handed to the baseline, and evaluations that wait for a thread.",
        {
            "baseline": f"max(sark_baseline_jobs_queued{{{_OWN}}})",
            "evaluations": f"max(sark_evaluations_queued{{{_OWN}}})",
        },
    ),
    Panel(
        "OPA reachable",
        "1 where the sidecar's OPA answers.",
        {"{{pod}}{{instance}}": f"sark_opa_up{{{_OWN}}}"},
        kind="stat",
        most=1,
    ),
    Panel(
        "Policies alike",
        "1 where both arms have the same policies.",
        {"{{pod}}{{instance}}": f"sark_policies_match{{{_OWN}}}"},
        kind="stat",
        most=1,
    ),
    Panel(
        "Ready",
        "1 where the sidecar says it is ready.",
        {"{{pod}}{{instance}}": f"sark_ready{{{_OWN}}}"},
        kind="stat",
        most=1,
    ),
    Panel(
        "Policies' memory",
        "An estimate, rather too large.",
        {"{{pod}}{{instance}}": f"sark_policies_bytes{{{_OWN}}}"},
        "bytes",
    ),
    Panel(
        "Age",
        "Since each sidecar started: a restart is a step down.",
        {"{{pod}}{{instance}}": f"time() - process_start_time_seconds{{{_OWN}}}"},
        "s",
    ),
    Panel("Open files", "By sidecar.", {"{{pod}}{{instance}}": f"process_open_fds{{{_OWN}}}"}),
)

DASHBOARDS: Final = {
    "sark-rollout.json": ("sark-rollout", "Rust Rollout Performance Comparison", ROLLOUT),
    "sark-fleet.json": ("sark-fleet", "Sark Sidecar Fleet", FLEET),
}


def render(name: str) -> str:
    """Return a dashboard as JSON."""
    uid, title, panels = DASHBOARDS[name]
    dashboard = {
        "uid": uid,
        "title": title,
        "tags": ["sark"],
        "schemaVersion": 41,
        "editable": True,
        "refresh": "10s",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {"list": _variables()},
        "panels": _placed(panels),
    }
    return json.dumps(dashboard, indent=2) + "\n"


def _variables() -> list[dict[str, Any]]:
    query = "label_values(sark_flag_revision, sark_rollout)"
    rollout = {"name": "rollout", "label": "Rollout", "type": "query", "datasource": _SOURCE, "definition": query, "refresh": 2}
    rollout |= {"query": {"query": query, "refId": "rollout"}, "regex": "/.+/", "sort": 1}
    return [{"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus"}, rollout]


def _placed(panels: tuple[Panel, ...]) -> list[dict[str, Any]]:
    """Return the panels from left to right, row by row."""
    placed, x, y, tallest = [], 0, 0, 0
    for number, panel in enumerate(panels, start=1):
        if x + panel.width > _WIDTH:
            x, y, tallest = 0, y + tallest, 0
        placed.append(_panel(number, panel, x, y))
        x, tallest = x + panel.width, max(tallest, panel.height)
    return placed


def _panel(number: int, panel: Panel, x: int, y: int) -> dict[str, Any]:
    steps = [{"color": "green", "value": None}, *({"color": colour, "value": value} for value, colour in panel.limits)]
    defaults: dict[str, Any] = {"unit": panel.unit, "thresholds": {"mode": "absolute", "steps": steps}}
    defaults |= {name: value for name, value in (("min", panel.least), ("max", panel.most)) if value is not None}
    if panel.limits and panel.kind == "timeseries":
        defaults["custom"] = {"thresholdsStyle": {"mode": "line"}}
    made: dict[str, Any] = {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.about,
        "datasource": _SOURCE,
        "gridPos": {"x": x, "y": y, "w": panel.width, "h": panel.height},
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "targets": [_target(place, panel, legend, query) for place, (legend, query) in enumerate(panel.queries.items())],
    }
    if panel.kind == "table" and len(panel.queries) > 1:
        made["transformations"] = [{"id": "merge", "options": {}}]
    if panel.kind == "stat" and panel.unit == "short" and panel.instant:
        made["options"] = {"textMode": "name"}
    return made


def _target(place: int, panel: Panel, legend: str, query: str) -> dict[str, Any]:
    target: dict[str, Any] = {"refId": chr(ord("A") + place), "datasource": _SOURCE, "expr": query, "legendFormat": legend}
    if panel.instant:
        target["instant"] = True
    if panel.kind == "table":
        target["format"] = "table"
    return target


def main() -> None:
    """Write both."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in DASHBOARDS:
        (FOLDER / name).write_text(render(name), encoding="utf-8")


if __name__ == "__main__":
    main()
