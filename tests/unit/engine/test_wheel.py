"""What the wheel says of itself to those who install only it."""

from __future__ import annotations

import importlib
from importlib.metadata import distribution
from importlib.resources import files
from pathlib import Path

import sark_engine

CRATE = Path(__file__).parents[3] / "engine-rs" / "crates" / "sark-engine-py"


def test_it_needs_nothing_else_and_says_what_it_runs_on():
    metadata = distribution("sark-engine").metadata
    assert metadata.get_all("Requires-Dist") is None
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["Version"] == sark_engine.__version__


def test_its_description_is_the_readme_that_is_tested():
    assert distribution("sark-engine").metadata.get_payload().strip() == (CRATE / "README.md").read_text().strip()


def test_the_licence_is_the_projects():
    assert (CRATE / "LICENSE").read_text() == (CRATE.parents[2] / "LICENSE").read_text()


def test_it_is_typed_and_has_a_command():
    assert files("sark_engine").joinpath("py.typed").is_file()
    assert files("sark_engine").joinpath("_sark_engine.pyi").is_file()
    (command,) = distribution("sark-engine").entry_points.select(group="console_scripts")
    assert command.name == "sark-engine"
    module, _, name = command.value.partition(":")
    assert callable(getattr(importlib.import_module(module), name))


def test_all_that_is_exported_is_there_and_known_by_its_public_name():
    for name in sark_engine.__all__:
        exported = getattr(sark_engine, name)
        if isinstance(exported, type):
            assert exported.__module__ == "sark_engine", name
