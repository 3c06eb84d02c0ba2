"""An OPA server with the policies of one folder: what the baseline arm asks."""

from __future__ import annotations

from pathlib import Path

from .loopback import LoopbackNetwork
from .probe import http_ok
from .process import Process
from .progress import Report, silent


class OpaServer(Process):
    """OPA's REST API over a folder of Rego modules and data documents, read once at start."""

    def __init__(
        self, binary: Path, *, network: LoopbackNetwork, folder: Path, policies: Path, report: Report = silent
    ) -> None:
        address = f"{network.server}:{network.port()}"
        self.url = f"http://{address}"
        self.policies = policies
        super().__init__(
            "opa",
            [
                binary,
                "run",
                "--server",
                f"--addr={address}",
                "--log-level=error",
                "--skip-version-check",
                "--shutdown-grace-period=2",
                # Loaded from its own folder, so that data.json is the root document and paths do not become part of it.
                ".",
            ],
            directory=policies,
            log=folder / "opa.log",
            ready=http_ok(f"{self.url}/health"),
            report=report,
        )

    def revive(self) -> None:
        """Start it afresh, whatever has become of it. Raises ProcessError."""
        self.kill()
        self.start()
