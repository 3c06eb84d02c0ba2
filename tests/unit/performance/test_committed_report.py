"""The committed report: made of the committed raw files and of nothing else, whole, and in the template's order."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sark_e2e.performance.__main__ import PAGE
from sark_e2e.performance.raw import REFERENCE, Raw, read_run
from sark_e2e.performance.report.appendix import CHARTS, FOLDER
from sark_e2e.performance.report.facts import NoSourceError
from sark_e2e.performance.report.generate import markdown
from sark_e2e.program import ROOT

SECTIONS = [
    "Executive Summary",
    "Table of Contents",
    "Methodology",
    "Test Environment",
    "OPA Engine Performance",
    "Cache Performance",
    "End-to-End Performance",
    "Load Testing Results",
    "Stress Testing Results",
    "Memory Profiling Results",
    "Performance Charts",
    "Bottleneck Analysis",
    "Recommendations",
    "Appendix",
]
"""The report's thirteen, and the list of them."""


@pytest.fixture(scope="module")
def raws() -> dict[Path, Raw]:
    return read_run(REFERENCE)


@pytest.fixture(scope="module")
def report() -> str:
    return PAGE.read_text(encoding="utf-8")


def test_it_is_what_its_raw_files_give(raws: dict[Path, Raw], report: str):
    assert markdown(raws, root=ROOT, page=PAGE) == report, "run: python -m sark_e2e.performance --report-only --run reference"


def test_its_sections_are_the_templates_in_order(report: str):
    assert re.findall(r"^## (.+)$", report, re.MULTILINE) == SECTIONS


def test_its_charts_and_links_are_there(report: str):
    for chart in CHARTS:
        assert f"]({FOLDER}/{chart})" in report
        assert (PAGE.parent / FOLDER / chart).read_bytes().startswith(b"\x89PNG")
    for link in re.findall(r"\]\((?!http|#)([^)]+)\)", report):
        assert (PAGE.parent / link).resolve().exists(), link


def test_without_any_one_figure_of_a_table_there_is_no_report(raws: dict[Path, Raw]):
    for gone in [path for path, raw in raws.items() if (raw.what, raw.arm, raw.tool) in NEEDED]:
        rest = {path: raw for path, raw in raws.items() if path != gone}
        with pytest.raises(NoSourceError, match="no raw file"):
            markdown(rest, root=ROOT, page=PAGE)


NEEDED = {
    ("target", "python", "open-loop"),
    ("target", "rust", "locust"),
    ("stability", "rust", "psutil"),
    ("profile", "rust", "py-spy"),
    ("recovery-opa", "both", "faults"),
    ("cache-size-1000000", "rust", "sark-bench"),
    ("engine-complex", "rust", "pytest-benchmark"),
}


def test_the_needed_ones_are_among_the_committed(raws: dict[Path, Raw]):
    assert {(raw.what, raw.arm, raw.tool) for raw in raws.values()} >= NEEDED
