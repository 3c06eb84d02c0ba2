"""throughput and cpu, which only warn unless made more."""

from __future__ import annotations

from datetime import timedelta
from math import nan

import pytest

from sark_api.names import ARM_BASELINE, ARM_NEW
from sark_api.spec import Cpu, Throughput
from sark_api.status import Verdict
from sark_e2e.simulated_target import SimulatedTarget, quick_spec
from sark_operator.core.observation import ArmWindow, DataPlane, Missing
from sark_operator.core.verdicts.cpu import judge_cpu
from sark_operator.core.verdicts.throughput import judge_throughput

WINDOW = timedelta(seconds=10)


@pytest.mark.parametrize(
    ("new", "baseline", "verdict", "sentence"),
    [
        (750, 14_250, Verdict.PASS, "throughput 1,500.0 req/s >= 1,500.0 req/s over 10s"),
        (0, 14_999, Verdict.BREACH, "throughput 1,499.9 req/s < 1,500.0 req/s over 10s"),
        (0, 0, Verdict.BREACH, "throughput 0.0 req/s < 1,500.0 req/s over 10s"),
        (nan, 1, Verdict.UNKNOWN, "throughput Unknown: Prometheus counted nan requests in 10s: not a count"),
    ],
)
def test_throughput_counts_both_arms(new: float, baseline: float, verdict: Verdict, sentence: str) -> None:
    status = judge_throughput(Throughput(), WINDOW, {ARM_NEW: ArmWindow(new), ARM_BASELINE: ArmWindow(baseline)})

    assert (status.verdict, status.message, status.action) == (verdict, sentence, "Warn")


@pytest.mark.parametrize(
    ("cpu", "verdict", "sentence"),
    [
        (
            {"gw-0": 0.2, "gw-1": 0.9},
            Verdict.PASS,
            "cpu 90.0% <= 90.0% of 1,000 millicores over 10s: pod gw-1, the busiest of 2 pods",
        ),
        ({"gw-0": 1.5}, Verdict.BREACH, "cpu 150.0% > 90.0% of 1,000 millicores over 10s: pod gw-0, the busiest of 1 pod"),
        ({"gw-0": nan}, Verdict.UNKNOWN, "cpu Unknown: no sidecar has told its CPU time in 10s"),
        ({}, Verdict.UNKNOWN, "cpu Unknown: no sidecar has told its CPU time in 10s"),
        (Missing("X", "late"), Verdict.UNKNOWN, "cpu Unknown: late"),
    ],
)
def test_cpu_is_that_of_the_busiest_sidecar(cpu: dict[str, float] | Missing, verdict: Verdict, sentence: str) -> None:
    status = judge_cpu(Cpu(), WINDOW, cpu)

    assert (status.verdict, status.message) == (verdict, sentence)


def test_both_only_warn(baking: SimulatedTarget) -> None:
    baking.plane = DataPlane(0, baking.plane.evaluations, baking.plane.lookups, {"gw-0": 7.0})

    baking.run_to(50)

    verdicts = {criterion.name: criterion.verdict for criterion in baking.status.criteria}
    assert (verdicts["throughput"], verdicts["cpu"]) == (Verdict.BREACH, Verdict.BREACH)
    assert baking.status.summary.verdict == "Pass"


def test_either_can_be_made_to_revert() -> None:
    criteria = {"window": "10s", "memoryGrowth": {"window": "30s"}, "cpu": {"action": "Revert", "millicores": 500}}
    target = SimulatedTarget(quick_spec(criteria=criteria))
    target.run_to(5)
    target.plane = DataPlane(0, target.plane.evaluations, target.plane.lookups, {"gw-0": 0.46})
    decision = target.tick(1)

    assert decision.status.revert is not None
    assert decision.status.revert.criterion == "cpu"


def test_a_limit_of_nothing_turns_throughput_off() -> None:
    criteria = {"window": "10s", "memoryGrowth": {"window": "30s"}, "throughput": {"minRequestsPerSecond": 0}}
    target = SimulatedTarget(quick_spec(criteria=criteria))
    target.run_to(5)

    assert "throughput" not in {criterion.name for criterion in target.status.criteria}
