"""Builds one program of the catalogue with Go, into the cache, once, whoever asks at the same time."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from .program import ROOT, Program, ProgramError, Version, parse_version, show_version
from .progress import Heartbeat, Report

CACHE: Final = ROOT / ".cache" / "bin"
_OUTPUT_LINES: Final = 25


def cached(program: Program, cache: Path = CACHE) -> Path:
    """Return where the cache keeps `program` as pinned now, whether or not it is there."""
    return cache / f"{program.name}-{program.digest()}"


def build(program: Program, *, report: Report, cache: Path = CACHE) -> Path:
    """Return `program` from the cache, building it first when it is not there. Raises ProgramError."""
    target = cached(program, cache)
    if not target.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with _locked(cache / ".lock", report):
            if not target.exists():
                _build(program, target, report)
                _drop_older(program, target)
    return target


def check_go(program: Program) -> None:
    """Raise ProgramError unless a Go that can build `program` is on PATH."""
    needed = _go_directive(program)
    want = f"install Go {show_version(needed)} or newer and put its bin folder on PATH"
    if shutil.which("go") is None:
        raise ProgramError(f"go is not on PATH and {program.name} must be built with it: {want}")
    answer = subprocess.run(
        ["go", "env", "GOVERSION"], env=_environment(), capture_output=True, text=True, check=False, cwd=ROOT
    )
    found = parse_version(answer.stdout.removeprefix("go").strip() + ".0")
    if found is None:
        raise ProgramError(f"`go env GOVERSION` gave no version ({answer.stderr.strip() or answer.stdout.strip()}): {want}")
    if found < needed:
        raise ProgramError(f"Go {show_version(found)} is too old to build {program.name}: {want}")


def _go_directive(program: Program) -> Version:
    text = (ROOT / program.folder / "go.mod").read_text(encoding="utf-8")
    found = re.search(r"^go (\S+)$", text, re.MULTILINE)
    version = parse_version(f"{found[1]}.0") if found else None
    if version is None:
        raise ProgramError(f"{program.folder}/go.mod has no go line: restore it")
    return version


def _environment() -> dict[str, str]:
    # The local toolchain only: nothing is to fetch another Go, and nothing is to change go.mod.
    return {**os.environ, "CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly", "GOWORK": "off"}


def _build(program: Program, target: Path, report: Report) -> None:
    check_go(program)
    what = f"building {program.name} {show_version(program.pinned())} with Go"
    report(f"{what} (a first build takes about {program.cold_seconds} s on two cores)")
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".build-") as folder:
        output = Path(folder) / program.name
        command = ["go", "build", *program.flags(), "-o", str(output), program.package]
        with Heartbeat(what, report=report, every=10) as heartbeat, (Path(folder) / "log").open("w+") as log:
            status = _run(command, directory=ROOT / program.folder, log=log.fileno())
            log.seek(0)
            end = "".join(log.readlines()[-_OUTPUT_LINES:])
        if status != 0:
            raise ProgramError(f"{program.name} could not be built; `{' '.join(command[:2])}` in {program.folder} said:\n{end}")
        output.rename(target)
    report(f"built {program.name} in {heartbeat.elapsed:.0f} s")


def _run(command: list[str], *, directory: Path, log: int) -> int:
    with subprocess.Popen(command, cwd=directory, env=_environment(), stdout=log, stderr=subprocess.STDOUT) as child:
        try:
            return child.wait()
        except BaseException:
            child.terminate()
            raise


def _drop_older(program: Program, target: Path) -> None:
    for path in target.parent.iterdir():
        older = path != target and re.fullmatch(rf"{re.escape(program.name)}-[0-9a-f]{{16}}", path.name)
        if older:
            path.unlink(missing_ok=True)


@contextlib.contextmanager
def _locked(path: Path, report: Report) -> Iterator[None]:
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            with Heartbeat("another run is building; waiting for it", report=report, every=10):
                fcntl.flock(lock, fcntl.LOCK_EX)
        yield
