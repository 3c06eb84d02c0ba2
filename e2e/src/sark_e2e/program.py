"""The programs a local cluster runs: where each comes from, how it is built, and which version found elsewhere will do."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[3]
"""The project's folder: the package runs from a checkout, where tools/go.mod is."""

Version = tuple[int, int, int]
_VERSION = re.compile(r"(?<![\w.])v?(\d+)\.(\d+)\.(\d+)")


class ProgramError(RuntimeError):
    """A program cannot be had; the message says what is missing and what to install."""


def parse_version(text: str) -> Version | None:
    """Return the first version number in `text`, as in `Kubernetes v1.37.2`; None when there is none."""
    found = _VERSION.search(text)
    return None if found is None else (int(found[1]), int(found[2]), int(found[3]))


def show_version(version: Version) -> str:
    """Return `version` as people write it."""
    return ".".join(str(part) for part in version)


@dataclass(frozen=True)
class Program:
    """One program built from a Go module that pins it."""

    name: str
    folder: str
    """Folder of the go.mod, below the project's."""
    package: str
    module: str
    """The module whose version in go.mod is the program's."""
    usable: Callable[[Version, Version], bool]
    """Whether a found version (first) will do where the second is pinned."""
    needs: str
    """The same in words, `{pinned}` standing for the pinned version."""
    cold_seconds: int
    """Rough time of a first build on two cores."""
    show: tuple[str, ...] = ("--version",)
    tags: tuple[str, ...] = ()
    variables: tuple[str, ...] = field(default=())
    """Names of string variables the linker sets; `{...}` as in `_stamps`."""

    def pinned(self, root: Path = ROOT) -> Version:
        """Return the version that go.mod pins. Raises ProgramError."""
        text = _read(root / self.folder / "go.mod")
        found = re.search(rf"^\s*(?:require\s+)?{re.escape(self.module)} (v\S+)", text, re.MULTILINE)
        version = parse_version(found[1]) if found else None
        if version is None:
            raise ProgramError(f"{self.folder}/go.mod does not pin {self.module}: restore its require line")
        return version

    def flags(self, root: Path = ROOT) -> tuple[str, ...]:
        """Return the arguments of `go build` that shape the program."""
        stamps = [f"-X {variable.format(**_stamps(self.pinned(root)))}" for variable in self.variables]
        flags = ["-trimpath", "-buildvcs=false", "-ldflags", " ".join(["-s -w", *stamps])]
        return (*flags, "-tags", ",".join(self.tags)) if self.tags else tuple(flags)

    def digest(self, root: Path = ROOT) -> str:
        """Return what tells one build from another: a digest of the pinned modules and the flags."""
        folder = root / self.folder
        parts = [_read(folder / "go.mod"), _read(folder / "go.sum"), self.package, *self.flags(root)]
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ProgramError(
            f"{path} cannot be read ({error.strerror}); the local cluster runs from a checkout of the project"
        ) from error


def _stamps(pinned: Version) -> dict[str, str]:
    major, minor, patch = pinned
    return {
        "version": show_version(pinned),
        "major": str(major),
        "minor": str(minor),
        # Prometheus 3.16.0 is released as module v0.316.0.
        "prometheus": f"{minor // 100}.{minor % 100}.{patch}",
    }


def _same_minor(found: Version, pinned: Version) -> bool:
    return found[:2] == pinned[:2]


def _same_major(found: Version, pinned: Version) -> bool:
    return found[0] == pinned[0]


def _same(found: Version, pinned: Version) -> bool:
    return found == pinned


def _etcd(found: Version, pinned: Version) -> bool:
    # Older servers lack the watch progress the API server asks for, and --unsafe-no-fsync.
    return (3, 5, 13) <= found < (pinned[0] + 1, 0, 0)


def _prometheus(found: Version, pinned: Version) -> bool:
    return (2, 40, 0) <= found < (4, 0, 0) and pinned > (0, 0, 0)


def _alertmanager(found: Version, pinned: Version) -> bool:
    # The first with `authorization` in http_config.
    return found >= (0, 22, 0) and pinned > (0, 0, 0)


_KUBERNETES_VARIABLES = (
    "k8s.io/component-base/version.gitVersion=v{version}",
    "k8s.io/component-base/version.gitMajor={major}",
    "k8s.io/component-base/version.gitMinor={minor}",
)
_PROMETHEUS_VARIABLES = ("github.com/prometheus/common/version.Version={prometheus}",)


def _kubernetes(name: str, cold_seconds: int, folder: str = "tools") -> Program:
    return Program(
        name=name,
        folder=folder,
        package=f"k8s.io/kubernetes/cmd/{name}",
        module="k8s.io/kubernetes",
        usable=_same_minor,
        needs="the same minor version as {pinned}",
        cold_seconds=cold_seconds,
        variables=_KUBERNETES_VARIABLES,
    )


def _of_prometheus(name: str, cold_seconds: int) -> Program:
    return Program(
        name=name,
        folder="tools/prometheus",
        package=f"github.com/prometheus/prometheus/cmd/{name}",
        module="github.com/prometheus/prometheus",
        usable=_prometheus,
        needs="2.40 or newer",
        cold_seconds=cold_seconds,
        # Only the service discovery used here: the cloud providers' libraries are most of the build.
        tags=("netgo", "remove_all_sd", "enable_kubernetes_sd"),
        variables=_PROMETHEUS_VARIABLES,
    )


CATALOGUE: Final = {
    program.name: program
    for program in (
        Program(
            name="etcd",
            folder="tools",
            package="go.etcd.io/etcd/server/v3",
            module="go.etcd.io/etcd/server/v3",
            usable=_etcd,
            needs="3.5.13 or newer",
            cold_seconds=40,
        ),
        _kubernetes("kube-apiserver", 300),
        _kubernetes("kube-controller-manager", 120),
        # A module of its own: what only `make e2e` runs does not make the programs of every test be built anew.
        _kubernetes("kube-scheduler", 30, "tools/node"),
        _kubernetes("kubelet", 60, "tools/node"),
        _kubernetes("kube-proxy", 30, "tools/node"),
        Program(
            name="opa",
            folder="tools/opa",
            package="github.com/open-policy-agent/opa",
            module="github.com/open-policy-agent/opa",
            # The embedded engine's answers are compared with OPA's, so it must be the very version that was agreed on.
            usable=_same,
            needs="exactly {pinned}",
            cold_seconds=60,
            show=("version",),
        ),
        Program(
            name="helm",
            folder="tools/helm",
            package="helm.sh/helm/v4/cmd/helm",
            module="helm.sh/helm/v4",
            # Golden files hold what this major version prints.
            usable=_same_major,
            needs="the same major version as {pinned}",
            cold_seconds=90,
            show=("version", "--short"),
            variables=("helm.sh/helm/v4/internal/version.version=v{version}",),
        ),
        Program(
            name="alertmanager",
            folder="tools/alertmanager",
            package="github.com/prometheus/alertmanager/cmd/alertmanager",
            module="github.com/prometheus/alertmanager",
            usable=_alertmanager,
            needs="0.22 or newer",
            cold_seconds=40,
            tags=("netgo",),
            variables=("github.com/prometheus/common/version.Version={version}",),
        ),
        _of_prometheus("prometheus", 150),
        _of_prometheus("promtool", 60),
    )
}
"""Every program that is built with Go, by name."""
