"""How soon a breach is answered, on the local cluster: a real fault, the real operator, real sidecars, a real Prometheus."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sark_api.duration import format_duration
from sark_api.spec import ErrorRate
from sark_api.status import Phase, Revert, Verdict
from sark_cli.rollout import Rollout
from sark_e2e.admin_port import AdminPortError, first_fault_at
from sark_e2e.applied_rollout import AppliedRollout, ExpectationError, is_reverted
from sark_e2e.cluster import LocalCluster
from sark_e2e.example import steps
from sark_e2e.fleet import Fleet
from sark_e2e.kubectl import KubectlError
from sark_e2e.progress import Report
from sark_e2e.scenario import Scenario

from .failure import BenchError
from .legs import Instants
from .sightings import BreachSighting, ZeroSighting

_CRITERION: Final = "errorRate"
_RISE_SECONDS: Final = 120.0
_REVERT_SECONDS: Final = 120.0
_CONFIRM_SECONDS: Final = 30.0


@dataclass(frozen=True)
class Circumstances:
    """What the reaction time depends on; printed with it."""

    repetitions: int
    replicas: int = 3
    requests_per_second: float = 200.0
    percent: int = 50
    """Share of the new arm when the fault comes."""
    error_percent: float = 20.0
    """Share of the new arm's requests that the fault hurts."""
    scrape_seconds: float = 1.0
    interval_seconds: int = 2
    """How often the operator looks."""
    window_seconds: int = 10
    """Of the error rate."""
    limit_basis_points: int = 100
    min_samples: int = 50


def measure_reaction(circumstances: Circumstances, report: Report) -> list[Instants]:
    """Return the instants of every repetition, each with a fleet, an operator and a rollout of its own. Raises BenchError."""
    with LocalCluster("bench", scrape_seconds=circumstances.scrape_seconds, report=report) as cluster:
        found = []
        for number in range(1, circumstances.repetitions + 1):
            report(f"reaction, repetition {number} of {circumstances.repetitions}")
            try:
                found.append(_repetition(cluster, circumstances))
            except (ExpectationError, AdminPortError, KubectlError, TimeoutError) as error:
                raise BenchError(str(error)) from error
        return found


def _repetition(cluster: LocalCluster, circumstances: Circumstances) -> Instants:
    with Scenario(cluster, prefix="bench") as scenario:
        fleet = scenario.fleet(replicas=circumstances.replicas)
        scenario.operator()
        scenario.traffic(fleet, rate=circumstances.requests_per_second)
        rollout = scenario.apply("bench", fleet, _edits(circumstances))
        _settle(rollout, circumstances)
        window = timedelta(seconds=circumstances.window_seconds)
        settings = ErrorRate(limit_basis_points=circumstances.limit_basis_points, min_samples=circumstances.min_samples)
        with (
            BreachSighting(cluster.prometheus.url, rollout.key, settings, window) as breach,
            ZeroSighting(cluster.control_plane, fleet.namespace, fleet.config_map) as zero,
        ):
            injected = time.time()
            fleet.inject(error_percent=circumstances.error_percent)
            first_bad = _first_bad(fleet)
            visible = breach.at(seconds=_REVERT_SECONDS)
            written = zero.at(seconds=_REVERT_SECONDS)
        revert = _revert(rollout)
        reports = scenario.serves(fleet, 0, seconds=_CONFIRM_SECONDS)
        restored = max(report.since for report in reports.values())
        return Instants(injected, first_bad, visible, revert.decided_at.timestamp(), written, restored.timestamp())


def _edits(circumstances: Circumstances) -> dict[str, object]:
    """Return what differs from the example: a long step, and nothing but the error rate may decide."""
    return {
        "steps": steps([circumstances.percent, 100], bake="1h"),
        "interval": format_duration(timedelta(seconds=circumstances.interval_seconds)),
        "criteria": {
            "window": format_duration(timedelta(seconds=circumstances.window_seconds)),
            "errorRate": {
                "limitBasisPoints": circumstances.limit_basis_points,
                "minSamples": circumstances.min_samples,
            },
            **{name: {"action": "Warn"} for name in ("latencyP95", "fallbackRate", "opaP95", "cacheP95")},
        },
    }


def _settle(rollout: AppliedRollout, circumstances: Circumstances) -> None:
    """Wait until the share is served and proven good, the window holds nothing else, and a random part of a tick has passed."""
    rollout.reaches(circumstances.percent, seconds=_RISE_SECONDS)
    rollout.until(
        f"{_CRITERION} {Verdict.PASS}", lambda seen: _verdict(seen) is Verdict.PASS, seconds=_RISE_SECONDS, unless=is_reverted
    )
    time.sleep(circumstances.window_seconds + random.uniform(0, circumstances.interval_seconds))


def _verdict(rollout: Rollout) -> Verdict | None:
    return next((each.verdict for each in rollout.status.criteria if each.name == _CRITERION), None)


def _first_bad(fleet: Fleet) -> float:
    deadline = time.monotonic() + _CONFIRM_SECONDS
    found: datetime | None = None
    while found is None:
        if time.monotonic() > deadline:
            raise BenchError(f"no request was hurt within {_CONFIRM_SECONDS:.0f} s of switching the fault on")
        time.sleep(0.1)
        found = first_fault_at(fleet)
    return found.timestamp()


def _revert(rollout: AppliedRollout) -> Revert:
    revert = rollout.becomes(Phase.REVERTED, seconds=_REVERT_SECONDS).status.revert
    if revert is None or revert.criterion != _CRITERION:
        raise BenchError(f"{rollout.key} did not go back because of {_CRITERION}: {revert.message if revert else 'no reason'}")
    return revert
