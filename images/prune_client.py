"""Takes out of an environment what no program in it can reach of the Kubernetes client: `prune_client.py /opt/sark`.

The client is a module for each of some 850 kinds of objects and 60 APIs, twice: for threads and for asyncio. That is 126 MB,
most of an image, and a sidecar follows one ConfigMap. A generated module stays when another that stays imports it or has the
name of its class, in code or in a text: an API names the classes of its answers in texts, and they are looked up when an
answer comes. The first that stay are all modules of the packages that import the client. What was written by hand stays.
"""
# ruff: noqa: INP001, T201 - a script, no part of a package

from __future__ import annotations

import argparse
import ast
import csv
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

CLIENT = "kubernetes"
TREES = ("kubernetes.client", "kubernetes.aio.client")
"""Each has an `__init__` that imports a class's module when its name is asked for, and two folders of generated modules."""
GENERATED = ("api", "models")
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9]+")


@dataclass(frozen=True)
class Tree:
    """One of the two clients."""

    name: str
    site: Path

    @property
    def folder(self) -> Path:
        """Where it is."""
        return self.site.joinpath(*self.name.split("."))

    @cached_property
    def classes(self) -> dict[str, str]:
        """The module of each class that can be asked for by name."""
        found: dict[str, str] = {}
        for package in ("", *(f".{folder}" for folder in GENERATED)):
            init = self.site.joinpath(*(self.name + package).split("."), "__init__.py")
            for name, relative in _exports(init).items():
                found.setdefault(name, self.name + package + relative)
        return found

    def generated(self) -> set[str]:
        """Return the names of all generated modules."""
        return {f"{self.name}.{folder}.{file.stem}" for folder in GENERATED for file in self._files(folder)}

    def _files(self, folder: str) -> Iterator[Path]:
        return (file for file in (self.folder / folder).glob("*.py") if file.stem != "__init__")


class PruningError(Exception):
    """The client is not built as this expects; nothing has been removed."""


def needed(site: Path) -> set[str]:
    """Return the names of the generated modules that are reached from the packages in `site`, a folder site-packages.

    Raises:
        PruningError: there is no client, or one that is built in another way.
    """
    trees = {name: Tree(name, site) for name in TREES}
    generated = {module for tree in trees.values() for module in tree.generated()}
    for tree in trees.values():
        if not tree.classes or not set(tree.classes.values()) & generated:
            raise PruningError(
                f"{tree.folder} has no table of its classes: look at its __init__.py, then at {Path(__file__).name}"
            )
    waiting = list(_first(site, trees))
    seen: set[str] = set(waiting)
    while waiting:
        for module in _leads_to(waiting.pop(), site, trees) - seen:
            seen.add(module)
            waiting.append(module)
    return seen & generated


def prune(site: Path) -> tuple[int, int]:
    """Remove the other generated modules and their lines in the package's RECORD; return how many stay, and of how many.

    Raises:
        PruningError: as `needed` does.
    """
    stay = needed(site)
    every = {module for name in TREES for module in Tree(name, site).generated()}
    for module in every - stay:
        file = _file(module, site)
        assert file is not None  # noqa: S101 - it was listed from its file
        file.unlink()
        for compiled in (file.parent / "__pycache__").glob(f"{file.stem}.*"):
            compiled.unlink()
    for record in site.glob(f"{CLIENT}-*.dist-info/RECORD"):
        with record.open(encoding="utf-8", newline="") as lines:
            rows = [row for row in csv.reader(lines) if (site / row[0]).exists()]
        with record.open("w", encoding="utf-8", newline="") as lines:
            csv.writer(lines, lineterminator="\n").writerows(rows)
    return len(stay), len(every)


def _first(site: Path, trees: dict[str, Tree]) -> set[str]:
    """Return what all the packages that import the client reach of it by themselves."""
    reached: set[str] = set()
    for package in site.iterdir():
        files = [package] if package.suffix == ".py" else list(package.rglob("*.py"))
        sources = [file.read_text(encoding="utf-8", errors="replace") for file in files if package.name != CLIENT]
        if not any(re.search(rf"^\s*(from|import) {CLIENT}\b", source, re.MULTILINE) for source in sources):
            continue
        parsed = [ast.parse(source) for source in sources]
        imported = {module for each in parsed for module in _imports(each, package.stem, site)}
        names = {name for each in parsed for name in _names(each)}
        reached |= imported
        reached |= {tree.classes[name] for tree in _touched(imported, trees) for name in names & tree.classes.keys()}
    return reached


