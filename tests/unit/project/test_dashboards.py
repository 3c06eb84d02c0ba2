"""The Grafana dashboards: what is committed is what is generated, and they ask for metrics that exist."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path
from typing import Any

import pytest

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
