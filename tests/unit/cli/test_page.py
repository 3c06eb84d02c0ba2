"""What the documentation shows is what the command prints."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[3] / "docs" / "command.md"
GOLDEN = Path(__file__).parent / "golden"
BLOCKS = re.findall(r"<!-- (\S+\.txt) -->\n```\n(.*?)\n```\n", PAGE.read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize(("name", "shown"), BLOCKS, ids=[name for name, _ in BLOCKS])
def test_the_page_shows_what_is_printed(name: str, shown: str):
    assert shown == (GOLDEN / name).read_text(encoding="utf-8").rstrip()


def test_the_page_shows_something():
    assert len(BLOCKS) > 5
