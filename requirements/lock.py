"""Compiles the hashed requirement files from pyproject.toml: `make lock`, or `make lock UPGRADE=1`.

bootstrap.txt pins pip and uv; dev.txt pins everything else: every extra and every dependency group of the project but
docs and performance, which have files of their own, because only `make docs` and `make report` need them; performance.txt is
installed beside dev.txt, so it has the versions that dev.txt pins.
operator.txt and sidecar.txt are what their images need of it, in the same versions, and image-build.txt what builds
the project's wheel there and lists what the image is made of. sark-engine is left out, because it is built from engine-rs and
installed as a local wheel.
A version that is pinned already stays, unless pyproject.toml excludes it or an upgrade is asked for, so that a new
dependency brings nothing else along.
"""
# ruff: noqa: INP001, T201 - a script, no part of a package

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

HERE = Path(__file__).resolve().parent
LOCAL = {"sark-engine"}
APART = {"docs", "performance"}
"""Dependency groups with a file of their own, so that `make setup` does not install them."""
BESIDE = {"performance"}
"""Those of them that are installed into the environment of dev.txt."""
LOWEST_PYTHON = "3.11"
IMAGES = {"operator": ("operator", "cli"), "sidecar": ("sidecar",)}
"""By image: the extras that are installed in it."""


def requirements(project: dict[str, object]) -> list[str]:
    """Return every requirement that `project`, a parsed pyproject.toml, names, without what is built here."""
    table = project["project"]
    groups = project["dependency-groups"]
    assert isinstance(table, dict)  # noqa: S101 - the shape pyproject.toml prescribes
    assert isinstance(groups, dict)  # noqa: S101
    lists = [
        table["dependencies"],
        *table["optional-dependencies"].values(),
        *(lines for name, lines in groups.items() if name not in APART),
    ]
    named = {line for lines in lists for line in lines}
    return sorted(line for line in named if _name(line) not in LOCAL)


def runtime(project: dict[str, object], extras: tuple[str, ...]) -> list[str]:
    """Return what the project and these of its extras need to run, without what is built here."""
    table = project["project"]
    assert isinstance(table, dict)  # noqa: S101 - the shape pyproject.toml prescribes
    named = {*table["dependencies"], *(line for extra in extras for line in table["optional-dependencies"][extra])}
    return sorted(line for line in named if _name(line) not in LOCAL)


def _name(requirement: str) -> str:
    return re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0].lower()


def compile_file(source: str, target: Path, *, versions: Path | None = None, upgrade: bool = False) -> None:
    """Write to `target` what satisfies the requirements in `source`, with hashes, for every platform and Python we support.

    Versions are those that another compiled file pins, where `versions` names it; else those in `target`, or with `upgrade` the
    newest ones allowed.
    """
    command = [sys.executable, "-m", "uv", "pip", "compile", "-", "--quiet", "--universal", f"--python-version={LOWEST_PYTHON}"]
    shape = ["--generate-hashes", "--no-header", "--no-annotate", "--no-emit-index-url", "--no-emit-find-links"]
    subprocess.run(
        [*command, *shape, "--no-config", f"--output-file={target}", *_choice(versions, upgrade=upgrade)],
        input=source,
        text=True,
        check=True,
        cwd=HERE,
    )
    head = "# Compiled by `make lock`; change pyproject.toml or bootstrap.in instead.\n"
    compiled = target.read_text(encoding="utf-8")
    target.write_text(head + compiled, encoding="utf-8")
    print(f"{target.name}: {len(re.findall(r'^[a-z].*==', compiled, re.MULTILINE))} packages")


def _choice(versions: Path | None, *, upgrade: bool) -> tuple[str, ...]:
    if versions is not None:
        # The other file decides: what `target` pinned before must not compete with it.
        return ("--constraint", str(versions), "--upgrade")
    return ("--upgrade",) if upgrade else ()


def main() -> None:
    """Compile all files; with `--images` only those of the images, from what dev.txt pins."""
    upgrade = "--upgrade" in sys.argv[1:]
    project = tomllib.loads((HERE.parent / "pyproject.toml").read_text(encoding="utf-8"))
    if "--images" not in sys.argv[1:]:
        compile_file((HERE / "bootstrap.in").read_text(encoding="utf-8"), HERE / "bootstrap.txt", upgrade=upgrade)
        compile_file("\n".join(requirements(project)), HERE / "dev.txt", upgrade=upgrade)
        for group in sorted(APART):
            named, beside = "\n".join(project["dependency-groups"][group]), HERE / "dev.txt" if group in BESIDE else None
            compile_file(named, HERE / f"{group}.txt", versions=beside, upgrade=upgrade)
    for image, extras in IMAGES.items():
        compile_file("\n".join(runtime(project, extras)), HERE / f"{image}.txt", versions=HERE / "dev.txt")
    tools = [*project["build-system"]["requires"], *project["dependency-groups"]["sbom"]]
    compile_file("\n".join(tools), HERE / "image-build.txt", versions=HERE / "dev.txt")


if __name__ == "__main__":
    main()
