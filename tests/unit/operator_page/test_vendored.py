"""The browser files that were not written here are those of their packages, with their licences, and are served as they are."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from sark_operator.page.assets import _NAMES, Assets

PROJECT = Path(__file__).parents[3]
VENDOR = PROJECT / "operator" / "src" / "sark_operator" / "page" / "static" / "vendor"


def recorded() -> dict[str, str]:
    lines = (VENDOR / "SHA256SUMS").read_text(encoding="utf-8").splitlines()
    return {name: digest for digest, _, name in (line.partition("  ") for line in lines)}


def test_every_vendored_file_is_the_one_that_was_recorded():
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in VENDOR.iterdir() if path.name != "SHA256SUMS"}
    assert found == recorded(), "run `make page-assets`"


def test_every_vendored_package_has_its_licence_beside_it():
    assert {"htmx.LICENSE", "uPlot.LICENSE"} <= set(recorded())


def test_what_is_vendored_is_what_is_served():
    served = {name.removeprefix("vendor/") for name in _NAMES if name.startswith("vendor/")}
    assert served == {name for name in recorded() if not name.endswith(".LICENSE")}
    for name in served:
        asset = Assets().get(f"vendor/{name}")
        assert asset is not None
        assert asset.body == (VENDOR / name).read_bytes()


def test_every_package_is_pinned_with_its_integrity():
    wanted = json.loads((PROJECT / "tools" / "page" / "package.json").read_text(encoding="utf-8"))
    locked = json.loads((PROJECT / "tools" / "page" / "package-lock.json").read_text(encoding="utf-8"))
    for name, version in (wanted["dependencies"] | wanted["devDependencies"]).items():
        package = locked["packages"][f"node_modules/{name}"]
        assert package["version"] == version
        assert package["integrity"].startswith("sha512-")
        assert "resolved" not in package
