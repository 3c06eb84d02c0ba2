"""The first process of a nest: lays out mounts and network, runs the command, and collects processes nobody else waits for.

`python -m sark_e2e.pods.first COMMAND...`, started by `nest`. When it ends the kernel ends every process of the nest.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Final

from .nest import FOLDER

ADDRESS: Final = "10.90.0.1"
"""The node's, where the control plane listens too."""
_SYSCTLS: Final = {
    "vm/overcommit_memory": "1",
    "vm/panic_on_oom": "0",
    "kernel/panic": "10",
    "kernel/panic_on_oops": "1",
    "kernel/keys/root_maxkeys": "1000000",
    "kernel/keys/root_maxbytes": "25000000",
}
"""What the kubelet writes for the whole machine. It finds these values in place, and changes nothing."""
_OWN_FOLDERS: Final = ("/run", "/var/lib", "/var/log")
"""Places whose paths containerd, CNI, runc and kubelet have built in."""


def main(command: list[str]) -> int:
    """Run `command` and return its exit status."""
    if os.getpid() != 1:
        print("error: sark_e2e.pods.first is started by sark_e2e.pods.nest, in a process namespace of its own", file=sys.stderr)
        return 2
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    _lay_out_mounts(Path(os.environ[FOLDER]))
    _lay_out_network()
    child = os.fork()
    if child == 0:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        os.execvp(command[0], command)  # noqa: S606 - no shell is wanted
    while True:
        pid, status = os.wait()
        if pid == child:
            return os.waitstatus_to_exitcode(status)


def _lay_out_mounts(folder: Path) -> None:
    for target in _OWN_FOLDERS:
        own = folder / "nest" / target.strip("/").replace("/", "-")
        own.mkdir(parents=True, exist_ok=True)
        _do("mount", "--bind", str(own), target)
    for name, value in _SYSCTLS.items():
        setting = Path("/proc/sys", name)
        if setting.exists() and setting.read_text(encoding="utf-8").strip() != value:
            own = folder / "nest" / name.replace("/", ".")
            own.write_text(f"{value}\n", encoding="utf-8")
            _do("mount", "--bind", str(own), str(setting))


def _lay_out_network() -> None:
    _do("ip", "link", "set", "lo", "up")
    # Nothing is at the other end. The address must be on an interface that is not loopback, and what is sent to a Service needs
    # a route before kube-proxy's rules give it another destination.
    _do("ip", "link", "add", "node0", "type", "veth", "peer", "name", "node1")
    _do("ip", "address", "add", f"{ADDRESS}/24", "dev", "node0")
    for name in ("node0", "node1"):
        _do("ip", "link", "set", name, "up")
    _do("ip", "route", "add", "default", "via", "10.90.0.254", "dev", "node0")
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1\n", encoding="utf-8")


def _do(*command: str) -> None:
    subprocess.run(command, check=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
