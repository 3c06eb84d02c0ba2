from __future__ import annotations

from pathlib import Path

from sark_api.reasons import REASONS
from sark_api.reasons_page import render

PAGE = Path(__file__).parents[3] / "docs" / "reasons.md"


def test_the_committed_page_is_the_one_the_table_gives() -> None:
    assert PAGE.read_text() == render(), "run `make crds` and commit the result"


def test_every_reason_has_one_row_of_four_cells() -> None:
    rows = [line for line in render().splitlines() if line.startswith("| `")]
    assert len(rows) == len(REASONS)
    assert {line.replace("\\|", "").count("|") for line in rows} == {5}
