"""The file of --prometheus-config as it is now: whoever runs the operator may edit it without a restart."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

import structlog

from sark_api.spec import Prometheus
from sark_operator.core.observation import Missing
from sark_operator.shell.credential_files import AccessFileError
from sark_operator.shell.prometheus_access import Access, PrometheusServers, Servers

RETRY_SECONDS: Final = 5.0
"""Least time between two tries of an edit that cannot be used: what it names may be mounted after it, untouched itself."""

_log = structlog.get_logger("sark.prometheus")

_Stamp = tuple[int, int, int]


def prometheus_servers(path: str) -> Servers:
    """Return what follows the file at `path`; without one every address is asked openly.

    Raises:
        AccessFileError: it, or a file it names, cannot be used.
    """
    return PrometheusFile(Path(path)) if path else PrometheusServers()


class PrometheusFile:
    """`Servers` from a file that is read again when it has changed; while it cannot be used, what was read before stays."""

    def __init__(self, path: Path) -> None:
        """Read it.

        Raises:
            AccessFileError: it, or a file it names, cannot be used.
        """
        self._path = path
        self._stamp = self._stamped()
        self._servers = PrometheusServers.load(path)
        self._tried: _Stamp | None = self._stamp
        self._tried_at = time.monotonic()
        self._problem = ""

    def access(self, wanted: Prometheus, namespace: str) -> Access | Missing:
        """Return how a rollout of `namespace` may ask the server it names, by the file as it is now."""
        stamp = self._stamped()
        if stamp != self._stamp and (stamp != self._tried or time.monotonic() - self._tried_at >= RETRY_SECONDS):
            self._load(stamp)
        return self._servers.access(wanted, namespace)

    def _load(self, stamp: _Stamp | None) -> None:
        """Read it as it is since `stamp`; the same problem of the same edit is told once."""
        told = self._problem if stamp == self._tried else ""
        self._tried, self._tried_at = stamp, time.monotonic()
        try:
            self._servers = PrometheusServers.load(self._path)
        except AccessFileError as error:
            self._problem = str(error)
            if self._problem != told:
                _log.warning("--prometheus-config stays as it was", problem=self._problem)
        else:
            self._stamp, self._problem = stamp, ""
            _log.info("--prometheus-config was read again", path=str(self._path))

    def _stamped(self) -> _Stamp | None:
        """Return what changes with the file, also where a mount turns a link to another one; None without a file."""
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino
