"""Files of credentials, as whoever runs the operator writes them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml


@pytest.fixture
def token(tmp_path: Path) -> Path:
    """A file that holds a secret."""
    path = tmp_path / "token"
    path.write_text("hush-1\n")
    return path


@pytest.fixture
def written(tmp_path: Path) -> Callable[[object], Path]:
    """Write a configuration that names such files, and return where it is."""

    def write(document: object) -> Path:
        path = tmp_path / "access.yaml"
        path.write_text(yaml.safe_dump(document))
        return path

    return write
