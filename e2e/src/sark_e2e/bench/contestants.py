"""Who is measured: the floor, both arms with and without their caches, and OPA by itself."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sark_api.names import ARM_BASELINE, ARM_NEW
from sark_e2e.cluster import POLICIES
from sark_e2e.loopback import LoopbackNetwork
from sark_e2e.opa import OpaServer
from sark_e2e.process import Process
from sark_e2e.progress import Report
from sark_e2e.redis import RedisServer
from sark_e2e.sidecar import Sidecar, SidecarInputs
from sark_e2e.traffic.mix import PATH

from . import questions
from .cache_use import CacheClaim
from .load_generator import Floor

FLOOR: Final = "floor"
_STATIC: Final = {"mode": "static"}
_CACHE: Final = {"ttl": "5m"}
"""Longer than a measurement, so that the same question is asked of OPA once."""


@dataclass(frozen=True)
class Contestant:
    """One row: a server, what it is asked, and whose processor time its decisions take."""

    key: str
    title: str
    url: str
    bodies: Path
    servers: tuple[Process, ...]
    claim: CacheClaim | None = None
    answers: Path | None = None
    """The right answers to `bodies`, line by line; None takes any decision."""


@dataclass(frozen=True)
class Programs:
    """Paths of the programs needed."""

    bench: Path
    opa: Path
    redis: Path


@contextlib.contextmanager
def running(programs: Programs, folder: Path, report: Report) -> Iterator[Sequence[Contestant]]:
    """Start every server, and end them all afterwards."""
    with contextlib.ExitStack() as stack:
        network = stack.enter_context(LoopbackNetwork())
        floor = stack.enter_context(Floor(programs.bench, network=network, folder=folder, report=report))
        opa = stack.enter_context(
            OpaServer(programs.opa, network=network, folder=folder / "opa", policies=POLICIES, report=report)
        )
        redis = stack.enter_context(RedisServer(programs.redis, network=network, folder=folder / "redis", report=report))
        arms = [
            Sidecar(
                f"sidecar-{arm}",
                address=network.pod(),
                inputs=_inputs(arm, opa=opa, redis=redis, folder=folder),
                folder=folder / arm,
                report=report,
            )
            for arm in (ARM_NEW, ARM_BASELINE)
        ]
        for sidecar in arms:
            stack.enter_context(sidecar)
        yield _contestants(floor, opa, redis, arms, questions.write(folder))


@contextlib.contextmanager
def one_sidecar(programs: Programs, folder: Path, report: Report) -> Iterator[Sidecar]:
    """Start OPA and Redis for a sidecar of the new arm, which the caller starts; end them all afterwards."""
    with contextlib.ExitStack() as stack:
        network = stack.enter_context(LoopbackNetwork())
        opa = stack.enter_context(OpaServer(programs.opa, network=network, folder=folder / "opa", policies=POLICIES))
        redis = stack.enter_context(RedisServer(programs.redis, network=network, folder=folder / "redis"))
        inputs = _inputs(ARM_NEW, opa=opa, redis=redis, folder=folder)
        sidecar = Sidecar("sidecar", address=network.pod(), inputs=inputs, folder=folder / "sidecar", report=report)
        stack.callback(sidecar.stop)
        yield sidecar


def _inputs(arm: str, *, opa: OpaServer, redis: RedisServer, folder: Path) -> SidecarInputs:
    """Return settings that put all subjects into one arm by the sidecar's own configuration: no cluster is needed."""
    new = arm == ARM_NEW
    overrides: dict[str, dict[str, Any]] = {
        "flags": dict(_STATIC),
        "feature_flags": {"rust_opa_enabled": new, "rust_cache_enabled": new, "rollout_percentage": 100 if new else 0},
        "cache": dict(_CACHE),
        "fault_injection": {"enabled": False},
    }
    return SidecarInputs(
        policies=POLICIES,
        opa_url=opa.url,
        redis_url=redis.url,
        namespace="bench",
        config_map="bench",
        kubeconfig=folder / "none.kubeconfig",
        overrides=overrides,
    )


def _contestants(
    floor: Floor, opa: OpaServer, redis: RedisServer, sidecars: Sequence[Sidecar], bodies: tuple[Path, Path]
) -> list[Contestant]:
    same, distinct = bodies
    rust, baseline = sidecars
    of_baseline: tuple[Process, ...] = (baseline, opa, redis)

    def claim(sidecar: Sidecar, arm: str, *, cached: bool) -> CacheClaim:
        return CacheClaim(f"{sidecar.admin_url}/metrics", arm, cached)

    return [
        Contestant(FLOOR, "bare responder", floor.url + PATH, same, (floor,)),
        Contestant("rust_cached", "rust arm, cached", rust.data_url + PATH, same, (rust,), claim(rust, ARM_NEW, cached=True)),
        Contestant(
            "rust_uncached",
            "rust arm, every question new",
            rust.data_url + PATH,
            distinct,
            (rust,),
            claim(rust, ARM_NEW, cached=False),
        ),
        Contestant(
            "baseline_cached",
            "baseline, Redis has it",
            baseline.data_url + PATH,
            same,
            of_baseline,
            claim(baseline, ARM_BASELINE, cached=True),
        ),
        Contestant(
            "baseline_uncached",
            "baseline, every question new",
            baseline.data_url + PATH,
            distinct,
            of_baseline,
            claim(baseline, ARM_BASELINE, cached=False),
        ),
        Contestant("opa", "OPA alone, every question new", opa.url + PATH, distinct, (opa,)),
    ]
