"""The whole local cluster comes up as one, beside another, and leaves nothing behind."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

from sark_e2e.control_plane import ControlPlane
from sark_e2e.deadline import eventually
from sark_e2e.reaper import start_time

SCRIPT = """
import signal, time
from sark_e2e.cluster import LocalCluster

# Whatever runs the tests in the background may have had the signal ignored, which children inherit.
signal.signal(signal.SIGINT, signal.default_int_handler)
with LocalCluster("interrupted") as cluster:
    plane = cluster.control_plane
    servers = (plane.etcd, plane.api_server, plane.controllers, cluster.prometheus, cluster.opa, cluster.redis)
    print("folder", cluster.folder, flush=True)
    print("pids", *(server.pid for server in servers), flush=True)
    print("crd", cluster.kubectl("get", "sarkrollouts", "--all-namespaces", "--ignore-not-found") == "", flush=True)
    time.sleep(600)
"""


def test_an_interrupted_cluster_ends_every_server(control_plane: ControlPlane):
    # Given a whole cluster, started by a program of its own beside the session's
    with subprocess.Popen([sys.executable, "-c", SCRIPT], stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        said = {line.split()[0]: line.split()[1:] for line in (program.stdout.readline() for _ in range(3))}
        servers = {int(pid): start_time(int(pid)) for pid in said["pids"]}
        assert said["crd"] == ["True"]
        assert len(servers) == 6
        assert None not in servers.values()

        # When the program is interrupted, as by Ctrl-C
        program.send_signal(signal.SIGINT)
        program.wait(timeout=60)

    # Then all of its servers have ended by the time it has, and the other cluster still answers
    assert {pid: start_time(pid) for pid in servers} == dict.fromkeys(servers)
    assert control_plane.version()

    # And the logs are kept
    assert (Path(said["folder"][0]) / "prometheus" / "prometheus.log").read_text()


def test_a_hanging_server_is_still_stopped(tmp_path: Path):
    # Given a server that does not get any processor time
    script = (
        "import signal, sys; from pathlib import Path; from sark_e2e.process import Process\n"
        "with Process('sleeper', ['sleep', '600'], log=Path(sys.argv[1])) as child:\n"
        "    child.send(signal.SIGSTOP); print(child.pid, flush=True)\n"
    )
    # When the program that started it is done with it
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "log")], capture_output=True, text=True, check=True, timeout=60
    )

    # Then it has ended
    eventually(lambda: start_time(int(done.stdout)) is None, what="its end", seconds=60 - (time.monotonic() - started))
