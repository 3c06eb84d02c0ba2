"""A Prometheus with one target that speaks for all simulated sidecars."""

from __future__ import annotations

from pathlib import Path

import yaml

from sark_e2e.loopback import LoopbackNetwork
from sark_e2e.probe import http_ok
from sark_e2e.process import Process
from sark_e2e.progress import Report


class OneTargetPrometheus(Process):
    """Scrapes `target` (host and port) every `scrape_seconds` and keeps the labels it shows."""

    def __init__(
        self,
        binary: Path,
        *,
        network: LoopbackNetwork,
        folder: Path,
        target: tuple[str, int],
        scrape_seconds: int,
        report: Report,
    ) -> None:
        address = f"{network.server}:{network.port()}"
        self.url = f"http://{address}"
        folder.mkdir(parents=True, exist_ok=True)
        host, port = target
        job = {"job_name": "sidecars", "honor_labels": True, "static_configs": [{"targets": [f"{host}:{port}"]}]}
        interval = f"{scrape_seconds}s"
        times = {"scrape_interval": interval, "scrape_timeout": interval}
        text = yaml.safe_dump({"global": times, "scrape_configs": [job]})
        (folder / "prometheus.yml").write_text(text, encoding="utf-8")
        super().__init__(
            "prometheus",
            [
                binary,
                f"--config.file={folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address={address}",
            ],
            log=folder / "prometheus.log",
            ready=http_ok(f"{self.url}/-/ready"),
            report=report,
        )
