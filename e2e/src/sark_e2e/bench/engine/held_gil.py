"""The server while Python's main thread never rests, beside the same processor time burnt by another process."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import asdict
from typing import Final

from sark_e2e.bench.contestants import Contestant
from sark_e2e.bench.decisions import Measurement, measure
from sark_e2e.loopback import LoopbackNetwork

from .data_plane import SPIN_PROCESS, SPIN_THREAD, DataPlane
from .finding import Finding, at_least
from .over_http import claim, contestant
from .setting import Measured, Setting

ROW: Final = "held GIL"
_CONNECTIONS: Final = 16


def measure_held(setting: Setting) -> Measured:
    """Measure both in rounds. Raises BenchError."""
    found: dict[str, list[Measurement]] = {SPIN_THREAD: [], SPIN_PROCESS: []}
    with LoopbackNetwork() as network:
        for number in range(1, setting.effort.rounds + 1):
            setting.report(f"held GIL, round {number} of {setting.effort.rounds}")
            for key, runs in found.items():
                with _running(setting, network, key) as asked:
                    runs.append(measure(asked, setting.programs.bench, number, _CONNECTIONS, setting.effort.seconds))
    held, beside = (tuple(each.load.per_second for each in found[key]) for key in (SPIN_THREAD, SPIN_PROCESS))
    ratios = tuple(mine / theirs for mine, theirs in zip(held, beside, strict=True))
    findings = [
        Finding(ROW, "decisions/s of those beside another process's load", ratios, "x", at_least(0.9)),
        Finding(ROW, "decisions/s, GIL held", held, "/s"),
        Finding(ROW, "decisions/s, load in another process", beside, "/s"),
    ]
    return Measured(findings, {key: [asdict(each) for each in runs] for key, runs in found.items()})


@contextlib.contextmanager
def _running(setting: Setting, network: LoopbackNetwork, spin: str) -> Iterator[Contestant]:
    """Start the server, and who spins beside it."""
    files = setting.simple
    plane = DataPlane(
        f"engine-spin-{spin}",
        policies=files.corpus.policies,
        network=network,
        folder=setting.folder / "gil",
        report=setting.report,
        spin=spin,
    )
    with plane:
        asked = files.same
        yield contestant(spin, spin, server=plane, url=plane.url, files=files, asked=asked, claim=claim(plane, cached=True))
