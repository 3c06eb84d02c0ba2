"""The operator's file of Prometheus servers, used by the command on the same terms."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sark_cli.exit_code import ExitCode
from sark_cli.failure import CommandError

if TYPE_CHECKING:
    from sark_operator.shell.prometheus_access import PrometheusServers


def prometheus_servers(file: str) -> PrometheusServers:
    """Return what `file` says; without a file every address is asked openly. Raises CommandError."""
    from sark_operator.shell.credential_files import AccessFileError
    from sark_operator.shell.prometheus_access import PrometheusServers

    if not file:
        return PrometheusServers()
    try:
        return PrometheusServers.load(Path(file))
    except AccessFileError as error:
        raise CommandError(f"--prometheus-config: {error}", ExitCode.USAGE) from error
