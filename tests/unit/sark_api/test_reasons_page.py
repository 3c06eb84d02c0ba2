from __future__ import annotations

from pathlib import Path

from sark_api.conditions import CONDITIONS
from sark_api.reasons import REASONS
from sark_api.reasons_page import render

PAGE = Path(__file__).parents[3] / "docs" / "reasons.md"


def test_the_committed_page_is_the_one_the_table_gives() -> None:
    assert PAGE.read_text() == render(), "run `make crds` and commit the result"


def test_every_reason_has_one_row_of_four_cells() -> None:
    rows = [line for line in render().partition("## Conditions")[0].splitlines() if line.startswith("| `")]
    assert len(rows) == len(REASONS)
    assert {line.replace("\\|", "").count("|") for line in rows} == {5}


def test_every_condition_has_one_row_that_tells_of_three_states() -> None:
    rows = [line for line in render().partition("## Conditions")[2].splitlines() if line.startswith("| `")]
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]

    assert [row[0] for row in cells] == [f"`{name}`" for name in CONDITIONS]
    assert all(len(row) == 4 and all(row) for row in cells)
