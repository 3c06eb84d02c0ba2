"""The files the browser loads are those of the packages, whose integrity npm has compared with the lock file."""

from __future__ import annotations

from pathlib import Path

import pytest

from .conftest import PROJECT

VENDOR = PROJECT / "operator" / "src" / "sark_operator" / "page" / "static" / "vendor"


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("htmx.min.js", "htmx.org/dist/htmx.min.js"),
        ("hx-sse.min.js", "htmx.org/dist/ext/hx-sse.min.js"),
        ("htmx.LICENSE", "htmx.org/LICENSE"),
        ("uPlot.iife.min.js", "uplot/dist/uPlot.iife.min.js"),
        ("uPlot.min.css", "uplot/dist/uPlot.min.css"),
        ("uPlot.LICENSE", "uplot/LICENSE"),
    ],
)
def test_a_vendored_file_is_the_packages(packages: Path, file: str, source: str):
    assert (VENDOR / file).read_bytes() == (packages / source).read_bytes(), "run `make page-assets`"
