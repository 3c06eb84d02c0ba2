"""The dashboards' questions, asked of a real Prometheus: a panel that is empty while a rollout runs is a mistake."""

from __future__ import annotations

import json
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import yaml

from .applied_rollout import ExpectationError
from .loopback import LoopbackNetwork
from .probe import http_ok
from .process import Process
from .program import ROOT

FOLDER: Final = ROOT / "manifests" / "grafana"
_OPENER: Final = urllib.request.build_opener(urllib.request.ProxyHandler({}))
_POLL_SECONDS: Final = 0.5


def queries(rollout: str) -> Iterator[tuple[str, str, str]]:
    """Yield dashboard, panel and expression of every panel, as Grafana would ask it about `rollout` (namespace/name)."""
    meant = {"$rollout": rollout, "$__rate_interval": "10s", "$__range": "1m"}
    for path in sorted(FOLDER.glob("*.json")):
        for panel in json.loads(path.read_text(encoding="utf-8"))["panels"]:
            for target in panel["targets"]:
                query = target["expr"]
                for name, value in meant.items():
                    query = query.replace(name, value)
                yield path.stem, panel["title"], query


class DashboardPrometheus(Process):
    """A Prometheus that scrapes these targets (host and port) every second."""

    def __init__(self, binary: Path, *, network: LoopbackNetwork, folder: Path, targets: Sequence[str]) -> None:
        address = f"{network.server}:{network.port()}"
        self.url = f"http://{address}"
        folder.mkdir(parents=True, exist_ok=True)
        job = {"job_name": "all", "static_configs": [{"targets": list(targets)}]}
        configuration = {"global": {"scrape_interval": "1s", "scrape_timeout": "1s"}, "scrape_configs": [job]}
        (folder / "prometheus.yml").write_text(yaml.safe_dump(configuration), encoding="utf-8")
        super().__init__(
            "prometheus-of-dashboards",
            [
                binary,
                f"--config.file={folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address={address}",
            ],
            log=folder / "prometheus.log",
            ready=http_ok(f"{self.url}/-/ready"),
        )

    def has_data(self, what: str, query: str, *, seconds: float) -> None:
        """Wait until a query answers with at least one number. Raises ExpectationError, which names `what`."""
        deadline = time.monotonic() + seconds
        while not (found := self._numbers(query)):
            if time.monotonic() > deadline:
                raise ExpectationError(f"{what} is empty ({found}): {query}")
            time.sleep(_POLL_SECONDS)

    def _numbers(self, query: str) -> list[str]:
        url = f"{self.url}/api/v1/query?{urllib.parse.urlencode({'query': query})}"
        with _OPENER.open(url, timeout=10) as answer:
            result: Any = json.load(answer)["data"]["result"]
        return [each["value"][1] for each in result if each["value"][1] != "NaN"]
