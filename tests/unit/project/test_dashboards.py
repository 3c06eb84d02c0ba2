"""The Grafana dashboards: what is committed is what is generated, and they ask for metrics that exist."""

from __future__ import annotations

import copy
import importlib.util
import json
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins

with warnings.catch_warnings():
    # It recommends the next form of dashboards, which only new versions of Grafana import.
    warnings.simplefilter("ignore", DeprecationWarning)
    from grafana_foundation_sdk.models.dashboard import Dashboard

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "manifests" / "grafana"
_spec = importlib.util.spec_from_file_location("dashboards", ROOT / "tools" / "dashboards.py")
assert _spec is not None
assert _spec.loader is not None
dashboards = importlib.util.module_from_spec(_spec)
_NAMES = re.compile(r"\b(?:sark|opa|cache|process|implementation|feature)_[a-z_]+")
_WORDS = {"sark_rollout"}


@pytest.fixture(scope="module", autouse=True)
def generator() -> None:
    import sys

    sys.modules["dashboards"] = dashboards
    assert _spec is not None
    assert _spec.loader is not None
    _spec.loader.exec_module(dashboards)


def committed() -> dict[str, Any]:
    return {path.name: json.loads(path.read_text(encoding="utf-8")) for path in FOLDER.glob("*.json")}


def test_what_is_committed_is_what_is_generated():
    assert set(committed()) == set(dashboards.DASHBOARDS)
    for name in dashboards.DASHBOARDS:
        assert dashboards.render(name) == (FOLDER / name).read_text(encoding="utf-8"), f"{name} is stale: run make dashboards"


def test_no_two_panels_lie_over_each_other_or_share_an_id():
    for dashboard in committed().values():
        taken: set[tuple[int, int]] = set()
        for panel in dashboard["panels"]:
            place = panel["gridPos"]
            own = {
                (x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])
            }
            assert place["x"] + place["w"] <= 24
            assert not taken & own, panel["title"]
            taken |= own
        assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])


def test_every_metric_that_is_asked_for_is_one_that_somebody_exposes():
    folders = ("engine-rs/crates/sark-serve/src", "sidecar/src", "operator/src/sark_operator", "crds/src")
    sources = "".join(
        path.read_text(encoding="utf-8")
        for folder in folders
        for path in (ROOT / folder).rglob("*")
        if path.suffix in {".rs", ".py"}
    )
    for name, dashboard in committed().items():
        for panel in dashboard["panels"]:
            for target in panel["targets"]:
                assert "$rollout" in target["expr"], f"{name}: {panel['title']} is about every rollout"
                asked = set(_NAMES.findall(re.sub(r"\{[^}]*\}", "", target["expr"]))) - _WORDS
                for metric in asked:
                    bare = re.sub(r"_(bucket|sum|count)$", "", metric)
                    bare = bare.removeprefix("sark_operator_")
                    assert f'"{bare}"' in sources or f'"{bare.removesuffix("_total")}"' in sources, (
                        f"{name}: {panel['title']}: {metric}"
                    )


def test_the_nine_panels_of_the_origin_come_first_and_in_its_order():
    titles = [panel["title"] for panel in committed()["sark-rollout.json"]["panels"][:9]]
    assert titles == [
        "Rollout percentages",
        "Traffic distribution",
        "OPA latency",
        "Cache latency",
        "OPA throughput",
        "Cache hit rate",
        "Error rates",
        "Fallback events",
        "Comparison",
    ]


def read_by_grafana(dashboard: dict[str, Any]) -> Any:
    """Return the dashboard as the models have it that Grafana generates from its own schema."""
    return json.loads(JSONEncoder().encode(Dashboard.from_json(copy.deepcopy(dashboard))))


def lost(written: Any, read: Any, path: str = "") -> Iterator[str]:
    """Yield the places of what was written and is not there when it has been read."""
    if isinstance(written, dict) and isinstance(read, dict):
        for name, value in written.items():
            yield from lost(value, read.get(name), f"{path}.{name}")
    elif isinstance(written, list) and isinstance(read, list) and len(written) == len(read):
        for number, pair in enumerate(zip(written, read, strict=True)):
            yield from lost(*pair, f"{path}[{number}]")
    elif written != read:
        yield path


@pytest.fixture(scope="module")
def schema() -> None:
    register_default_plugins()


@pytest.mark.usefixtures("schema")
def test_grafanas_own_schema_knows_all_that_the_dashboards_say():
    for name, dashboard in committed().items():
        assert list(lost(dashboard, read_by_grafana(dashboard))) == [], name


@pytest.mark.usefixtures("schema")
@pytest.mark.parametrize("place", [("titel",), ("panels", 0, "gridpos"), ("panels", 0, "fieldConfig", "defaults", "units")])
def test_what_the_schema_does_not_know_is_found(place: tuple[str | int, ...]):
    dashboard: Any = committed()["sark-rollout.json"]
    at = dashboard
    for step in place[:-1]:
        at = at[step]
    at[place[-1]] = "?"

    assert len(list(lost(dashboard, read_by_grafana(dashboard)))) == 1
