"""The pages lead where they say: every relative link has its file, and every anchor its heading, on GitHub as on the site."""

from __future__ import annotations

import os
import re
from functools import cache
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[3]
PAGES = [
    *sorted((ROOT / "docs").rglob("*.md")),
    *(
        ROOT / name
        for name in ("README.md", "CONTRIBUTING.md", "engine-rs/README.md", "engine-rs/crates/sark-engine-py/README.md")
    ),
]
LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)")


def prose(page: Path) -> str:
    """Return the page without what stands in blocks of code."""
    return re.sub(r"^( *)```.*?^\1```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


@cache
def anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub makes of the page's headings."""
    found: set[str] = set()
    for heading in re.findall(r"^#{1,6} (.+)$", prose(page), flags=re.MULTILINE):
        text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        slug = re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")
        number = next(number for number in range(len(found) + 1) if (f"{slug}-{number}" if number else slug) not in found)
        found.add(f"{slug}-{number}" if number else slug)
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_has_its_file_and_its_heading(page: Path):
    dead = []
    # A backticked parenthesis is no link.
    for target, anchor in LINK.findall(re.sub(r"`[^`\n]*`", "``", prose(page))):
        other = Path(os.path.normpath(page.parent / target)) if target else page
        if not other.exists():
            dead.append(target)
        elif anchor and other.suffix == ".md" and anchor not in anchors(other):
            dead.append(f"{target}#{anchor}")
    assert dead == []


def test_the_navigation_names_only_pages_that_exist():
    # Pages it does not name are put at its end by tools/docs/hooks.py, so that none is without a place.
    named = re.findall(r"^ +- (\S+\.md)$", (ROOT / "mkdocs.yml").read_text(encoding="utf-8"), re.MULTILINE)
    assert len(named) == len(set(named)) > 35
    assert [name for name in named if not (ROOT / "docs" / name).exists()] == []


def test_no_block_of_code_is_left_open():
    for page in PAGES:
        fences = re.findall(r"^ *```(\S*)", page.read_text(encoding="utf-8"), re.MULTILINE)
        assert len(fences) % 2 == 0, page
        assert all(closing == "" for closing in fences[1::2]), page


def test_the_site_loads_nothing_from_elsewhere():
    theme = yaml.safe_load(re.search(r"^theme:\n(?: .*\n)+", (ROOT / "mkdocs.yml").read_text("utf-8"), re.MULTILINE)[0])[
        "theme"
    ]  # type: ignore[index]
    assert theme["font"] is False
    assert "pymdownx.superfences.fence_code_format" not in (ROOT / "mkdocs.yml").read_text(encoding="utf-8")


def glued(text: str) -> list[str]:
    """Return lines that begin a table or list right below a line of another kind: the site shows them as text."""
    found = []
    above = ""
    for line in text.splitlines():
        kind = next((kind for kind in ("|", "- ") if line.startswith(kind)), "text")
        if kind != "text" and above not in {"", kind}:
            found.append(line)
        if not line.strip() or line.startswith(("#", "<!--")):
            above = ""
        elif not line.startswith(" "):
            above = kind
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_tables_and_lists_are_apart_from_what_is_above_them(page: Path):
    # Code that is taken away leaves its place empty, and a table right below its end is glued all the same.
    text = re.sub(r"^( *)```.*?^\1```$", "code", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    assert glued(text) == []


def test_a_table_or_list_that_is_glued_is_found():
    assert glued("text:\n- a\n- b\n") == ["- a"]
    assert glued("code\n| a |\n|---|\n") == ["| a |"]
    assert glued("text\n\n- a\n  goes on\n- b\n\n| a |\n|---|\n| b |\n\n## Title\n| c |\n") == []
