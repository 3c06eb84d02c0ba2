"""Decisions over HTTP: a cached hit, and both policies uncached, beside the bare responder and OPA."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Literal

from sark_api.names import ARM_NEW
from sark_e2e.bench.cache_use import CacheClaim
from sark_e2e.bench.contestants import FLOOR, Contestant
from sark_e2e.bench.decisions import WARM_UP_SECONDS, Measurement, claim_kept, measure
from sark_e2e.bench.load import Load, run_load
from sark_e2e.bench.load_generator import Floor
from sark_e2e.loopback import LoopbackNetwork
from sark_e2e.opa import OpaServer
from sark_e2e.process import Process

from .corpus import Asked, Corpus, Files
from .data_plane import DataPlane
from .finding import Finding, Limit, at_least, at_most
from .setting import Measured, Setting

HIT: Final = "hit"
SIMPLE: Final = "simple"
COMPLEX: Final = "complex"
PACED: Final = "open loop"
_HYPER: Final = "hyper"
_OPA_SIMPLE: Final = "opa_simple"
_OPA_COMPLEX: Final = "opa_complex"
_NEEDS: Final = {
    HIT: (FLOOR, _HYPER, HIT),
    SIMPLE: (FLOOR, SIMPLE, _OPA_SIMPLE),
    COMPLEX: (FLOOR, COMPLEX, _OPA_COMPLEX),
    PACED: (FLOOR, HIT, SIMPLE, COMPLEX),
}
_CONNECTIONS: Final = 16
_PACED_CONNECTIONS: Final = 32
_PACED_RATE: Final = 5_000.0


def measure_closed(setting: Setting, rows: Collection[str]) -> Measured:
    """Measure decisions a second and processor time of `rows`, in rounds over everybody they need. Raises BenchError."""
    found: list[Measurement] = []
    with _running(setting) as contestants:
        needed = _needed(contestants, rows)
        for number in range(1, setting.effort.rounds + 1):
            setting.report(f"over HTTP, round {number} of {setting.effort.rounds}")
            found += [measure(each, setting.programs.bench, number, _CONNECTIONS, setting.effort.seconds) for each in needed]
    return Measured(_closed_findings(_Rounds(found), rows), [asdict(each) for each in found])


def measure_paced(setting: Setting) -> Measured:
    """Measure latencies at a fixed rate, in rounds over everybody. Raises BenchError."""
    found: list[PacedMeasurement] = []
    with _running(setting) as contestants:
        needed = _needed(contestants, [PACED])
        for number in range(1, setting.effort.rounds + 1):
            setting.report(f"open loop, round {number} of {setting.effort.rounds}")
            found += [_paced(setting, each, number) for each in needed]
    return Measured(_paced_findings(found), [asdict(each) for each in found])


@dataclass(frozen=True)
class PacedMeasurement:
    """One contestant at the fixed rate, once."""

    key: str
    round: int
    load: Load


def _paced(setting: Setting, contestant: Contestant, number: int) -> PacedMeasurement:
    def load(seconds: float) -> Load:
        return run_load(
            setting.programs.bench,
            url=contestant.url,
            bodies=contestant.bodies,
            answers=contestant.answers,
            connections=_PACED_CONNECTIONS,
            seconds=seconds,
            per_second=_PACED_RATE,
            awake_seconds=setting.effort.awake_seconds,
        )

    load(WARM_UP_SECONDS)
    with claim_kept(contestant):
        return PacedMeasurement(contestant.key, number, load(setting.effort.seconds))


def _needed(contestants: Sequence[Contestant], rows: Collection[str]) -> list[Contestant]:
    keys = {key for row in rows for key in _NEEDS[row]}
    return [each for each in contestants if each.key in keys]


@contextlib.contextmanager
def _running(setting: Setting) -> Iterator[list[Contestant]]:
    """Start every server, and end them all afterwards."""
    with contextlib.ExitStack() as stack:
        network = stack.enter_context(LoopbackNetwork())
        folder, report = setting.folder / "http", setting.report

        def plane(files: Files) -> DataPlane:
            name = f"engine-{files.corpus.name}"
            return stack.enter_context(
                DataPlane(name, policies=files.corpus.policies, network=network, folder=folder, report=report)
            )

        def opa(files: Files) -> OpaServer:
            return stack.enter_context(opa_server(setting, files.corpus, network, folder))

        def bare(kind: Literal["floor", "hyper"]) -> Floor:
            return stack.enter_context(Floor(setting.programs.bench, network=network, folder=folder, report=report, kind=kind))

        floor, hyper = bare("floor"), bare("hyper")
        simple, complicated = plane(setting.simple), plane(setting.complex)
        yield [
            Contestant(FLOOR, "bare responder", f"{floor.url}/v1/data", setting.simple.same.bodies, (floor,)),
            Contestant(_HYPER, "bare responder on hyper", f"{hyper.url}/v1/data", setting.simple.same.bodies, (hyper,)),
            _ours(HIT, "cached hit", simple, setting.simple, cached=True),
            _ours(SIMPLE, "simple, every question new", simple, setting.simple, cached=False),
            _ours(COMPLEX, "complex, every question new", complicated, setting.complex, cached=False),
            _theirs(_OPA_SIMPLE, "OPA, simple", opa(setting.simple), setting.simple),
            _theirs(_OPA_COMPLEX, "OPA, complex", opa(setting.complex), setting.complex),
        ]


def opa_server(setting: Setting, corpus: Corpus, network: LoopbackNetwork, folder: Path) -> OpaServer:
    """Return an OPA, not started, with the policies of `corpus`."""
    return OpaServer(
        setting.programs.opa,
        network=network,
        folder=folder / f"opa-{corpus.name}",
        policies=corpus.policies,
        report=setting.report,
    )


def _ours(key: str, title: str, plane: DataPlane, files: Files, *, cached: bool) -> Contestant:
    asked = files.same if cached else files.distinct
    return contestant(key, title, server=plane, url=plane.url, files=files, asked=asked, claim=claim(plane, cached=cached))


def _theirs(key: str, title: str, opa: OpaServer, files: Files) -> Contestant:
    return contestant(key, title, server=opa, url=opa.url, files=files, asked=files.distinct)


def contestant(
    key: str, title: str, *, server: Process, url: str, files: Files, asked: Asked, claim: CacheClaim | None = None
) -> Contestant:
    """Return who is asked `asked` about the policy of `files`."""
    return Contestant(key, title, f"{url}/v1/data/{files.corpus.path}", asked.bodies, (server,), claim, asked.answers)


def claim(plane: DataPlane, *, cached: bool) -> CacheClaim:
    """Return the claim that every question is answered from the engine's cache, or none."""
    return CacheClaim(plane.metrics_url, ARM_NEW, cached)


