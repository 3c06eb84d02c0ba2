"""A Prometheus that speaks TLS only and asks who one is, by its own web configuration; it scrapes nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import yaml

from .certificates import Authority
from .loopback import LoopbackNetwork
from .probe import accepts
from .process import Process
from .progress import Report, silent

USER: Final = "sark"
PASSWORD: Final = "test"  # noqa: S105 - a server that lives for one test
_HASH: Final = "$2b$04$abcdefghijklmnopqrstuuoD8yw7MmybLKVooaTGGZAt3HXugv2.a"
"""bcrypt of "test" at the least cost: Prometheus reckons it anew for each question."""


class GuardedPrometheus(Process):
    """A server at an https address, whose certificate `authority` signed."""

    def __init__(self, binary: Path, *, network: LoopbackNetwork, folder: Path, report: Report = silent) -> None:
        host, port = network.server, network.port()
        self.url = f"https://{host}:{port}"
        self.authority = Authority(folder / "certificates")
        certificate, key = self.authority.server("prometheus", [host], ["localhost"])
        configuration, web = folder / "prometheus.yml", folder / "web.yml"
        configuration.write_text("global: {}\n", encoding="utf-8")
        tls = {"cert_file": str(certificate), "key_file": str(key)}
        web.write_text(yaml.safe_dump({"tls_server_config": tls, "basic_auth_users": {USER: _HASH}}), encoding="utf-8")
        super().__init__(
            "guarded-prometheus",
            [
                binary,
                f"--config.file={configuration}",
                f"--web.config.file={web}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address={host}:{port}",
            ],
            log=folder / "prometheus.log",
            ready=accepts(host, port),
            report=report,
        )
