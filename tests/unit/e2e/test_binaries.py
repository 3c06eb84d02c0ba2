"""Where a program is looked for, in which order, and what is said when it cannot be had."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from sark_e2e import binaries, go_build
from sark_e2e.program import CATALOGUE, Program, ProgramError

MakeProgram = Callable[[str, str, str], Path]


@pytest.fixture
def make_program(tmp_path: Path) -> MakeProgram:
    """Make `folder`/`name`, which prints `output` whatever it is asked."""

    def make(folder: str, name: str, output: str) -> Path:
        path = tmp_path / folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\necho '{output}'\n")
        path.chmod(0o755)
        return path

    return make


@pytest.fixture(autouse=True)
def _nothing_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty machine, on which building leaves a mark instead of taking minutes."""

    def build(program: Program, *, report: Callable[[str], None]) -> Path:
        report(f"building {program.name}")
        return tmp_path / "built" / program.name

    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    monkeypatch.setattr(binaries, "build", build)


def test_the_assets_folder_comes_before_path(make_program: MakeProgram, monkeypatch: pytest.MonkeyPatch):
    assets = make_program("assets", "etcd", "etcd Version: 3.6.5")
    make_program("path", "etcd", "etcd Version: 3.7.0")
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(assets.parent))

    assert binaries.program("etcd") == assets


def test_path_is_used_when_the_assets_folder_lacks_the_program(make_program: MakeProgram, monkeypatch: pytest.MonkeyPatch):
    assets = make_program("assets", "etcd", "etcd Version: 3.6.5")
    on_path = make_program("path", "prometheus", "prometheus, version 2.42.0+ds")
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(assets.parent))

    assert binaries.program("prometheus") == on_path


@pytest.mark.parametrize(
    ("name", "output", "sentence"),
    [
        ("etcd", "etcd Version: 3.4.23", "etcd from PATH is not used: it is 3.4.23; needed is 3.5.13 or newer"),
        ("prometheus", "prometheus, version 2.30.0", "prometheus from PATH is not used: it is 2.30.0; needed is 2.40 or newer"),
        ("opa", "Version: 0.70.0", "opa from PATH is not used: it is 0.70.0; needed is exactly "),
        ("kube-apiserver", "Kubernetes v0.0.0-master", "it does not tell its version; needed is the same minor version as "),
    ],
)
def test_a_version_that_does_not_fit_is_named_and_built_instead(
    make_program: MakeProgram, tmp_path: Path, name: str, output: str, sentence: str
):
    make_program("path", name, output)
    said: list[str] = []

    path = binaries.program(name, report=said.append)

    assert path == tmp_path / "built" / name
    assert sentence in said[0]
    assert said[1] == f"building {name}"


def test_a_program_that_does_not_run_is_built_instead(tmp_path: Path, make_program: MakeProgram):
    make_program("path", "etcd", "").write_text("not a program")
    said: list[str] = []

    assert binaries.program("etcd", report=said.append) == tmp_path / "built" / "etcd"
    assert "it does not" in said[0]


def test_an_unknown_name_is_refused_with_the_known_ones():
    with pytest.raises(ProgramError, match=r"no program is called 'etdc'; known are etcd, kube-apiserver"):
        binaries.program("etdc")


def test_go_missing_says_what_to_install():
    with pytest.raises(ProgramError, match=r"go is not on PATH .* install Go 1\.\d+\.\d+ or newer"):
        go_build.check_go(CATALOGUE["etcd"])


def test_an_old_go_says_what_to_install(make_program: MakeProgram):
    make_program("path", "go", "go1.21.5")

    with pytest.raises(ProgramError, match=r"Go 1\.21\.5 is too old to build etcd: install Go 1\.\d+\.\d+ or newer"):
        go_build.check_go(CATALOGUE["etcd"])
