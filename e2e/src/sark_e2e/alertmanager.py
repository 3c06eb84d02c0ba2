"""An Alertmanager that passes every alert on to one webhook, at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from .probe import http_ok
from .process import Process
from .progress import Report, silent


class AlertmanagerServer(Process):
    """Alertmanager for one Prometheus, which sends to `address`. It can be stopped and started again."""

    def __init__(
        self,
        binary: Path,
        *,
        address: str,
        folder: Path,
        webhook: str,
        token_file: Path,
        report: Report = silent,
    ) -> None:
        """Send every alert to the URL `webhook`, with the bearer token in `token_file`."""
        self.url = f"http://{address}"
        folder.mkdir(parents=True, exist_ok=True)
        configuration = folder / "alertmanager.yml"
        configuration.write_text(yaml.safe_dump(_configuration(webhook, token_file), sort_keys=False), encoding="utf-8")
        super().__init__(
            "alertmanager",
            [
                binary,
                f"--config.file={configuration}",
                f"--storage.path={folder / 'data'}",
                f"--web.listen-address={address}",
                "--cluster.listen-address=",  # alone: nobody to gossip with
            ],
            log=folder / "alertmanager.log",
            ready=http_ok(f"{self.url}/-/ready"),
            report=report,
        )


def _configuration(webhook: str, token_file: Path) -> dict[str, Any]:
    authorization = {"type": "Bearer", "credentials_file": str(token_file)}
    return {
        "route": {
            "receiver": "sark",
            "group_by": ["sark_rollout", "alertname"],
            "group_wait": "0s",
            "group_interval": "1s",
            "repeat_interval": "1h",
        },
        "receivers": [
            {
                "name": "sark",
                "webhook_configs": [
                    {"url": webhook, "send_resolved": True, "http_config": {"authorization": authorization}},
                ],
            }
        ],
    }
