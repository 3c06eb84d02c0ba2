"""A Redis server that keeps nothing on disk: the baseline arm's cache."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Final

from .loopback import LoopbackNetwork
from .probe import TIMEOUT_SECONDS
from .process import Probe, Process
from .progress import Report, silent

_MEMORY: Final = "64mb"


class RedisServer(Process):
    """Redis as a cache: bounded memory, least recently used keys dropped first."""

    def __init__(self, binary: Path, *, network: LoopbackNetwork, folder: Path, report: Report = silent) -> None:
        host, port = network.server, network.port()
        self.url = f"redis://{host}:{port}/0"
        folder.mkdir(parents=True, exist_ok=True)
        options = {
            "bind": host,
            "port": str(port),
            # It listens on loopback only, and the protected mode would want a password for any address but 127.0.0.1.
            "protected-mode": "no",
            "save": "",
            "appendonly": "no",
            "dir": str(folder),
            "maxmemory": _MEMORY,
            "maxmemory-policy": "allkeys-lru",
        }
        super().__init__(
            "redis-server",
            [binary, *(part for name, value in options.items() for part in (f"--{name}", value))],
            log=folder / "redis.log",
            ready=_answers_ping(host, port),
            report=report,
        )


def _answers_ping(host: str, port: int) -> Probe:
    def ask() -> str | None:
        try:
            with socket.create_connection((host, port), timeout=TIMEOUT_SECONDS) as connection:
                connection.sendall(b"PING\r\n")
                answer = connection.recv(64)
        except OSError as error:
            return f"{host}:{port}: {error.strerror or error}"
        return None if answer.startswith(b"+PONG") else f"{host}:{port} answered {answer!r}"

    return ask