def _touched(imported: set[str], trees: dict[str, Tree]) -> list[Tree]:
    """Return the trees whose classes whoever imports `imported` can ask for; `import kubernetes` gives both."""
    asynchronous = {module for module in imported if f"{module}.".startswith("kubernetes.aio.")}
    threaded, asyncio = TREES
    wanted = {threaded: imported - asynchronous, asyncio: asynchronous | (imported & {CLIENT})}
    return [trees[name] for name, modules in wanted.items() if modules]


def _leads_to(module: str, site: Path, trees: dict[str, Tree]) -> set[str]:
    """Return the modules of the client that `module`, one of them, imports or names."""
    parts = module.split(".")
    parents = {".".join(parts[:length]) for length in range(1, len(parts))}
    file = _file(module, site)
    if file is None or _is_table(module):
        return parents
    source = file.read_text(encoding="utf-8")
    classes = trees[TREES[1] if f"{module}.".startswith("kubernetes.aio.") else TREES[0]].classes
    if file.parent.name in GENERATED:
        # They import one another's classes by name and are large: no need to parse them.
        return parents | {classes[name] for name in set(_WORD.findall(source)) & classes.keys()}
    parsed = ast.parse(source)
    package = module if file.stem == "__init__" else module.rpartition(".")[0]
    return parents | {classes[name] for name in _names(parsed) & classes.keys()} | _imports(parsed, package, site)


def _is_table(module: str) -> bool:
    """Return whether it has the name of every class, and so says nothing about which are needed."""
    return module in {name + package for name in TREES for package in ("", *(f".{folder}" for folder in GENERATED))}


def _imports(parsed: ast.AST, package: str, site: Path) -> set[str]:
    """Return the modules of the client that are imported, here or in a function; `package` is where relative ones begin."""
    found: set[str] = set()
    for node in ast.walk(parsed):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package.split(".")
            base = base[: len(base) - node.level + 1] if node.level else []
            origin = ".".join([*base, *([node.module] if node.module else [])])
            # `from kubernetes.aio import client` imports a module, `from kubernetes.client import V1Pod` asks for a name.
            modules = {f"{origin}.{alias.name}" for alias in node.names}
            found |= {origin} | {module for module in modules if module.startswith(CLIENT) and _file(module, site)}
    return {module for module in found if module == CLIENT or module.startswith(f"{CLIENT}.")}


def _names(parsed: ast.AST) -> set[str]:
    """Return every word that could be a class's name: names, attributes, imports, and words in texts that are no docstrings."""
    found: set[str] = set()
    said = {id(node.value) for node in ast.walk(parsed) if isinstance(node, ast.Expr)}
    for node in ast.walk(parsed):
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name):
                found.add(name)
            case ast.ImportFrom(names=aliases):
                found |= {alias.name for alias in aliases}
            case ast.Constant(value=str(text)) if id(node) not in said:
                found |= set(_WORD.findall(text))
            case _:
                pass
    return found


def _exports(init: Path) -> dict[str, str]:
    """Return the table `_exports` in an `__init__`: by class the module, relative to the package."""
    if not init.exists():
        return {}
    for node in ast.walk(ast.parse(init.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Assign) and any(isinstance(each, ast.Name) and each.id == "_exports" for each in node.targets):
            table: dict[str, str] = ast.literal_eval(node.value)
            return table
    return {}


def _file(module: str, site: Path) -> Path | None:
    path = site.joinpath(*module.split("."))
    for file in (path.with_suffix(".py"), path / "__init__.py"):
        if file.exists():
            return file
    return None


def main(arguments: list[str]) -> int:
    """Prune the client in a virtual environment and say what came of it."""
    parser = argparse.ArgumentParser(description="Take out what nothing in an environment can reach of the Kubernetes client.")
    parser.add_argument("environment", type=Path, help="a virtual environment, as /opt/sark")
    environment: Path = parser.parse_args(arguments).environment
    sites = list(environment.glob("lib/python3*/site-packages"))
    if not sites:
        parser.error(f"{environment} has no lib/python3*/site-packages: it is no virtual environment")
    try:
        for site in sites:
            stay, every = prune(site)
            print(f"Kubernetes client: {stay} of {every} generated modules stay")
    except PruningError as error:
        parser.error(str(error))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
