"""The engine behind its HTTP data plane and nothing else: `python -m sark_e2e.bench.engine.data_plane`.

All subjects are in the rust arm, so that what is measured is the engine's own server; the sidecar's share is measured by
`make bench`. Metrics are served beside it, for the hits and misses.
"""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final

from sark_engine import Engine, Policies, Server

from sark_e2e.loopback import LoopbackNetwork
from sark_e2e.probe import http_ok
from sark_e2e.process import Process
from sark_e2e.progress import Report

SPIN_THREAD: Final = "thread"
"""The server's main thread spins, and holds the GIL."""
SPIN_PROCESS: Final = "process"
"""Another process spins."""
_MODULE: Final = "sark_e2e.bench.engine.data_plane"
_TTL_SECONDS: Final = 600.0
"""Longer than a measurement, so that what is cached stays so."""


class DataPlane(Process):
    """The program below as a child."""

    def __init__(
        self,
        name: str,
        *,
        policies: Path,
        network: LoopbackNetwork,
        folder: Path,
        report: Report,
        spin: str = "",
    ) -> None:
        host, port, metrics_port = network.server, network.port(), network.port()
        self.url = f"http://{host}:{port}"
        self.metrics_url = f"http://{host}:{metrics_port}/metrics"
        options = {"--policies": policies, "--host": host, "--port": port, "--metrics-port": metrics_port, "--spin": spin}
        arguments = [str(part) for option in options.items() if option[1] for part in option]
        super().__init__(
            name,
            [sys.executable, "-m", _MODULE, *arguments],
            log=folder / f"{name}.log",
            ready=http_ok(self.metrics_url),
            report=report,
        )


def load(folder: Path) -> Policies:
    """Return the policies of a folder: its Rego files, and data.json as the root document."""
    modules = [(str(path.relative_to(folder)), path.read_text(encoding="utf-8")) for path in sorted(folder.rglob("*.rego"))]
    data = folder / "data.json"
    return Policies(modules, data.read_bytes() if data.exists() else b"{}")


def serve(options: argparse.Namespace) -> None:
    """Serve until the process is ended."""
    server = Server(Engine(load(options.policies), cache_ttl_seconds=_TTL_SECONDS), host=options.host, port=options.port)
    server.set_flags(rollout="bench/engine", revision=1, percentage=100, salt="bench", rust_opa=True, rust_cache=True)
    server.start()
    metrics = ThreadingHTTPServer((options.host, options.metrics_port), _handler(server))
    threading.Thread(target=metrics.serve_forever, daemon=True).start()
    if options.spin == SPIN_THREAD:
        spin()
    if options.spin == SPIN_PROCESS:
        # A child of the same session: schedulers that share processors out by session give both ways of spinning the same.
        subprocess.Popen([sys.executable, "-c", f"from {_MODULE} import spin; spin()"])
    signal.pause()


def spin() -> None:
    """Run Python bytecode for ever: this thread gives the GIL up only when another asks for it."""
    number = 0
    while True:
        number = (number + 1) & 0xFFFF


def _handler(server: Server) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            """Answer the metrics, whatever is asked."""
            text = server.metrics()
            self.send_response(200)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class calls it so
            """Say nothing."""

    return Handler


def main() -> None:
    """Read the options and serve."""
    parser = argparse.ArgumentParser(prog=f"python -m {_MODULE}", description=__doc__)
    parser.add_argument("--policies", type=Path, required=True, help="folder with Rego files and a data.json")
    parser.add_argument("--host", required=True, help="IP address of both ports")
    parser.add_argument("--port", type=int, required=True, help="of the decisions")
    parser.add_argument("--metrics-port", type=int, required=True, help="of the metrics")
    parser.add_argument("--spin", choices=(SPIN_THREAD, SPIN_PROCESS), help="who runs Python bytecode all the time, if anybody")
    serve(parser.parse_args())


if __name__ == "__main__":
    main()
