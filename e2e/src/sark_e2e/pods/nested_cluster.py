"""The cluster of `make e2e`: control plane and one node inside a nest, and nothing of it on the machine afterwards."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from sark_e2e import binaries
from sark_e2e.control_plane import ControlPlane
from sark_e2e.kubectl import Kubectl
from sark_e2e.loopback import free_port
from sark_e2e.process import Process
from sark_e2e.program import ProgramError
from sark_e2e.progress import Report, silent

from . import node
from .archives import Archive
from .first import ADDRESS
from .nest import FOLDER
from .pod_cluster import selector

_CHAIN: Final = "SARK-CUT"


class _NodeNetwork:
    """The node's address, which pods reach too."""

    @property
    def server(self) -> str:
        """The address."""
        return ADDRESS

    def port(self) -> int:
        """Return a free port."""
        return free_port(ADDRESS)


class NestedCluster:
    """A `PodCluster`. A context manager, for a process that `nest.run` has started."""

    def __init__(self, *, pause: Archive, report: Report = silent) -> None:
        """`pause` is an image with `sleep`, whose process holds a pod's network. Raises ProgramError."""
        if FOLDER not in os.environ:
            raise ProgramError("this runs inside a nest only: `make e2e`")
        self.folder = Path(os.environ[FOLDER])
        self._pause = pause
        self._loaded: set[Archive] = set()
        self._report = report
        self._programs = binaries.programs((*binaries.CONTROL_PLANE, *binaries.NODE), report=report)
        self._stack = contextlib.ExitStack()
        control_plane = ControlPlane(self._programs, network=_NodeNetwork(), folder=self.folder, with_nodes=True, report=report)
        self._control_plane = control_plane
        self.kubeconfig: Path = control_plane.kubeconfig
        self.kubectl: Kubectl = control_plane.kubectl
        self._containerd = node.Containerd(self.folder / "containerd", pause=pause.image, report=report)

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            stack.enter_context(self._control_plane)
            for process in self._node():
                stack.enter_context(process)
                self._report(f"{process.name} is up")
                if process is self._containerd:
                    self.load(self._pause)
            node.wait_until_ready(self._control_plane)
            self._report("the node is ready")
            self._stack = stack.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        # Containers are not asked to end one by one: they end with the nest.
        self._stack.close()

    def load(self, archive: Archive) -> None:
        """Give the node the image in `archive`."""
        if archive not in self._loaded:
            self._report(f"loading {archive.image}")
            self._containerd.load(archive.path)
            self._loaded.add(archive)

    @contextlib.contextmanager
    def cut(self, namespace: str, labels: Mapping[str, str], port: int) -> Iterator[None]:
        """Drop what goes to `port` of those pods: ptp, the CNI plugin here, knows no NetworkPolicy, so iptables does it."""
        query = ("get", "pods", "-n", namespace, "-l", selector(labels), "-o", "jsonpath={.items[*].status.podIP}")
        _iptables("-N", _CHAIN)
        try:
            for address in self.kubectl(*query).split():
                _iptables("-A", _CHAIN, "-p", "tcp", "-d", address, "--dport", str(port), "-j", "DROP")
            _iptables("-I", "FORWARD", "1", "-j", _CHAIN)
            yield
        finally:
            _iptables("-D", "FORWARD", "-j", _CHAIN, check=False)
            _iptables("-F", _CHAIN)
            _iptables("-X", _CHAIN)

    def _node(self) -> tuple[Process, ...]:
        plane, report, programs = self._control_plane, self._report, self._programs
        return (
            node.scheduler(programs["kube-scheduler"], control_plane=plane, folder=self.folder / "scheduler", report=report),
            self._containerd,
            node.kubelet(
                programs["kubelet"],
                control_plane=plane,
                containerd=self._containerd,
                folder=self.folder / "kubelet",
                report=report,
            ),
            node.kube_proxy(programs["kube-proxy"], control_plane=plane, folder=self.folder / "kube-proxy", report=report),
        )


def _iptables(*arguments: str, check: bool = True) -> None:
    subprocess.run(["iptables", "--wait", *arguments], check=check, capture_output=True)
