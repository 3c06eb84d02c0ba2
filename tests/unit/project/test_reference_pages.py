"""The pages that are made from the code are the ones the code makes now."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import sark_e2e.metrics_page
import sark_sidecar.settings_page
from sark_api import names, rollout_page
from sark_api.crd import schema
from sark_sidecar.settings import Settings

FOLDER = Path(__file__).parents[3] / "docs" / "reference"
PAGES: dict[str, Callable[[], str]] = {
    "sarkrollout.md": rollout_page.render,
    "sidecar-settings.md": sark_sidecar.settings_page.render,
    "metrics.md": sark_e2e.metrics_page.render,
}


@pytest.mark.parametrize("name", PAGES)
def test_the_committed_page_is_the_one_the_code_makes(name: str):
    assert (FOLDER / name).read_text(encoding="utf-8") == PAGES[name](), f"docs/reference/{name} is stale: run `make crds`"


def test_there_is_no_page_that_nobody_makes():
    assert {page.name for page in FOLDER.iterdir()} == set(PAGES)


def test_every_field_of_a_rollout_has_a_heading_to_link_to():
    page = rollout_page.render()
    for part in ("spec", "status"):
        for field in schema()["properties"][part]["properties"]:
            assert f"\n### `{part}.{field}`\n" in page


def test_every_section_of_the_settings_is_there():
    page = sark_sidecar.settings_page.render()
    assert all(f"\n## `{section}`\n" in page for section in Settings.model_fields)
    assert "`SARK_SIDECAR_OPA__URL`; string; default `http://localhost:8181`" in page
    assert "`SARK_SIDECAR_LIMITS__INLINE_EVALUATION`; duration; default `2ms`; above 0ms; at most 60s" in page


def test_every_metric_the_operator_asks_for_is_there():
    page = sark_e2e.metrics_page.render()
    asked = {getattr(names, name) for name in vars(names) if name.startswith("METRIC_")}
    assert {name for name in asked if f"| `{name}` |" not in page} == set()
