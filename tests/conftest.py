"""What all tests share: texts that are compared with golden files, and how long an example may take."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest
from hypothesis import settings

settings.register_profile("patient", deadline=None)
settings.load_profile("patient")
"""A machine that does other things too is no finding: what takes too long ends by the timeout of the whole test."""


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Compare a text with the file of its name in `golden/` beside the test, or write it there when GOLDEN=write."""
    folder = request.path.parent / "golden"

    def compare(name: str, text: str) -> None:
        path = folder / name
        if os.environ.get("GOLDEN") == "write":
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
        assert path.exists(), f"there is no {path.name} yet: run make golden"
        assert text == path.read_text(encoding="utf-8"), f"another {name}: if that is meant, run make golden and review it"

    return compare
