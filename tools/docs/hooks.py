"""Hooks of mkdocs: what the site shows otherwise than a reader of the files sees it."""
# ruff: noqa: INP001 - a hook, no part of a package

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

REPOSITORY = "https://github.com/sark-rollout/sark-rollout/blob/main/"
_LINK = re.compile(r"(\]\()(\.\.?/[^)\s]+|[^)\s:#]+/[^)\s]*)(\))")

_LOADED = re.compile(
    r"""<(?:script|img|iframe|source)[^>]*\ssrc=["']?(?:https?:)?//[^>]*>|<link[^>]*rel=["']?(?:stylesheet|preload|preconnect)[^>]*//[^>]*>"""
)


def on_config(config: Any) -> None:
    """Put pages that nobody gave a place in the navigation at its end, so that none is ever without."""
    folder = Path(config["docs_dir"])
    placed = set(_pages(config["nav"]))
    others = sorted(str(page.relative_to(folder)) for page in folder.rglob("*.md"))
    if more := [page for page in others if page not in placed]:
        config["nav"].append({"More": more})


def on_page_markdown(markdown: str, /, *, page: Any, **_others: Any) -> str:
    """Let links that leave docs/, as ../examples/gateway.yaml, lead to the repository; in an editor they work as they are."""
    folder = posixpath.dirname(page.file.src_uri)

    def absolute(link: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join("docs", folder, link[2]))
        return link[0] if target.startswith("docs/") else f"{link[1]}{REPOSITORY}{target}{link[3]}"

    return _LINK.sub(absolute, markdown)


def on_post_page(output: str, /, *, page: Any, **_others: Any) -> str:
    """Refuse a page that would load anything from another host when it is read.

    Raises:
        ValueError: it names a script, style sheet, image or frame by an absolute address.
    """
    if foreign := _LOADED.search(output):
        raise ValueError(f"{page.file.src_uri}: {foreign[0]} would be loaded from another host; vendor it")
    return output


def _pages(entry: Any) -> list[str]:
    if isinstance(entry, str):
        return [entry]
    members = entry.values() if isinstance(entry, dict) else entry
    return [page for member in members for page in _pages(member)]
