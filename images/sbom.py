"""Lists what an image is made of as CycloneDX JSON: `python images/sbom.py operator /opt/sark --output sbom.cdx.json`.

Run where the image is built, beside what will be in it. The list has the Python packages, as cyclonedx-py finds them installed;
in each that brings a list of its own parts (PEP 770), as the engine's wheel does of its crates, those; Python; and the base's
packages, where it has dpkg. What is not valid by CycloneDX's schema is not written.
"""
# ruff: noqa: INP001, T201 - a script, no part of a package

from __future__ import annotations

import argparse
import json
import platform
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL

HERE = Path(__file__).resolve().parent
IMAGES = ("operator", "sidecar")
SCHEMA = SchemaVersion.V1_6

Component = dict[str, Any]


class ListError(Exception):
    """The list is not one that others could read; the message says why."""


def bill(image: str, environment: Path) -> dict[str, Any]:
    """Return the list of `image`, whose programs are installed in `environment`, a virtual environment.

    Raises:
        ListError: it is not valid by the schema.
    """
    listed = _python_packages(environment)
    project = tomllib.loads((HERE.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    listed["metadata"]["component"] = {
        "type": "container",
        "bom-ref": "image",
        "name": f"sark-{image}",
        "version": project["version"],
        "licenses": [{"license": {"id": project["license"]}}],
    }
    by_name = {_normal(component["name"]): component for component in listed["components"]}
    for component in by_name.values():
        # Web pages, and where the builder had our own wheels. The validator takes its time for each address.
        component.pop("externalReferences", None)
    for package, parts in _own_lists(environment):
        known = by_name[package].setdefault("components", [])
        known += [part for part in parts if part["bom-ref"] not in {each["bom-ref"] for each in known}]
    listed["components"] += [_python(), *_base_packages()]
    error = JsonStrictValidator(SCHEMA).validate_str(json.dumps(listed))
    if error is not None:
        raise ListError(f"the list of {image} is not valid by CycloneDX {SCHEMA.to_version()}: {error}")
    return listed


def _python_packages(environment: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "cyclonedx_py", "environment", str(environment / "bin" / "python")]
    shape = [f"--spec-version={SCHEMA.to_version()}", "--output-format=JSON", "--output-reproducible", "--no-validate"]
    done = subprocess.run([*command, *shape], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ListError(f"cyclonedx-py cannot list {environment}: {done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _own_lists(environment: Path) -> Iterator[tuple[str, list[Component]]]:
    """Yield packages with the parts they name themselves."""
    for distribution in distributions(path=[str(site) for site in environment.glob("lib/python3*/site-packages")]):
        for file in distribution.files or []:
            if file.parent.name == "sboms" and file.suffix == ".json":
                own = json.loads(Path(str(distribution.locate_file(file))).read_text(encoding="utf-8"))
                if own.get("bomFormat") == "CycloneDX":
                    name = _normal(distribution.metadata["Name"])
                    yield name, [_part(name, component) for component in own.get("components", [])]


def _part(package: str, component: Component) -> Component:
    """Return a part with a reference of its own, without what cargo tells of the builder's disk, and without its web pages."""
    local = "download_url=file:" in component.get("purl", "")
    left_out = {"components", "description", "externalReferences", *(["purl"] if local else [])}
    kept = {name: value for name, value in component.items() if name not in left_out}
    return kept | {"bom-ref": f"{package}#{component['name']}@{component.get('version', '')}"}


def _python() -> Component:
    version = platform.python_version()
    purl = PackageURL("generic", name="python", version=version).to_string()
    return {"type": "platform", "bom-ref": purl, "name": "python", "version": version, "purl": purl}


def _base_packages() -> list[Component]:
    """Return the packages of the base; both stages of an image have the same."""
    if shutil.which("dpkg-query") is None:
        return []
    system = platform.freedesktop_os_release()
    shown = "--showformat=${Package}\t${Version}\t${Architecture}\n"
    told = subprocess.run(["dpkg-query", "--show", shown], capture_output=True, text=True, check=True).stdout
    found = []
    for line in told.splitlines():
        name, version, architecture = line.split("\t")
        qualifiers = {"arch": architecture, "distro": f"{system['ID']}-{system.get('VERSION_ID', '')}".rstrip("-")}
        purl = PackageURL("deb", system["ID"], name, version, qualifiers).to_string()
        found.append({"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl})
    return found


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def main(arguments: list[str]) -> int:
    """Write the list of an image."""
    parser = argparse.ArgumentParser(description="List what an image is made of, as CycloneDX JSON.")
    parser.add_argument("image", choices=IMAGES)
    parser.add_argument("environment", type=Path, help="the virtual environment in it, as /opt/sark")
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args(arguments)
    try:
        listed = bill(options.image, options.environment)
    except ListError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    options.output.write_text(json.dumps(listed, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    print(f"{options.output}: {len(listed['components'])} components and their parts")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
