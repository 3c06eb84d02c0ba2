"""The examples of docs/install.md: what users copy is what the tests and `make e2e` apply."""

from __future__ import annotations

import re
from typing import Any, Final

import yaml

from .program import ROOT

PAGE: Final = ROOT / "docs" / "install.md"


def example(member: str) -> dict[str, Any]:
    """Return the one YAML example of the page that has `member` at its top."""
    blocks = re.findall(r"^```yaml\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    [found] = [block for block in map(yaml.safe_load, blocks) if member in block]
    return dict(found)
