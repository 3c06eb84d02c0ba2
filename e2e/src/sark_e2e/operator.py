"""The real operator as a child process, with a service account that may do what its manifest allows and no more."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from . import chart
from .loopback import LoopbackNetwork
from .probe import http_ok
from .process import Process
from .progress import Report, silent

LEASE_SECONDS: Final = 6
"""As short as the operator accepts, so that a killed one is followed soon."""

RULES: Final = chart.rules("operator-rules")
"""Rights in each namespace it serves: what the chart grants in a Role there, or in a ClusterRole when it serves all."""

LEASE_RULES: Final = chart.rules("lease-rules", lease="sark-operator")
"""Rights in the Lease's namespace."""


class Operator(Process):
    """`python -m sark_operator` for one namespace, or for all when it is empty. It can be killed and started again."""

    def __init__(
        self,
        *,
        namespace: str,
        kubeconfig: Path,
        network: LoopbackNetwork,
        folder: Path,
        lease_namespace: str = "",
        arguments: Sequence[str] = (),
        report: Report = silent,
    ) -> None:
        address = f"{network.server}:{network.port()}"
        self.url = f"http://{address}"
        super().__init__(
            "operator",
            [
                sys.executable,
                "-m",
                "sark_operator",
                f"--namespace={namespace}" if namespace else "--all-namespaces",
                f"--kubeconfig={kubeconfig}",
                f"--probe-address={address}",
                f"--lease-namespace={lease_namespace or namespace}",
                f"--lease-seconds={LEASE_SECONDS}",
                *arguments,
            ],
            log=folder / "operator.log",
            ready=http_ok(f"{self.url}/readyz"),
            report=report,
        )
