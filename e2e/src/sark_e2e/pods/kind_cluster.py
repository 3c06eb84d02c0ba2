"""The same on kind, for machines with docker or podman: `make e2e-kind`."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from sark_e2e.kubectl import Kubectl
from sark_e2e.program import ROOT, ProgramError
from sark_e2e.progress import Heartbeat, Report, silent

from .archives import Archive

CONFIGURATION: Final = ROOT / "e2e" / "kind" / "cluster.yaml"
_SECONDS: Final = 600


def check() -> None:
    """Raise ProgramError unless kind and a container engine are there."""
    if shutil.which("kind") is None:
        raise ProgramError("kind is not on PATH: https://kind.sigs.k8s.io/docs/user/quick-start/#installation")
    engines = [each for each in ("docker", "podman") if shutil.which(each) is not None]
    if not any(subprocess.run([each, "info"], capture_output=True, check=False).returncode == 0 for each in engines):
        raise ProgramError("kind needs docker or podman, and neither answers here: `sudo make e2e` runs the same without")


class KindCluster:
    """A `PodCluster`. A context manager that creates the cluster and deletes it."""

    def __init__(self, folder: Path, *, report: Report = silent) -> None:
        """Keep logs and kubeconfig in `folder`. Raises ProgramError."""
        check()
        self.folder = folder
        self.kubeconfig = folder / "kubeconfig"
        self.kubectl = Kubectl(self.kubeconfig)
        self._name = f"sark-e2e-{os.getpid()}"
        self._report = report

    def __enter__(self) -> Self:
        try:
            configuration = f"--config={CONFIGURATION}"
            self._kind("create", "cluster", configuration, f"--kubeconfig={self.kubeconfig}", "--wait=180s")
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if error is not None:
            with contextlib.suppress(ProgramError):
                self._kind("export", "logs", str(self.folder / "kind"))
        self.close()

    def close(self) -> None:
        """Delete the cluster."""
        self._kind("delete", "cluster")

    def load(self, archive: Archive) -> None:
        """Give the nodes the image in `archive`."""
        self._kind("load", "image-archive", str(archive.path))

    @contextlib.contextmanager
    def cut(self, namespace: str, labels: Mapping[str, str], port: int) -> Iterator[None]:
        """Keep a NetworkPolicy that lets nobody in to those pods. It knows no refusal of one port, so all are closed."""
        policy: dict[str, Any] = {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": {"name": f"cut-{port}", "namespace": namespace},
            "spec": {"podSelector": {"matchLabels": dict(labels)}, "policyTypes": ["Ingress"], "ingress": []},
        }
        self.kubectl("apply", "-f", "-", stdin=json.dumps(policy))
        try:
            yield
        finally:
            self.kubectl("delete", "networkpolicy", f"cut-{port}", "-n", namespace)

    def _kind(self, *arguments: str) -> None:
        what = f"kind {' '.join(arguments[:2])}"
        self._report(what)
        with Heartbeat(what, report=self._report, every=15):
            command = ["kind", *arguments, f"--name={self._name}"]
            done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)
        if done.returncode != 0:
            raise ProgramError(f"{what}: {done.stderr.strip()[-2000:]}")
