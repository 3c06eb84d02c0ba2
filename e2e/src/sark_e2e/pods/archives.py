"""The images of a run as archives below .cache/images: operator, sidecar, and the parts around them.

Built once for each state of the sources, outside the nest, as builders keep what they know in places that a nest hides.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sark_e2e import binaries
from sark_e2e.program import ROOT, ProgramError
from sark_e2e.progress import Heartbeat, Report

CACHE: Final = ROOT / ".cache" / "images"
REGISTRY: Final = "localhost"
LOCAL_BASE: Final = "localhost/python:trixie"
_SOURCES: Final = ("crds", "client", "sidecar", "operator", "requirements", "images", ".cache/wheels", "pyproject.toml")
_NOTE: Final = "archives.json"
_BUILD_SECONDS: Final = 1_800


@dataclass(frozen=True)
class Archive:
    """One image in a file."""

    image: str
    """Repository and tag."""
    path: Path

    @property
    def repository(self) -> str:
        """The image's name without its tag."""
        return self.image.rpartition(":")[0]

    @property
    def tag(self) -> str:
        """The image's tag: the digest of what it was made of."""
        return self.image.rpartition(":")[2]


@dataclass(frozen=True)
class Archives:
    """The three images of a run."""

    operator: Archive
    sidecar: Archive
    parts: Archive

    def note(self, folder: Path) -> None:
        """Write into `folder` which these are, for `noted`."""
        known = {name: [archive.image, str(archive.path)] for name, archive in vars(self).items()}
        (folder / _NOTE).write_text(json.dumps(known), encoding="utf-8")


def noted(folder: Path) -> Archives:
    """Return what was noted in `folder` before a nest was entered."""
    known = json.loads((folder / _NOTE).read_text(encoding="utf-8"))
    return Archives(**{name: Archive(image, Path(path)) for name, (image, path) in known.items()})


def ready(*, report: Report) -> Archives:
    """Return the archives, building what is missing. Raises ProgramError."""
    CACHE.mkdir(parents=True, exist_ok=True)
    ours = _digest(ROOT / name for name in _SOURCES)
    operator, sidecar = (_archive(f"sark-{name}", ours) for name in ("operator", "sidecar"))
    builder = _Builder(report)
    if not (operator.path.exists() and sidecar.path.exists()):
        builder.ours(ours)
        builder.save(operator)
        builder.save(sidecar)
    with tempfile.TemporaryDirectory(prefix="sark-parts-") as temporary:
        context = Path(temporary)
        _lay_out_parts(context, report)
        parts = _archive("sark-e2e-parts", _digest([context]))
        if not parts.path.exists():
            builder.parts(context, parts.image)
            builder.save(parts)
    return Archives(operator, sidecar, parts)


def _archive(name: str, digest: str) -> Archive:
    return Archive(f"{REGISTRY}/{name}:{digest}", CACHE / f"{name}-{digest}.tar")


def _digest(paths: Iterable[Path]) -> str:
    whole = hashlib.sha256(os.environ.get("BASE", "").encode())
    for path in paths:
        files = [path] if path.is_file() else sorted(each for each in path.rglob("*") if each.is_file())
        for file in files:
            if "__pycache__" not in file.parts:
                whole.update(f"{file.relative_to(path)}\0{file.stat().st_mode}\0".encode())
                whole.update(hashlib.sha256(file.read_bytes()).digest())
    return whole.hexdigest()[:16]


