"""One node: containerd with runc and CNI plugins, kubelet and kube-proxy. In a nest, where paths and ports are its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

import yaml

from sark_e2e.control_plane import ControlPlane
from sark_e2e.deadline import eventually
from sark_e2e.probe import http_ok
from sark_e2e.process import Process
from sark_e2e.program import ProgramError
from sark_e2e.progress import Report, silent

from .first import ADDRESS
from .nest import GROUP, search_path

NAME: Final = "node"
POD_RANGE: Final = "10.244.0.0/24"
_CNI_FOLDERS: Final = ("/usr/lib/cni", "/opt/cni/bin", "/usr/libexec/cni")
_CNI_PLUGINS: Final = ("ptp", "host-local", "loopback")
_READY_SECONDS: Final = 120.0


def check() -> None:
    """Raise ProgramError unless containerd, runc and the CNI plugins are on this machine."""
    packages = {"containerd": "containerd", "ctr": "containerd", "runc": "runc"}
    missing = {package for tool, package in packages.items() if shutil.which(tool, path=search_path()) is None}
    if _cni_folder() is None:
        missing.add("containernetworking-plugins")
    if missing:
        raise ProgramError(f"real pods need {' '.join(sorted(missing))}: apt-get install {' '.join(sorted(missing))}")


def _cni_folder() -> str | None:
    return next((f for f in _CNI_FOLDERS if all(os.access(Path(f, each), os.X_OK) for each in _CNI_PLUGINS)), None)


class Containerd(Process):
    """The container runtime. Its images and containers are below its folder."""

    def __init__(self, folder: Path, *, pause: str, report: Report = silent) -> None:
        """`pause` is the image that holds a pod's network namespace."""
        folder.mkdir(parents=True, exist_ok=True)
        self.socket = Path("/run/containerd.sock")
        network = folder / "cni"
        network.mkdir()
        (network / "10-sark.conflist").write_text(json.dumps(_network()), encoding="utf-8")
        configuration = folder / "config.toml"
        configuration.write_text(_containerd(folder, self.socket, network, pause), encoding="utf-8")
        super().__init__(
            "containerd",
            ["containerd", f"--config={configuration}"],
            log=folder / "containerd.log",
            ready=self._answers,
            report=report,
        )

    def load(self, archive: Path) -> None:
        """Import the images of `archive`. Raises ProgramError."""
        done = self._ctr("--namespace=k8s.io", "images", "import", str(archive), seconds=300)
        if done.returncode != 0:
            raise ProgramError(f"{archive}: {done.stderr.strip()}")

    def _answers(self) -> str | None:
        done = self._ctr("version", seconds=10)
        return None if done.returncode == 0 else (done.stderr.strip() or "no answer").splitlines()[-1]

    def _ctr(self, *arguments: str, seconds: float) -> subprocess.CompletedProcess[str]:
        command = ["ctr", f"--address={self.socket}", *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False)


def _network() -> dict[str, Any]:
    # A link from each pod to the node and no bridge: what pods send each other is routed, and kube-proxy and filters see it.
    address = {"type": "host-local", "subnet": POD_RANGE, "routes": [{"dst": "0.0.0.0/0"}]}
    return {"cniVersion": "0.4.0", "name": "sark", "plugins": [{"type": "ptp", "ipMasq": False, "ipam": address}]}


def _containerd(folder: Path, socket: Path, network: Path, pause: str) -> str:
    return f"""version = 2
root = "{folder / "root"}"
state = "/run/containerd-state"
[grpc]
  address = "{socket}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause}"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{_cni_folder()}"
    conf_dir = "{network}"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
"""


def kubelet(binary: Path, *, control_plane: ControlPlane, containerd: Containerd, folder: Path, report: Report) -> Process:
    """Return the kubelet of the one node, not started yet."""
    kubeconfig = control_plane.user("kubelet.kubeconfig", f"system:node:{NAME}", "system:nodes")
    folder.mkdir(parents=True, exist_ok=True)
    resolver = folder / "resolv.conf"
    resolver.write_text("# no name server: parts know each other by address\n", encoding="utf-8")
    configuration = folder / "kubelet.yaml"
    settings = _kubelet(control_plane.authority, containerd.socket, folder, resolver)
    configuration.write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")
    return Process(
        "kubelet",
        [
            binary,
            f"--config={configuration}",
            f"--kubeconfig={kubeconfig}",
            f"--root-dir={folder / 'root'}",
            f"--cert-dir={folder / 'certificates'}",
            f"--hostname-override={NAME}",
            f"--node-ip={ADDRESS}",
        ],
        log=folder / "kubelet.log",
        ready=http_ok("http://127.0.0.1:10248/healthz"),
        ready_seconds=_READY_SECONDS,
        report=report,
    )


def _kubelet(authority: Path, socket: Path, folder: Path, resolver: Path) -> dict[str, Any]:
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": ADDRESS,
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(authority)},
        },
        "authorization": {"mode": "Webhook"},
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{os.environ[GROUP]}",
        "containerRuntimeEndpoint": f"unix://{socket}",
        "enforceNodeAllocatable": [],
        # The machine's disk and memory are not the cluster's: nothing is evicted and no image dropped for want of them.
        "evictionHard": {"memory.available": "50Mi", "nodefs.available": "0%", "imagefs.available": "0%"},
        "failCgroupV1": False,
        "failSwapOn": False,
        "imageGCHighThresholdPercent": 100,
        "localStorageCapacityIsolation": False,
        "podLogsDir": str(folder / "pod-logs"),
        "resolvConf": str(resolver),
        "volumePluginDir": str(folder / "plugins"),
    }


def kube_proxy(binary: Path, *, control_plane: ControlPlane, folder: Path, report: Report) -> Process:
    """Return kube-proxy, not started yet, that serves Services with iptables."""
    kubeconfig = control_plane.user("kube-proxy.kubeconfig", "system:kube-proxy", "system:node-proxier")
    folder.mkdir(parents=True, exist_ok=True)
    configuration = folder / "kube-proxy.yaml"
    settings = {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "clientConnection": {"kubeconfig": str(kubeconfig)},
        "clusterCIDR": POD_RANGE,
        # The sizes of the connection table are the machine's, not the nest's.
        "conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
        "healthzBindAddress": "127.0.0.1:10256",
        "hostnameOverride": NAME,
        "metricsBindAddress": "127.0.0.1:10249",
        "mode": "iptables",
    }
    configuration.write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")
    return Process(
        "kube-proxy",
        [binary, f"--config={configuration}"],
        log=folder / "kube-proxy.log",
        ready=http_ok("http://127.0.0.1:10249/healthz"),
        ready_seconds=_READY_SECONDS,
        report=report,
    )


def scheduler(binary: Path, *, control_plane: ControlPlane, folder: Path, report: Report) -> Process:
    """Return kube-scheduler, not started yet."""
    return Process(
        "kube-scheduler",
        [
            binary,
            *(f"--{each}kubeconfig={control_plane.kubeconfig}" for each in ("", "authentication-", "authorization-")),
            f"--cert-dir={folder}",
            "--bind-address=127.0.0.1",
            "--leader-elect=false",
        ],
        log=folder / "kube-scheduler.log",
        report=report,
    )


def wait_until_ready(control_plane: ControlPlane, *, seconds: float = _READY_SECONDS) -> None:
    """Wait until the node takes pods. Raises TimeoutError."""
    query = "jsonpath={.items[*].status.conditions[?(@.type=='Ready')].status}"
    kubectl = control_plane.kubectl
    eventually(lambda: kubectl.run("get", "nodes", "-o", query).stdout == "True", what="the node to be ready", seconds=seconds)
