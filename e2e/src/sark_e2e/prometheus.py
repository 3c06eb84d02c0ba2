"""A Prometheus server that finds the cluster's pods by itself and scrapes those whose annotations ask for it."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any, Final

import yaml

from .loopback import LoopbackNetwork
from .probe import http_ok
from .process import Process
from .progress import Report, silent

ANNOTATION_SCRAPE: Final = "prometheus.io/scrape"
ANNOTATION_PORT: Final = "prometheus.io/port"
ANNOTATION_PATH: Final = "prometheus.io/path"

RULES: Final = ({"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]},)
"""What the server may do in the cluster."""

_META: Final = "__meta_kubernetes_pod"


class PrometheusServer(Process):
    """Prometheus with one job over all pods. It can be stopped and started again; what it has stored stays."""

    def __init__(
        self,
        binary: Path,
        *,
        network: LoopbackNetwork,
        folder: Path,
        kubeconfig: Path,
        scrape_seconds: float = 1.0,
        report: Report = silent,
    ) -> None:
        """Find pods with `kubeconfig` and scrape each every `scrape_seconds`, which is rounded to milliseconds."""
        address = f"{network.server}:{network.port()}"
        self.url = f"http://{address}"
        self.alertmanager_address = f"{network.server}:{network.port()}"
        """Where it sends alerts; nobody listens there until an Alertmanager is started."""
        self._rules = folder / "rules"
        self._rules.mkdir(parents=True, exist_ok=True)
        configuration = folder / "prometheus.yml"
        configuration.write_text(
            yaml.safe_dump(self._configuration(kubeconfig, scrape_seconds), sort_keys=False), encoding="utf-8"
        )
        super().__init__(
            "prometheus",
            [
                binary,
                f"--config.file={configuration}",
                f"--storage.tsdb.path={folder / 'data'}",
                "--storage.tsdb.retention.time=2d",
                f"--web.listen-address={address}",
                "--log.level=info",
            ],
            log=folder / "prometheus.log",
            ready=http_ok(f"{self.url}/-/ready"),
            report=report,
        )

    def rule(self, name: str, rules: list[dict[str, Any]] | None) -> None:
        """Let the running server evaluate `rules` as the group `name` from now on; None takes the group away."""
        path = self._rules / f"{name}.yml"
        if rules is None:
            path.unlink(missing_ok=True)
        else:
            path.write_text(yaml.safe_dump({"groups": [{"name": name, "rules": rules}]}), encoding="utf-8")
        self.send(signal.SIGHUP)

    def _configuration(self, kubeconfig: Path, scrape_seconds: float) -> dict[str, Any]:
        interval = f"{round(scrape_seconds * 1000)}ms"
        return {
            "global": {"scrape_interval": interval, "scrape_timeout": interval, "evaluation_interval": interval},
            "rule_files": [str(self._rules / "*.yml")],
            "alerting": {"alertmanagers": [{"static_configs": [{"targets": [self.alertmanager_address]}]}]},
            "scrape_configs": [
                {
                    "job_name": "pods",
                    "kubernetes_sd_configs": [{"role": "pod", "kubeconfig_file": str(kubeconfig)}],
                    "relabel_configs": relabeling(),
                }
            ],
        }


def relabeling() -> list[dict[str, Any]]:
    """Return the usual rules: scrape on request, at the annotated port and path, and keep namespace and pod as labels."""
    return [
        {"source_labels": [_annotation(ANNOTATION_SCRAPE)], "action": "keep", "regex": "true"},
        {"source_labels": [f"{_META}_phase"], "action": "drop", "regex": "Pending|Succeeded|Failed|Completed"},
        {
            "source_labels": ["__address__", _annotation(ANNOTATION_PORT)],
            "regex": r"([^:]+)(?::\d+)?;(\d+)",
            "replacement": "$1:$2",
            "target_label": "__address__",
        },
        {"source_labels": [_annotation(ANNOTATION_PATH)], "regex": "(.+)", "target_label": "__metrics_path__"},
        {"source_labels": ["__meta_kubernetes_namespace"], "target_label": "namespace"},
        {"source_labels": [f"{_META}_name"], "target_label": "pod"},
    ]


def _annotation(name: str) -> str:
    return f"{_META}_annotation_{name.replace('.', '_').replace('/', '_')}"
