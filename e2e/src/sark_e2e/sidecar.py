"""The real sidecar as a child process, listening on its pod's address as it would inside the pod."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from .probe import http_ok
from .process import Process
from .progress import Report, silent

DATA_PORT: Final = 8180
ADMIN_PORT: Final = 8182
_READY_SECONDS: Final = 180.0
"""A start takes two seconds of processor time, and has been seen to take more than a minute where much else runs."""


@dataclass(frozen=True)
class SidecarInputs:
    """What every sidecar of a fleet shares."""

    policies: Path
    opa_url: str
    redis_url: str
    namespace: str
    config_map: str
    kubeconfig: Path
    overrides: dict[str, dict[str, Any]]
    """Settings over those made here, by section, as in `{"cache": {"ttl": "5s"}}`."""


class Sidecar(Process):
    """`python -m sark_sidecar` with a configuration file of its own and the fault-injection hook enabled."""

    def __init__(self, name: str, *, address: str, inputs: SidecarInputs, folder: Path, report: Report = silent) -> None:
        self.data_url = f"http://{address}:{DATA_PORT}"
        self.admin_url = f"http://{address}:{ADMIN_PORT}"
        folder.mkdir(parents=True, exist_ok=True)
        self._faults = folder / "faults.json"
        configuration = folder / "sidecar.yaml"
        settings = _settings(address, inputs, folder, self._faults)
        configuration.write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")
        super().__init__(
            name,
            [sys.executable, "-m", *self._program(address)],
            environment={"SARK_SIDECAR_CONFIG": str(configuration)},
            log=folder / "sidecar.log",
            ready=http_ok(f"{self.admin_url}/ready"),
            ready_seconds=_READY_SECONDS,
            report=report,
        )

    @staticmethod
    def _program(address: str) -> tuple[str, ...]:
        """Return the module that is run, and its arguments."""
        del address
        return ("sark_sidecar",)

    def inject(self, *, latency_ms: float = 0, error_percent: float = 0) -> None:
        """Delay every rust-arm request and fail a share of them, within a fraction of a second; zeros end it."""
        fresh = self._faults.with_suffix(".new")
        fresh.write_text(json.dumps({"rust": {"latency_ms": latency_ms, "error_percent": error_percent}}), encoding="utf-8")
        fresh.rename(self._faults)


class EmbeddingApplication(Sidecar):
    """An application with a decision point inside and no sidecar; what it is asked it asks itself."""

    @staticmethod
    def _program(address: str) -> tuple[str, ...]:
        return ("sark_e2e.embedding_application", address, str(DATA_PORT))


def _settings(address: str, inputs: SidecarInputs, folder: Path, faults: Path) -> dict[str, Any]:
    settings: dict[str, dict[str, Any]] = {
        "policies": {"directory": str(inputs.policies)},
        "opa": {"url": inputs.opa_url},
        "cache": {"redis_url": inputs.redis_url, "ttl": "10s"},
        "flags": {
            "mode": "watch",
            "namespace": inputs.namespace,
            "config_map": inputs.config_map,
            "kubeconfig": str(inputs.kubeconfig),
            "state_file": str(folder / "flags-state.json"),
        },
        # In a pod the data port listens on loopback, which each pod has to itself; here the pod's address is its loopback.
        "data": {"host": address, "port": DATA_PORT},
        "admin": {"host": address, "port": ADMIN_PORT},
        "fault_injection": {"enabled": True, "file": str(faults)},
        "limits": {"drain_timeout": "3s"},
    }
    for section, members in inputs.overrides.items():
        settings.setdefault(section, {}).update(members)
    return settings
