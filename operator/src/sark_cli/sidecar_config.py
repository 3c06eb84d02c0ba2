"""The operator's file of how sidecars are spoken to, used by the command on the same terms."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sark_cli.exit_code import ExitCode
from sark_cli.failure import CommandError

if TYPE_CHECKING:
    from sark_operator.shell.sidecar_access import SidecarAccess


def sidecar_access(file: str) -> SidecarAccess:
    """Return what `file` says; without a file every sidecar is asked openly. Raises CommandError."""
    from sark_operator.shell.credential_files import AccessFileError
    from sark_operator.shell.sidecar_access import SidecarAccess

    if not file:
        return SidecarAccess()
    try:
        return SidecarAccess.load(Path(file))
    except AccessFileError as error:
        raise CommandError(f"--sidecar-config: {error}", ExitCode.USAGE) from error
