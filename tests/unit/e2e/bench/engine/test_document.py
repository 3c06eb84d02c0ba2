"""The figures in the documentation are replaced, and nothing else is."""

from __future__ import annotations

from pathlib import Path

import pytest

from sark_e2e.bench.engine.document import BEGIN, END, PAGE, put
from sark_e2e.bench.failure import BenchError


def test_figures_replace_those_of_an_earlier_run(tmp_path: Path):
    page = tmp_path / "engine.md"
    page.write_bytes(PAGE.read_bytes())
    text = page.read_text(encoding="utf-8")
    before, after = text[: text.index(BEGIN)], text[text.index(END) :]

    put("machine   one  \n\nhit  0.97x  \n", page)
    put("machine   two  \n\nhit  0.98x  \n", page)

    assert page.read_text(encoding="utf-8") == f"{before}{BEGIN}```\nmachine   two\n\nhit  0.98x\n```\n{after}"


def test_a_page_without_a_place_for_them_is_told(tmp_path: Path):
    page = tmp_path / "engine.md"
    page.write_text("# Engine\n", encoding="utf-8")

    with pytest.raises(BenchError, match=r"engine\.md has no place for the figures"):
        put("hit", page)

    assert page.read_text(encoding="utf-8") == "# Engine\n"
