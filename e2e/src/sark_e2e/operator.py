"""The real operator as a child process, with a service account that may do what its manifest allows and no more."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from sark_api.names import GROUP, PLURAL

from .loopback import LoopbackNetwork
from .probe import http_ok
from .process import Process
from .progress import Report, silent

LEASE_SECONDS: Final = 6
"""As short as the operator accepts, so that a killed one is followed soon."""

RULES: Final = (
    {"apiGroups": [GROUP], "resources": [PLURAL], "verbs": ["get", "list", "watch", "patch"]},
    {"apiGroups": [GROUP], "resources": [f"{PLURAL}/status"], "verbs": ["get", "update"]},
    {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "create", "patch", "update", "delete"]},
    {"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]},
    {"apiGroups": ["events.k8s.io"], "resources": ["events"], "verbs": ["create"]},
    {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["get", "create", "update"]},
)
"""Rights in each namespace it serves."""


class Operator(Process):
    """`python -m sark_operator` for one namespace. It can be killed and started again, as a Deployment would."""

    def __init__(
        self,
        *,
        namespace: str,
        kubeconfig: Path,
        network: LoopbackNetwork,
        folder: Path,
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
                f"--namespace={namespace}",
                f"--kubeconfig={kubeconfig}",
                f"--probe-address={address}",
                f"--lease-namespace={namespace}",
                f"--lease-seconds={LEASE_SECONDS}",
                *arguments,
            ],
            log=folder / "operator.log",
            ready=http_ok(f"{self.url}/readyz"),
            report=report,
        )
