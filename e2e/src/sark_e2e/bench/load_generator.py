"""The program that asks, and the bare responder it is compared with: `sark-bench`, built from engine-rs in release mode."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Final, Literal

from sark_e2e.loopback import LoopbackNetwork
from sark_e2e.probe import accepts
from sark_e2e.process import Process
from sark_e2e.program import ROOT
from sark_e2e.progress import Heartbeat, Report

from .failure import BenchError

_WORKSPACE: Final = ROOT / "engine-rs"
_TARGET: Final = _WORKSPACE / "target"
"""Where the engine's wheel is built too: what both need is built once."""
_BUILD_SECONDS: Final = 900
_SHOWN_LINES: Final = 20


class Floor(Process):
    """A server that reads a question and answers fixed bytes: the least any server on this machine takes.

    `kind` is the command of `sark-bench`: `floor`, or `hyper` for the least that a server on that library takes.
    """

    def __init__(
        self, binary: Path, *, network: LoopbackNetwork, folder: Path, report: Report, kind: Literal["floor", "hyper"] = "floor"
    ) -> None:
        host, port = network.server, network.port()
        self.url = f"http://{host}:{port}"
        super().__init__(
            kind,
            [binary, kind, "--host", host, "--port", str(port)],
            log=folder / f"{kind}.log",
            ready=accepts(host, port),
            report=report,
        )


def build(report: Report) -> Path:
    """Return the path of `sark-bench`, built if its sources have changed. Raises BenchError."""
    cargo = shutil.which("cargo")
    if cargo is None:
        raise BenchError("cargo was not found: the load generator is built with Rust; install it and put cargo on PATH")
    command = [cargo, "build", "--release", "--locked", "--package=sark-bench", f"--target-dir={_TARGET}"]
    with Heartbeat("building the load generator", report=report):
        try:
            done = subprocess.run(command, cwd=_WORKSPACE, capture_output=True, text=True, timeout=_BUILD_SECONDS, check=False)
        except subprocess.TimeoutExpired as error:
            raise BenchError(f"cargo had not built the load generator within {_BUILD_SECONDS} s") from error
    if done.returncode != 0:
        end = "\n".join(done.stderr.splitlines()[-_SHOWN_LINES:])
        raise BenchError(f"cargo could not build the load generator:\n{end}")
    return _TARGET / "release" / "sark-bench"