class _Rounds:
    """Measurements, compared within their rounds."""

    def __init__(self, measurements: Sequence[Measurement]) -> None:
        self._by_key: dict[str, list[Measurement]] = {}
        for each in measurements:
            self._by_key.setdefault(each.key, []).append(each)

    def rates(self, key: str) -> tuple[float, ...]:
        return tuple(each.load.per_second for each in self._by_key[key])

    def faster(self, key: str, than: str) -> tuple[float, ...]:
        """Return decisions a second as multiples of another's."""
        return self._ratios(key, than, lambda each: each.load.per_second)

    def cheaper(self, key: str, than: str) -> tuple[float, ...]:
        """Return how often the processor time of one decision goes into another's."""
        return self._ratios(than, key, lambda each: each.cpu_us)

    def cpu(self, key: str) -> tuple[float, ...]:
        return tuple(each.cpu_us for each in self._by_key[key])

    def _ratios(self, one: str, other: str, figure: Callable[[Measurement], float]) -> tuple[float, ...]:
        pairs = zip(self._by_key[one], self._by_key[other], strict=True)
        return tuple(figure(mine) / figure(theirs) for mine, theirs in pairs)


def _closed_findings(rounds: _Rounds, rows: Collection[str]) -> list[Finding]:
    found: list[Finding] = []

    def add(row: str, what: str, figures: tuple[float, ...], unit: str, limit: Limit | None = None) -> None:
        found.append(Finding(row, what, figures, unit, limit))

    def absolute(row: str, *keys: str) -> None:
        for key in keys:
            add(row, f"{_NAMES[key]}: decisions a second", rounds.rates(key), "/s")
            add(row, f"{_NAMES[key]}: CPU of a decision", rounds.cpu(key), "us")

    if HIT in rows:
        add(HIT, "decisions/s of the bare responder's", rounds.faster(HIT, FLOOR), "x", at_least(0.95))
        add(HIT, "CPU of a decision of the bare responder's", rounds.cheaper(FLOOR, HIT), "x", at_most(1.15))
        absolute(HIT, FLOOR, _HYPER, HIT)
    if SIMPLE in rows:
        add(SIMPLE, "decisions/s of the bare responder's", rounds.faster(SIMPLE, FLOOR), "x", at_least(0.65))
        add(SIMPLE, "decisions/s of OPA's", rounds.faster(SIMPLE, _OPA_SIMPLE), "x", at_least(3.5))
        add(SIMPLE, "OPA's CPU of a decision by ours", rounds.cheaper(SIMPLE, _OPA_SIMPLE), "x", at_least(6))
        absolute(SIMPLE, SIMPLE, _OPA_SIMPLE)
    if COMPLEX in rows:
        add(COMPLEX, "decisions/s of OPA's", rounds.faster(COMPLEX, _OPA_COMPLEX), "x", at_least(5))
        add(COMPLEX, "OPA's CPU of a decision by ours", rounds.cheaper(COMPLEX, _OPA_COMPLEX), "x", at_least(8))
        absolute(COMPLEX, COMPLEX, _OPA_COMPLEX)
    return found


_NAMES: Final = {
    FLOOR: "bare responder",
    _HYPER: "bare responder on hyper",
    HIT: "engine",
    SIMPLE: "engine",
    COMPLEX: "engine",
    _OPA_SIMPLE: "OPA",
    _OPA_COMPLEX: "OPA",
}
_P95_LIMITS: Final = {HIT: 100.0, SIMPLE: 150.0, COMPLEX: 300.0}


def _paced_findings(measurements: Sequence[PacedMeasurement]) -> list[Finding]:
    loads: dict[str, list[Load]] = {}
    for each in measurements:
        loads.setdefault(each.key, []).append(each.load)
    floor = loads[FLOOR]
    found = [Finding(PACED, "bare responder: p99", tuple(load.p99_us for load in floor), "us")]
    for key, limit in _P95_LIMITS.items():
        own = loads[key]
        ratios = tuple(mine.p99_us / theirs.p99_us for mine, theirs in zip(own, floor, strict=True))
        found += [
            Finding(PACED, f"{key}: p95", tuple(load.p95_us for load in own), "us", at_most(limit)),
            Finding(PACED, f"{key}: p99 of the bare responder's", ratios, "x", at_most(3)),
        ]
    return found
