"""The timetable, and that it is the one `decide` follows."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sark_api.names import ARM_BASELINE, ARM_NEW
from sark_api.spec import SarkRolloutSpec
from sark_api.status import Phase
from sark_cli import arguments
from sark_cli.commands import simulate
from sark_cli.forecast.timetable import timetable
from sark_cli.out import Out
from sark_e2e.simulated_target import SimulatedTarget, arm, quick_spec

EXAMPLE = Path(__file__).parents[3] / "examples" / "gateway.yaml"


@pytest.mark.parametrize("traffic", ["200", "20"])
def test_simulate(traffic: str, golden: Callable[[str, str], None]):
    options = arguments.parse(["simulate", str(EXAMPLE), "--traffic", traffic, "--start", "2026-01-01T12:00:00Z"])
    stream = io.StringIO()
    code = simulate.run(options, Out(plain=True, stream=stream))
    assert code == (0 if traffic == "200" else 1)
    golden(f"simulate-{traffic}.txt", stream.getvalue())


def test_the_operator_keeps_the_timetable():
    # Given a healthy target with even traffic
    target = SimulatedTarget(spec=quick_spec())
    start, interval = target.now + target.spec.interval, target.spec.interval
    stages = timetable(target.spec, start, None)

    # When the operator runs
    reached: dict[int, datetime] = {}
    while target.status.phase is not Phase.COMPLETED:
        target.tick(interval.total_seconds())
        if target.status.step is not None:
            reached.setdefault(target.status.step.percent, target.now)
        assert target.now - start < timedelta(hours=1)

    # Then every step begins when it was said to, to two evaluations
    for stage in stages:
        assert abs(reached[stage.step.percent] - stage.begins) <= 2 * interval
    assert stages[-1].ends is not None
    assert abs(target.now - stages[-1].ends) <= 2 * interval


def test_the_operator_goes_back_where_there_are_too_few_requests():
    # Given traffic that gives the new arm fewer requests than its criteria need
    target = SimulatedTarget(spec=quick_spec())
    target.arms = {ARM_NEW: arm(1), ARM_BASELINE: arm()}
    window = target.spec.criteria.window.total_seconds()
    first = target.spec.plan()[0].percent
    start, interval = target.now + target.spec.interval, target.spec.interval
    stages = timetable(target.spec, start, 1 / window / (first / 100))

    # When the operator runs
    while target.status.phase is not Phase.REVERTED:
        target.tick(interval.total_seconds())
        assert target.now - start < timedelta(hours=1)

    # Then it goes back when it was said to
    assert stages[-1].ends is None
    assert stages[-1].reverts is not None
    assert target.status.revert is not None
    assert abs(target.status.revert.decided_at - stages[-1].reverts) <= 3 * interval


SHADOW = {"percent": 0, "bake": "15s", "shadow": {"samplePercent": 10}}


@pytest.mark.parametrize("action", ["Revert", "Warn"])
@pytest.mark.parametrize("before", [[], [SHADOW], [{"percent": 50, "bake": "15s"}]], ids=["none", "shadow", "split"])
@pytest.mark.parametrize("traffic", [None, 1000.0])
def test_the_operator_completes_where_the_timetable_does(before: list[Any], action: str, traffic: float | None):
    # Given a healthy target, and a plan with or without a step that measures the baseline's latency
    criteria = {"window": "10s", "memoryGrowth": {"window": "30s"}, "latencyP95": {"action": action}}
    spec = quick_spec(steps=[*before, {"percent": 100, "bake": "15s"}], criteria=criteria)
    target = SimulatedTarget(spec=spec)
    last = timetable(spec, target.now, traffic)[-1]

    # When the operator runs for longer than both steps take
    for _ in range(120):
        full = target.status.step is not None and target.status.step.percent == 100
        target.arms = {ARM_NEW: arm()} if full else {ARM_NEW: arm(), ARM_BASELINE: arm()}
        target.tick(1)

    # Then it completes where that was promised, and holds at 100% where not
    assert (last.ends is not None) == (target.status.phase is Phase.COMPLETED), target.status.message
    assert (last.ends is None) == ("there is no baseline to compare with" in target.status.message)
    assert last.step.percent == 100


def test_a_plan_without_a_baseline_is_said_not_to_end():
    spec = quick_spec(steps=[SHADOW, {"percent": 100, "bake": "15s"}])
    stages = timetable(spec, datetime(2026, 1, 1, tzinfo=UTC), None)
    assert simulate.ending(spec, stages)[0] == (
        "It stays at 100%: no step before it splits the traffic, so latencyP95 has no baseline to compare with, and is Unknown."
    )
    with_traffic = timetable(spec, datetime(2026, 1, 1, tzinfo=UTC), 1000.0)
    assert ("100%", "latencyP95", "stored", "100", "0", "Unknown") in simulate.samples(with_traffic).rows


@pytest.mark.parametrize("mode", ["Paused", "Rollback"])
def test_no_mode_but_auto_has_a_timetable(mode: str, tmp_path: Path, piped: Callable[..., str]):
    # Given a file of a mode that never advances, as the operator has it
    target = SimulatedTarget(spec=quick_spec(mode=mode))
    for _ in range(120):
        target.tick(1)
    assert target.status.step is None
    file = tmp_path / "rollout.yaml"
    file.write_text(EXAMPLE.read_text(encoding="utf-8") + f"  mode: {mode}\n", encoding="utf-8")
    options = arguments.parse(["simulate", str(file), "--traffic", "200"])

    # Then people and programs are told that it does not come to its end
    codes: list[int] = []
    assert piped(lambda out: codes.append(simulate.run(options, out))).startswith(f"spec.mode is {mode}: no step begins until")
    assert piped(lambda out: codes.append(simulate.run(options, out)), "json") == "[]\n"
    assert codes == [1, 1]


def test_a_shadow_step_needs_comparisons_and_nothing_else():
    spec = quick_spec(steps=None, schedule="Migration", criteria={"window": "5m"}, interval="15s")
    first, second = timetable(spec, datetime(2026, 1, 1, tzinfo=UTC), 10.0)[:2]
    assert [(each.criterion, each.arm, each.needed, each.got) for each in first.needs] == [
        ("decisionMismatch", "compared", 100, 300.0)
    ]
    assert "decisionMismatch" not in {each.criterion for each in second.needs}
    assert timetable(spec, datetime(2026, 1, 1, tzinfo=UTC), 1.0)[0].ends is None


def test_the_end_of_a_preset_is_weeks_away():
    spec = quick_spec().model_copy(update={"steps": None, "schedule": "Seed", "interval": timedelta(seconds=15)})
    stages = timetable(spec, datetime(2026, 1, 1, tzinfo=UTC), None)
    assert stages[-1].ends is not None
    assert stages[-1].ends >= datetime(2026, 1, 1, tzinfo=UTC) + timedelta(weeks=6)


def test_steps_begin_in_windows_only():
    window = {"days": ["Mon"], "start": "09:00", "end": "09:30", "timeZone": "Europe/Berlin"}
    spec = SarkRolloutSpec.model_validate(quick_spec().to_wire() | {"windows": [window]})
    stages = timetable(spec, datetime(2026, 1, 1, tzinfo=UTC), None)
    assert stages[0].begins == datetime(2026, 1, 5, 8, tzinfo=UTC)
    assert all(stage.begins.weekday() == 0 for stage in stages)
