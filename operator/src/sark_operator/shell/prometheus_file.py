"""The file of --prometheus-config as it is now: whoever runs the operator may edit it without a restart."""

from __future__ import annotations

from pathlib import Path

import structlog

from sark_api.spec import Prometheus
from sark_operator.core.observation import Missing
from sark_operator.shell.credential_files import AccessFileError
from sark_operator.shell.prometheus_access import Access, PrometheusServers

_log = structlog.get_logger("sark.prometheus")

_Stamp = tuple[int, int, int]


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

    def access(self, wanted: Prometheus, namespace: str) -> Access | Missing:
        """Return how a rollout of `namespace` may ask the server it names, by the file as it is now."""
        stamp = self._stamped()
        if stamp != self._stamp:
            self._stamp = stamp
            self._load()
        return self._servers.access(wanted, namespace)

    def _load(self) -> None:
        try:
            self._servers = PrometheusServers.load(self._path)
        except AccessFileError as error:
            _log.warning("--prometheus-config stays as it was", problem=str(error))
        else:
            _log.info("--prometheus-config was read again", path=str(self._path))

    def _stamped(self) -> _Stamp | None:
        """Return what changes with the file, also where a mount turns a link to another one; None without a file."""
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino
