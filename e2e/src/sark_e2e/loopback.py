"""Addresses and ports of one cluster: a network 127.X.Y.0/24 of its own, so that clusters side by side never meet.

Linux answers on all of 127.0.0.0/8 without configuration. Servers listen on .1 of it, pods on .2 and up. The network is
held by a bound socket on .254, which the kernel gives back when the program ends.
"""

from __future__ import annotations

import random
import socket
from types import TracebackType
from typing import Final, Protocol, Self

_HOLD_PORT: Final = 47_001
_ATTEMPTS: Final = 64
_LAST_POD: Final = 250


class NoAddressError(RuntimeError):
    """No loopback network, address or port is free; the message says which and what to do."""


class ServerNetwork(Protocol):
    """Where servers listen."""

    @property
    def server(self) -> str:
        """The address that they listen on."""

    def port(self) -> int:
        """Return a TCP port that is free there now."""


class LoopbackNetwork:
    """A held network 127.X.Y.0/24. Release it, or leave it as a context manager, when the cluster is gone."""

    def __init__(self) -> None:
        self._hold, self._prefix = _hold_network()
        self._pods = 1

    @property
    def server(self) -> str:
        """The address that the cluster's servers listen on."""
        return f"{self._prefix}.1"

    def pod(self) -> str:
        """Return an address for a pod; none is given out twice. Raises NoAddressError after 249."""
        if self._pods >= _LAST_POD:
            raise NoAddressError(f"{self._prefix}.0/24 has no address left: a local cluster has room for {_LAST_POD - 1} pods")
        self._pods += 1
        return f"{self._prefix}.{self._pods}"

    def port(self) -> int:
        """Return a TCP port that is free on the server address now."""
        return free_port(self.server)

    def release(self) -> None:
        """Give the network back."""
        self._hold.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.release()


def free_port(address: str) -> int:
    """Return a TCP port that is free on `address` now."""
    with socket.socket() as probe:
        probe.bind((address, 0))
        port: int = probe.getsockname()[1]
        return port


def _hold_network() -> tuple[socket.socket, str]:
    reason: OSError | None = None
    for _ in range(_ATTEMPTS):
        # 127.0 is left to everyone else, and 127.255.255 ends with the broadcast address.
        prefix = f"127.{random.randint(1, 254)}.{random.randint(0, 255)}"
        hold = socket.socket()
        try:
            hold.bind((f"{prefix}.254", _HOLD_PORT))
        except OSError as error:
            hold.close()
            reason = error
            continue
        return hold, prefix
    raise NoAddressError(
        f"no network in 127.0.0.0/8 could be held ({reason}); the local cluster needs Linux, where all of it is local"
    )
