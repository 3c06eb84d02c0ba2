"""Which version of a program will do, and what tells one build from another."""

from __future__ import annotations

from pathlib import Path

import pytest

from sark_e2e.program import CATALOGUE, ProgramError, parse_version

TOOLS_GO_MOD = """module example/tools

go 1.26.0

require (
	go.etcd.io/etcd/server/v3 v3.7.0 // indirect
	k8s.io/kubernetes v1.37.2 // indirect
)
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools" / "go.mod").write_text(TOOLS_GO_MOD)
    (tmp_path / "tools" / "go.sum").write_text("k8s.io/kubernetes v1.37.2 h1:abc=\n")
    return tmp_path


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("Kubernetes v1.37.2", (1, 37, 2)),
        ("etcd Version: 3.7.0\nGit SHA: Not provided\nGo Version: go1.26.8", (3, 7, 0)),
        ("prometheus, version 2.42.0+ds (branch: debian/sid, revision: 2.42.0+ds-5+b5)", (2, 42, 0)),
        ("Version: 1.22.2\nBuild Commit: ", (1, 22, 2)),
        ("prometheus, version  (branch: , revision: unknown)\n  go version:       go1.26.8", None),
        ("1.2", None),
        ("", None),
    ],
)
def test_a_version_is_read_from_what_programs_print(text: str, version: tuple[int, int, int] | None):
    assert parse_version(text) == version


@pytest.mark.parametrize(
    ("name", "found", "usable"),
    [
        ("etcd", (3, 4, 23), False),
        ("etcd", (3, 5, 13), True),
        ("etcd", (4, 0, 0), False),
        ("kube-apiserver", (1, 37, 0), True),
        ("kube-apiserver", (1, 36, 9), False),
        ("kube-apiserver", (1, 38, 0), False),
        ("prometheus", (2, 42, 0), True),
        ("prometheus", (2, 39, 9), False),
        ("prometheus", (4, 0, 0), False),
        ("opa", (1, 37, 2), True),
        ("opa", (1, 37, 1), False),
    ],
)
def test_a_found_version_will_do_or_not(name: str, found: tuple[int, int, int], usable: bool):
    pinned = (3, 7, 0) if name == "etcd" else (1, 37, 2)
    assert CATALOGUE[name].usable(found, pinned) is usable


def test_the_version_is_the_one_go_mod_pins_and_is_linked_in(root: Path):
    server = CATALOGUE["kube-apiserver"]

    assert server.pinned(root) == (1, 37, 2)
    assert "-X k8s.io/component-base/version.gitVersion=v1.37.2" in " ".join(server.flags(root))


def test_a_build_is_another_one_when_what_pins_it_changes(root: Path):
    # Given a program's digest
    server = CATALOGUE["kube-apiserver"]
    before = server.digest(root)
    assert server.digest(root) == before

    # When a checksum of go.sum changes, then so does the digest
    (root / "tools" / "go.sum").write_text("k8s.io/kubernetes v1.37.2 h1:other=\n")
    assert server.digest(root) != before

    # And two programs of one module never share one
    assert CATALOGUE["kube-controller-manager"].digest(root) != server.digest(root)


def test_a_go_mod_that_pins_nothing_is_named(root: Path):
    (root / "tools" / "go.mod").write_text("module example/tools\n\ngo 1.26.0\n")

    with pytest.raises(ProgramError, match=r"tools/go\.mod does not pin k8s\.io/kubernetes"):
        CATALOGUE["kube-apiserver"].pinned(root)


@pytest.mark.parametrize("name", sorted(CATALOGUE))
def test_every_program_is_pinned_in_the_checkout(name: str):
    assert CATALOGUE[name].pinned() > (0, 0, 0)
