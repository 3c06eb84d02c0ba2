"""etcd on loopback with a throw-away data folder."""

from __future__ import annotations

from pathlib import Path

from .probe import http_ok
from .process import Process
from .progress import Report, silent


def etcd(binary: Path, *, host: str, client_port: int, peer_port: int, folder: Path, report: Report = silent) -> Process:
    """Return etcd, not started yet, that keeps its data below `folder` and never waits for the disk."""
    client = f"http://{host}:{client_port}"
    peer = f"http://{host}:{peer_port}"
    return Process(
        "etcd",
        [
            binary,
            f"--data-dir={folder / 'data'}",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}",
            # The data is worth nothing after a crash, and a fsync on a busy disk can take longer than a lease.
            "--unsafe-no-fsync",
            "--log-level=warn",
        ],
        log=folder / "etcd.log",
        ready=http_ok(f"{client}/health"),
        report=report,
    )
