"""The images install the versions that were tested, all of them and no others."""

from __future__ import annotations

import importlib.util
import re
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

PROJECT = Path(__file__).parents[3]
FOLDER = PROJECT / "requirements"


@pytest.fixture(scope="module")
def lock() -> ModuleType:
    found = importlib.util.spec_from_file_location("lock", FOLDER / "lock.py")
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


@pytest.mark.parametrize("image", ["operator", "sidecar"])
def test_an_image_has_the_tested_version_of_everything_it_needs(image: str, lock: ModuleType):
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))
    tested, installed = _pinned("dev.txt"), _pinned(f"{image}.txt")
    needed = {_normal(lock._name(line)) for line in lock.runtime(project, lock.IMAGES[image])}
    assert needed <= set(installed), "run `make lock`"
    assert installed.items() <= tested.items(), "run `make lock`"


def test_an_image_is_built_with_the_tested_backend():
    assert _pinned("image-build.txt").items() <= _pinned("dev.txt").items(), "run `make lock`"


@pytest.mark.parametrize("name", ["operator", "sidecar"])
def test_an_image_ends_up_without_root_and_without_what_built_it(name: str):
    build, final = re.split(
        r"^FROM .*$", (PROJECT / "images" / f"{name}.Dockerfile").read_text(encoding="utf-8"), flags=re.MULTILINE
    )[1:]
    assert "--require-hashes" in build
    assert "USER 65532:65532" in final
    assert "RUN" not in final
    assert f'ENTRYPOINT ["sark-{name}"]' in final


@pytest.mark.parametrize("name", ["operator", "sidecar"])
def test_an_image_is_built_from_every_package_of_the_wheel(name: str):
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))
    folders = {package.split("/")[0] for package in project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]}
    copied = set(
        re.findall(r"^COPY (\w+) \1$", (PROJECT / "images" / f"{name}.Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)
    )
    let_in = set(re.findall(r"^!(\w+)$", (PROJECT / ".dockerignore").read_text(encoding="utf-8"), re.MULTILINE))
    assert folders == copied
    assert folders <= let_in


def _pinned(name: str) -> dict[str, str]:
    text = (FOLDER / name).read_text(encoding="utf-8")
    return {_normal(package): version for package, version in re.findall(r"^([A-Za-z0-9._-]+)==(\S+)", text, re.MULTILINE)}


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