def _lay_out_parts(context: Path, report: Report) -> None:
    """Put together what e2e/images/parts.Dockerfile copies."""
    for name in ("bin", "python"):
        (context / name).mkdir()
    programs = binaries.programs(("opa", "prometheus"), report=report) | {"redis-server": binaries.packaged_redis_server()}
    for name, path in programs.items():
        shutil.copy2(path, context / "bin" / name)
        (context / "bin" / name).chmod(0o755)
    python = context / "python"
    shutil.copy2(ROOT / "examples" / "mcp_gateway" / "gateway.py", python)
    package = ROOT / "e2e" / "src" / "sark_e2e"
    for file in ("__init__.py", "traffic/__init__.py", "traffic/mix.py", "pods/__init__.py", "pods/load.py"):
        (python / "sark_e2e" / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(package / file, python / "sark_e2e" / file)
    shutil.copytree(
        ROOT / "client" / "src" / "sark_client", python / "sark_client", ignore=shutil.ignore_patterns("__pycache__")
    )
    shutil.copy2(ROOT / "e2e" / "images" / "parts.Dockerfile", context / "Dockerfile")


class _Builder:
    """docker, podman or buildah, whichever works."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._tool = ""

    def ours(self, tag: str) -> None:
        """Build the images of operator and sidecar as users do, by images/build.sh."""
        base = self._base()
        self._run(
            ["sh", str(ROOT / "images" / "build.sh")], "building operator and sidecar", BASE=base, TAG=tag, REGISTRY=REGISTRY
        )

    def parts(self, context: Path, image: str) -> None:
        """Build the image of the parts around them."""
        base = self._base()
        verb = (
            ["buildah", "build", f"--isolation={self._isolation()}"] if self._find() == "buildah" else [self._find(), "build"]
        )
        arguments = [f"--build-arg=BASE={base}"] if base else []
        self._run([*verb, *arguments, "--tag", image, str(context)], "building OPA, Prometheus, Redis and the example")

    def save(self, archive: Archive) -> None:
        """Write the image to its archive, and drop those of older states."""
        fresh = archive.path.with_suffix(".new")
        fresh.unlink(missing_ok=True)
        if self._find() == "buildah":
            self._run(
                ["buildah", "push", "--quiet", archive.image, f"docker-archive:{fresh}:{archive.image}"],
                f"saving {archive.image}",
            )
            self._run(["buildah", "rmi", archive.image], f"dropping {archive.image} from the builder")
        else:
            self._run([self._find(), "save", "--output", str(fresh), archive.image], f"saving {archive.image}")
        for old in CACHE.glob(f"{archive.repository.rpartition('/')[2]}-{'[0-9a-f]' * 16}.tar"):
            old.unlink()
        fresh.rename(archive.path)

    def _find(self) -> str:
        if not self._tool:
            wanted = os.environ.get("BUILDER")
            candidates = [wanted] if wanted else ["docker", "podman", "buildah"]
            self._tool = next((each for each in candidates if self._works(each)), "")
        if not self._tool:
            raise ProgramError("none of docker, podman and buildah works here: apt-get install buildah")
        return self._tool

    def _works(self, tool: str) -> bool:
        if shutil.which(tool) is None:
            return False
        return subprocess.run([tool, "info"], env=self._environment(), capture_output=True, check=False).returncode == 0

    def _base(self) -> str:
        """Return the base image: BASE, else one of Debian's packages with buildah, else what the Dockerfiles name."""
        given = os.environ.get("BASE")
        if given or self._find() != "buildah":
            return given or ""
        known = subprocess.run(
            ["buildah", "inspect", "--type=image", LOCAL_BASE], env=self._environment(), capture_output=True, check=False
        )
        if known.returncode != 0:
            self._run(["sh", str(ROOT / "images" / "base.sh"), LOCAL_BASE], "making a base image of Debian's packages")
        return LOCAL_BASE

    def _isolation(self) -> str:
        return os.environ.get("ISOLATION", "chroot")

    def _environment(self, **over: str) -> dict[str, str]:
        # What works without a daemon and inside another container; slower than the defaults.
        buildah = {"STORAGE_DRIVER": "vfs", "ISOLATION": "chroot", "BUILDAH_ISOLATION": "chroot"}
        return {**buildah, **os.environ, **{name: value for name, value in over.items() if value}}

    def _run(self, command: list[str], what: str, **over: str) -> None:
        self._report(f"{what} with {self._find()}")
        with Heartbeat(what, report=self._report, every=15):
            done = subprocess.run(
                command,
                env=self._environment(**over),
                capture_output=True,
                text=True,
                timeout=_BUILD_SECONDS,
                check=False,
                cwd=ROOT,
            )
        if done.returncode != 0:
            raise ProgramError(f"{what} failed:\n{(done.stdout + done.stderr)[-4000:]}")
