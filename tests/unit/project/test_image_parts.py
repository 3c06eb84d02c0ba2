"""What is left out of the images is what nothing in them reaches, and the list of their parts is whole."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import subprocess
import sys
from importlib.metadata import distributions
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from packageurl import PackageURL

PROJECT = Path(__file__).parents[3]
SITE = Path(next(path for path in sys.path if path.endswith("site-packages")))
OURS = {
    "operator": ("crds/src/sark_api", "operator/src/sark_operator", "operator/src/sark_cli"),
    "sidecar": ("crds/src/sark_api", "sidecar/src/sark_sidecar"),
}
"""Packages of ours by image."""
BESIDE = {"operator": ("kopf",), "sidecar": ()}
"""Others there that import the Kubernetes client."""

# Run with the pruned client first on the path: whatever stays can be imported, and every class that an API answers with found.
LOOK = """
import importlib, json, re, sys
from pathlib import Path
import kubernetes, kubernetes.aio
assert kubernetes.__file__.startswith(sys.argv[1]), kubernetes.__file__
for module in json.loads(sys.argv[2]):
    made = importlib.import_module(module)
    models = importlib.import_module(module.rpartition(".")[0].rpartition(".")[0] + ".models")
    for name in set(re.findall(r"'[0-9]{3}': \\"(?:[a-z]+\\\\[)*(?:str, )?([A-Z]\\w+)", Path(made.__file__).read_text())):
        getattr(models, name)
print("all found")
"""


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, PROJECT / "images" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # a dataclass looks there for its own module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("image", OURS)
def test_the_pruned_client_has_all_that_an_image_can_ask_it_for(image: str, tmp_path: Path):
    # Given the packages of an image that import the client, and the client
    site = tmp_path / "lib" / "python3.11" / "site-packages"
    site.mkdir(parents=True)
    shutil.copytree(SITE / "kubernetes", site / "kubernetes", ignore=shutil.ignore_patterns("__pycache__"))
    [information] = SITE.glob("kubernetes-*.dist-info")
    shutil.copytree(information, site / information.name)
    for package in (*(PROJECT / each for each in OURS[image]), *(SITE / each for each in BESIDE[image])):
        (site / package.name).symlink_to(package)

    # When it is pruned
    pruning = script("prune_client")
    stay = pruning.needed(site)
    assert pruning.prune(site)[0] == len(stay)

    # Then most of it is gone, from the package's own list of files too
    left = {str(file.relative_to(site)) for file in (site / "kubernetes").rglob("*.py")}
    recorded = {line.split(",")[0] for line in (site / information.name / "RECORD").read_text(encoding="utf-8").splitlines()}
    assert left == {name for name in recorded if name.startswith("kubernetes/") and name.endswith(".py")}
    assert len(stay) < 0.5 * len(list((SITE / "kubernetes").rglob("*.py")))

    # And what stays can be imported, answers included
    done = subprocess.run(
        [sys.executable, "-c", LOOK, str(site), json.dumps(sorted(stay))],
        env={"PYTHONPATH": str(site), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "all found\n"), done.stderr


def test_a_sidecar_keeps_one_client_and_an_operator_two(tmp_path: Path):
    pruning = script("prune_client")
    (tmp_path / "kubernetes").symlink_to(SITE / "kubernetes")
    (tmp_path / "sark_sidecar").symlink_to(PROJECT / "sidecar" / "src" / "sark_sidecar")
    of_sidecar = pruning.needed(tmp_path)
    assert "kubernetes.aio.client.api.core_v1_api" in of_sidecar
    assert "kubernetes.aio.client.models.v1_config_map_list" in of_sidecar
    assert not {module for module in of_sidecar if module.endswith(("core_v1_api", "v1_pod")) and ".aio." not in module}


def test_a_client_that_is_built_in_another_way_is_not_pruned(tmp_path: Path):
    pruning = script("prune_client")
    for tree in pruning.TREES:
        for folder in ("", "api", "models"):
            package = tmp_path.joinpath(*tree.split("."), folder)
            package.mkdir(parents=True, exist_ok=True)
            (package / "__init__.py").write_text("", encoding="utf-8")
        (tmp_path.joinpath(*tree.split("."), "models", "v1_pod.py")).write_text("class V1Pod: ...", encoding="utf-8")
    with pytest.raises(pruning.PruningError, match="has no table of its classes"):
        pruning.prune(tmp_path)
    assert (tmp_path / "kubernetes" / "client" / "models" / "v1_pod.py").exists()


@pytest.fixture(scope="module")
def bill() -> dict[str, Any]:
    """The list of parts, made of the environment these tests run in."""
    made: dict[str, Any] = script("sbom").bill("sidecar", Path(sys.prefix))
    return made


def test_the_list_has_every_installed_package_in_its_version(bill: dict[str, Any]):
    python = [each for each in bill["components"] if each["bom-ref"] == f"{each['name']}=={each['version']}"]
    listed = {(_normal(each["name"]), each["version"]) for each in python}
    assert listed == {(_normal(each.metadata["Name"]), each.version) for each in distributions(path=[str(SITE)])}
    assert bill["metadata"]["component"]["name"] == "sark-sidecar"


def test_the_list_has_the_crates_of_the_engine(bill: dict[str, Any]):
    [engine] = [each for each in bill["components"] if each["name"] == "sark-engine"]
    locked = (PROJECT / "engine-rs" / "Cargo.lock").read_text(encoding="utf-8")
    crates = {each["name"]: each["version"] for each in engine["components"]}
    assert {"regorus", "tokio", "pyo3"} <= set(crates)
    assert [name for name, version in crates.items() if f'name = "{name}"\nversion = "{version}"' not in locked] == []


def test_the_list_has_the_packages_of_the_base(bill: dict[str, Any]):
    if shutil.which("dpkg-query") is None:
        pytest.skip("no dpkg here")
    urls = [PackageURL.from_string(each["purl"]) for each in bill["components"] if "purl" in each]
    debian = [each for each in urls if each.type == "deb"]
    asked = subprocess.run(
        ["dpkg-query", "--show", "--showformat=${Version}", "libc6"], capture_output=True, text=True, check=True
    )
    assert asked.stdout in {each.version for each in debian if each.name == "libc6"}


def test_every_part_has_a_reference_of_its_own_that_tells_nothing_of_the_builder(bill: dict[str, Any]):
    parts = [*bill["components"], *(part for each in bill["components"] for part in each.get("components", []))]
    references = [part["bom-ref"] for part in parts]
    assert len(references) == len(set(references)) > 300
    assert [reference for reference in references if "file:" in reference] == []
    assert [each["name"] for each in bill["components"] if str(Path(sys.prefix).parent) in json.dumps(each)] == []


def test_a_list_that_others_could_not_read_is_not_made(monkeypatch: pytest.MonkeyPatch):
    made = script("sbom")
    monkeypatch.setattr(made, "_python", lambda: {"type": "no such type", "name": "python"})
    with pytest.raises(made.ListError, match=r"not valid by CycloneDX 1\.6"):
        made.bill("operator", Path(sys.prefix))


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
