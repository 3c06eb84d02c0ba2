"""What the documentation shows is what the command prints."""

from __future__ import annotations

import os
import re
from pathlib import Path

PAGE = Path(__file__).parents[3] / "docs" / "command.md"
GOLDEN = Path(__file__).parent / "golden"
BLOCK = re.compile(r"<!-- (\S+\.txt) -->\n```\n(.*?)\n```\n", re.DOTALL)


def printed(name: str) -> str:
    return (GOLDEN / name).read_text(encoding="utf-8").rstrip()


def blocks() -> list[tuple[str, str]]:
    """Return what the page shows, by name; `make golden`, which wrote the outputs a moment ago, puts them into the page."""
    text = PAGE.read_text(encoding="utf-8")
    if os.environ.get("GOLDEN") == "write":
        text = BLOCK.sub(lambda block: f"<!-- {block[1]} -->\n```\n{printed(block[1])}\n```\n", text)
        PAGE.write_text(text, encoding="utf-8")
    return BLOCK.findall(text)


def test_the_page_shows_what_is_printed():
    shown = blocks()
    assert len(shown) > 5
    for name, text in shown:
        assert text == printed(name), f"docs/command.md shows another {name}: run make golden"
