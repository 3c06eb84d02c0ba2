"""The server while Python's main thread never rests, beside the same processor time burnt by another process."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from dataclasses import asdict
from typing import Final

from sark_e2e.bench.contestants import Contestant
from sark_e2e.bench.decisions import Measurement, measure
from sark_e2e.loopback import LoopbackNetwork
from sark_e2e.process import Process

from .data_plane import DataPlane
from .finding import Finding, at_least
from .over_http import claim, contestant
from .setting import Measured, Setting

ROW: Final = "held GIL"
_CONNECTIONS: Final = 16
_HELD: Final = "held"
_BESIDE: Final = "beside"


def measure_held(setting: Setting) -> Measured:
    """Measure both in rounds. Raises BenchError."""
    found: dict[str, list[Measurement]] = {_HELD: [], _BESIDE: []}
    with LoopbackNetwork() as network:
        for number in range(1, setting.effort.rounds + 1):
            setting.report(f"held GIL, round {number} of {setting.effort.rounds}")
            for key, runs in found.items():
                with _running(setting, network, key) as asked:
                    runs.append(measure(asked, setting.programs.bench, number, _CONNECTIONS, setting.effort.seconds))
    held, beside = (tuple(each.load.per_second for each in found[key]) for key in (_HELD, _BESIDE))
    ratios = tuple(mine / theirs for mine, theirs in zip(held, beside, strict=True))
    findings = [
        Finding(ROW, "decisions/s of those beside another process's load", ratios, "x", at_least(0.9)),
        Finding(ROW, "decisions/s, GIL held", held, "/s"),
        Finding(ROW, "decisions/s, load in another process", beside, "/s"),
    ]
    return Measured(findings, {key: [asdict(each) for each in runs] for key, runs in found.items()})


@contextlib.contextmanager
def _running(setting: Setting, network: LoopbackNetwork, key: str) -> Iterator[Contestant]:
    """Start the server, and what spins: its own main thread or a process beside it."""
    folder, files = setting.folder / "gil", setting.simple
    plane = DataPlane(
        f"engine-{key}",
        policies=files.corpus.policies,
        network=network,
        folder=folder,
        report=setting.report,
        spin=key == _HELD,
    )
    with contextlib.ExitStack() as stack:
        stack.enter_context(plane)
        if key == _BESIDE:
            stack.enter_context(_Spinner(setting))
        yield contestant(
            key,
            key,
            server=plane,
            url=plane.url,
            files=files,
            asked=files.same,
            claim=claim(plane, cached=True),
        )


class _Spinner(Process):
    """Burns one processor with the same bytecode as a server that spins."""

    def __init__(self, setting: Setting) -> None:
        super().__init__(
            "spinner",
            [sys.executable, "-c", "from sark_e2e.bench.engine.data_plane import spin; spin()"],
            log=setting.folder / "gil" / "spinner.log",
            report=setting.report,
        )
