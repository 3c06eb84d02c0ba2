"""A replay: the clock that is moved, the door to the past, and what is told of it."""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from sark_api.names import API_VERSION, ARM_BASELINE, ARM_NEW, KIND
from sark_api.spec import Mode, SarkRolloutSpec
from sark_api.status import Phase, SarkRolloutStatus
from sark_cli import arguments
from sark_cli.commands import backtest
from sark_cli.commands.backtest import _adapted, _span, _step, assumptions, conclusion, gaps, tell, verdict
from sark_cli.failure import CommandError
from sark_cli.replay import past_door
from sark_cli.replay.past_door import PastDoor
from sark_cli.replay.presence import is_remembered
from sark_cli.replay.rehearsal import Journal, Rehearsal, RehearsalClock
from sark_e2e.simulated_target import SimulatedTarget, arm, quick_spec
from sark_operator.core.observation import ArmWindow, CountedWindow, Metrics, Missing
from sark_operator.shell.counting import Grid
from sark_operator.shell.prometheus import INVALID, REFUSED, TIMEOUT, UNREACHABLE, Server

START = datetime(2026, 1, 1, 12, tzinfo=UTC)
SERVER = Server("http://prometheus:9090", 5)


class HealthyUntil:
    """A past in which the new arm began to fail at some moment; the arms get the shares the rehearsal asked for."""

    rehearsal: Rehearsal

    def __init__(self, clock: RehearsalClock, bad_at: datetime) -> None:
        self._clock = clock
        self._bad_at = bad_at
        self._target = SimulatedTarget(spec=quick_spec())

    async def read(self, *_: Any, **__: Any) -> Metrics:
        self._target.now, self._target.status = self._clock.now(), self.rehearsal.status
        errors = 500 if self._clock.now() >= self._bad_at else 0
        self._target.arms = {ARM_NEW: arm(1000, errors), ARM_BASELINE: arm()}
        return self._target.observe().metrics


def rehearsed(bad_at: datetime, end: datetime, retries: int = 0) -> Rehearsal:
    retry = {"limit": retries, "after": "1m"}
    clock, spec = RehearsalClock(START), quick_spec(rollback={"blindFor": "1m", "retry": retry})
    metadata = {"namespace": "shop", "name": "gateway", "uid": "1", "resourceVersion": "1", "generation": 1}
    body = {"apiVersion": API_VERSION, "kind": KIND, "metadata": metadata, "spec": spec.to_wire()}
    past = HealthyUntil(clock, bad_at)
    past.rehearsal = rehearsal = Rehearsal(body, spec, past, clock)
    asyncio.run(rehearsal.run(end, spec.interval, lambda *_: None))
    return rehearsal


def stepwise(
    spec: SarkRolloutSpec, step: timedelta, length: timedelta, *, scraped: int | None = None, replicas: int = 1
) -> tuple[Rehearsal, list[datetime]]:
    """Return a rehearsal on a healthy past, and when it looked; `scraped` is how many sidecars were seen then."""
    clock, spec = RehearsalClock(START), _adapted(spec, "http://prometheus:9090", step)
    looked: list[datetime] = []

    class Past(HealthyUntil):
        async def read(self, *arguments: Any, expected: bool = True, **options: Any) -> Metrics:
            looked.append(clock.now())
            found = await super().read(*arguments, **options)
            return replace(found, scraped=scraped if expected else None)

    metadata = {"namespace": "shop", "name": "gateway", "uid": "1", "resourceVersion": "1", "generation": 1}
    past = Past(clock, START + timedelta(days=9))
    past.rehearsal = rehearsal = Rehearsal({"metadata": metadata, "spec": spec.to_wire()}, spec, past, clock, replicas=replicas)
    asyncio.run(rehearsal.run(START + length, step, lambda *_: None))
    return rehearsal, looked


def test_a_healthy_past_completes():
    rehearsal = rehearsed(bad_at=START + timedelta(days=9), end=START + timedelta(hours=1))
    assert rehearsal.status.phase is Phase.COMPLETED
    assert [each.reason for each in rehearsal.journal.records][-1] == "Completed"
    assert (verdict(rehearsal.status), conclusion(rehearsal.status)[:30]) == (0, "It would have completed at 202")


def test_a_past_that_goes_bad_is_reverted_at_once_and_ends_the_replay():
    bad_at = START + timedelta(seconds=3)
    rehearsal = rehearsed(bad_at=bad_at, end=START + timedelta(hours=1))
    assert rehearsal.status.phase is Phase.REVERTED
    assert verdict(rehearsal.status) == 5
    breach = next(each for each in rehearsal.journal.records if each.reason == "CriterionBreached")
    assert breach.time - bad_at < timedelta(seconds=2)
    assert rehearsal.over
    assert rehearsal.journal.evaluations < 20


def test_what_is_told_of_a_replay(piped: Callable[..., str], golden: Callable[[str, str], None]):
    span = (START, START + timedelta(hours=1), timedelta(seconds=2))
    said = (assumptions(Mode.AUTO, None), "")
    good = rehearsed(bad_at=START + timedelta(days=9), end=span[1])
    bad = rehearsed(bad_at=START + timedelta(seconds=40), end=span[1])
    for name, past in (("good", good), ("bad", bad)):
        golden(
            f"backtest-{name}.txt",
            piped(lambda out, past=past: tell("shop/gateway", past.journal, past.status, span, out, remarks=said)),
        )


def test_a_replay_has_the_patience_an_evaluation_has_not():
    asked = quick_spec(prometheus={"address": "http://prometheus:9090", "timeout": "2s"})
    adapted = _adapted(asked, "http://past:9090", timedelta(minutes=1))
    assert (adapted.prometheus.address, adapted.prometheus.timeout) == ("http://past:9090", timedelta(seconds=60))


class BadFor:
    """A past in which the new arm failed for some minutes, told in metric windows and in counting windows."""

    rehearsal: Rehearsal

    def __init__(self, clock: RehearsalClock, spec: SarkRolloutSpec, bad_at: datetime, bad_for: timedelta) -> None:
        self._clock, self._spec = clock, spec
        self._target = SimulatedTarget(spec=spec)
        self._bad = bad_at, bad_at + bad_for

    async def read(self, *_: Any, counted_until: datetime | None = None, **__: Any) -> Metrics:
        now = self._target.now = self._clock.now()
        self._target.status = self.rehearsal.status
        self._target.arms = self._arms(now - self._spec.criteria.window, now)
        grid = Grid.after(counted_until, now, self._spec.criteria.counting())
        ends = (
            [grid.start + number * grid.window for number in range((grid.end - grid.start) // grid.window + 1)] if grid else []
        )
        windows = tuple(CountedWindow(end - grid.window, end, self._arms(end - grid.window, end)) for end in ends if grid)
        return replace(self._target.observe().metrics, windows=windows)

    def _arms(self, start: datetime, end: datetime) -> dict[str, ArmWindow]:
        bad = max(timedelta(0), min(end, self._bad[1]) - max(start, self._bad[0])) / (end - start)
        return {ARM_NEW: arm(1000, 1000 * bad), ARM_BASELINE: arm()}


def long_spec() -> SarkRolloutSpec:
    """A plan of weeks."""
    members = quick_spec().to_wire() | {"schedule": "Seed", "interval": "15s", "criteria": {"sampleRatio": {"action": "Warn"}}}
    return SarkRolloutSpec.model_validate({name: value for name, value in members.items() if name != "steps"})


def step_for(length: timedelta, asked: str | None = None) -> timedelta:
    return _step(argparse.Namespace(step=arguments.seconds(asked) if asked else None), long_spec(), length)


def test_ten_bad_minutes_in_weeks_are_not_stepped_over():
    # Given ten minutes of errors in six weeks
    step, bad_at = step_for(timedelta(days=43)), START + timedelta(hours=2, minutes=5)
    clock = RehearsalClock(START)
    spec = _adapted(long_spec(), "http://prometheus:9090", step)
    past = BadFor(clock, spec, bad_at, timedelta(minutes=10))
    metadata = {"namespace": "shop", "name": "gateway", "uid": "1", "resourceVersion": "1", "generation": 1}
    past.rehearsal = rehearsal = Rehearsal({"metadata": metadata, "spec": spec.to_wire()}, spec, past, clock)

    # When the hours around them are replayed
    asyncio.run(rehearsal.run(START + timedelta(hours=4), step, lambda *_: None))

    # Then it goes back, as the operator would have
    assert rehearsal.status.revert is not None
    assert rehearsal.status.revert.reason == "CriterionBreached"
    assert timedelta(0) < rehearsal.status.revert.decided_at - bad_at <= step + timedelta(minutes=10)


def test_steps_are_never_longer_than_what_is_judged_of_them_unless_asked():
    assert step_for(timedelta(hours=1)) == timedelta(seconds=15)
    assert step_for(timedelta(days=10)) == timedelta(minutes=7, seconds=12)
    assert step_for(timedelta(days=43)) == step_for(timedelta(days=500)) == timedelta(minutes=16)
    assert step_for(timedelta(days=43), "1h") == timedelta(hours=1)
    with pytest.raises(CommandError, match=r"too many \(at most 50,000\): give --step .*, or a shorter span"):
        step_for(timedelta(days=2000))


def span_of(start: str, end: str) -> tuple[datetime, datetime]:
    options = argparse.Namespace(start=arguments.instant(start), end=arguments.instant(end))
    return _span(options, START)


def test_what_is_to_come_is_not_replayed():
    assert span_of("2026-01-01", "2026-01-01T12:00:00Z") == (START - timedelta(hours=12), START)
    for start, end, said in (
        ("2026-01-01", "2026-01-01T12:00:01Z", r"--end must not be later than now \(2026-01-01 12:00:00Z\)"),
        ("2026-02-01", "2026-02-02", "--end must not be later than now"),
        ("2026-01-01", "2026-01-01", "--end must be later than --start"),
    ):
        with pytest.raises(CommandError, match=said) as refused:
            span_of(start, end)
        assert refused.value.code == 2


@pytest.mark.parametrize(
    ("answer", "remembered"), [([], False), ([{"metric": {}, "values": [[0, "3"]]}], True), (Missing(REFUSED, "no"), None)]
)
def test_a_span_is_looked_through_from_end_to_end(answer: Any, remembered: bool | None):
    # Given a span that no whole number of parts fills
    asked: list[tuple[datetime, datetime, int, str]] = []

    class Asked:
        async def over(self, _: Server, query: str, start: datetime, end: datetime, step: int, **__: Any) -> Any:
            asked.append((start, end, step, query))
            return answer

    end = START + timedelta(days=43, seconds=7)
    found = asyncio.run(is_remembered(Asked(), SERVER, "shop/gateway", START, end))

    # Then the parts reach from before its start to its end, without a gap
    first, last, step, query = asked[0]
    assert (last, query) == (end, f'count(last_over_time(sark_flag_revision{{sark_rollout="shop/gateway"}}[{step}s]))')
    assert (last - first) % timedelta(seconds=step) == timedelta(0)
    assert first - timedelta(seconds=step) < START <= first
    assert (last - first).total_seconds() / step <= 1000
    assert found is remembered if remembered is not None else isinstance(found, Missing)


def test_a_window_of_the_week_between_two_evaluations_is_not_stepped_over():
    # Given steps that begin within five minutes of the day only, and evaluations a quarter of an hour apart
    members = {"windows": [{"days": ["Thu"], "start": "12:05", "end": "12:10", "timeZone": "UTC"}], "interval": "10m"}
    rehearsal, _ = stepwise(quick_spec(**members, validFor="1h"), timedelta(minutes=16), timedelta(hours=1))

    # Then the first begins when the window opens
    assert rehearsal.journal.records[0].reason == "Started"
    assert rehearsal.journal.records[0].time == START + timedelta(minutes=5)


def test_evaluations_are_on_the_grid_but_for_deadlines():
    # Given a step whose least time ends between two evaluations
    steps = [{"percent": 5, "bake": "15s", "hold": "25m"}, {"percent": 100, "bake": "15s"}]
    rehearsal, asked_at = stepwise(quick_spec(steps=steps), timedelta(minutes=16), timedelta(hours=2))

    # Then it goes on at that moment, and the grid stays what it is
    advanced = next(each.time for each in rehearsal.journal.records if each.reason == "Advanced")
    assert advanced == START + timedelta(minutes=25)
    assert {START + number * timedelta(minutes=16) for number in range(3)} <= set(asked_at)
    assert all(at == at.replace(microsecond=0) for at in asked_at)


def test_a_fleet_that_was_scraped_in_part_proves_nothing_where_its_size_is_known():
    step, length = timedelta(seconds=2), timedelta(minutes=3)
    whole, _ = stepwise(quick_spec(), step, length, scraped=3, replicas=3)
    part, _ = stepwise(quick_spec(), step, length, scraped=2, replicas=3)
    unknown, _ = stepwise(quick_spec(), step, length, scraped=2)
    assert [each.status.phase for each in (whole, unknown)] == [Phase.COMPLETED] * 2
    assert part.status.phase is not Phase.COMPLETED
    assert any("fresh samples of 2 of 3 ready sidecars" in each.message for each in part.journal.waits)


def test_what_is_assumed_is_said():
    assert "all there were are scraped (--replicas N looks whether they were)" in assumptions(Mode.AUTO, None)
    assert "scraped" not in assumptions(Mode.AUTO, 3)
    assert assumptions(Mode.PAUSED, 3).endswith("served then. spec.mode is Auto (it is Paused in the file).")


def test_what_is_not_judged_of_the_time_is_said():
    spec = long_spec()
    assert gaps(spec, timedelta(minutes=5)) == ""
    assert gaps(spec, timedelta(minutes=16)).startswith("Judged: all of the time by the criteria that count windows; by the")
    said = gaps(spec, timedelta(minutes=32))
    assert said.startswith("Judged: the 16m before each evaluation, 50% of the time.")


def test_people_and_programs_are_told_of_it(piped: Callable[..., str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    # Given a replay in steps longer than what is judged of them
    async def replayed(*_: Any, **__: Any) -> argparse.Namespace:
        return argparse.Namespace(journal=Journal(), status=SarkRolloutStatus())

    monkeypatch.setattr(backtest, "_replay", replayed)
    file = tmp_path / "rollout.yaml"
    body = {"apiVersion": API_VERSION, "kind": KIND, "metadata": {"name": "gateway"}, "spec": long_spec().to_wire()}
    file.write_text(yaml.safe_dump(body), encoding="utf-8")
    span = ("--start", "2026-01-01", "--end", "2026-02-01", "--step", "32m")
    options = arguments.parse(["backtest", str(file), "--prometheus", "http://prometheus:9090", *span])

    # Then both forms of what it prints say so
    assert "\nJudged: the 16m before each evaluation" in piped(lambda out: backtest.run(options, out))
    assert json.loads(piped(lambda out: backtest.run(options, out), "json"))["judgedPercent"] == 50


def test_a_retry_is_replayed_too():
    rehearsal = rehearsed(bad_at=START + timedelta(seconds=3), end=START + timedelta(minutes=5), retries=1)
    reasons = [each.reason for each in rehearsal.journal.records]
    assert reasons.count("CriterionBreached") + reasons.count("Started") >= 2
    assert "Retried" in reasons
    assert rehearsal.status.retries == 1


def test_the_waits_fill_the_time_without_a_gap():
    waits = rehearsed(bad_at=START + timedelta(days=9), end=START + timedelta(hours=1)).journal.waits
    assert waits[0].since == START
    assert all(one.until == other.since for one, other in pairwise(waits))


class Counting:
    """A Prometheus that answers a range with the time itself, and counts how often it was asked."""

    def __init__(self, refuses: str = "", missing: Missing | None = None) -> None:
        self.asked: list[tuple[str, ...]] = []
        self._refuses = refuses
        self._missing = missing

    async def instant(self, _: Server, query: str, at: datetime | None = None) -> Any:
        assert at is not None
        self.asked.append(("instant", query))
        return Missing(REFUSED, "bad query") if query == self._refuses else [{"metric": {}, "value": [at.timestamp(), "1"]}]

    async def over(self, _: Server, query: str, start: datetime, end: datetime, step: int) -> Any:
        self.asked.append(("range", query))
        if self._missing or query == self._refuses:
            return self._missing or Missing(REFUSED, "bad query")
        times = range(int(start.timestamp()), int(end.timestamp()) + 1, step)
        return [{"metric": {"a": "b"}, "values": [[at, str(at)] for at in times]}]

    def close(self) -> None:
        """Nothing to close."""


class Strained(Counting):
    """A Prometheus to which a range of more than some points is too much."""

    def __init__(self, most: int, reason: str = REFUSED) -> None:
        super().__init__()
        self._most, self._reason = most, reason

    async def over(self, server: Server, query: str, start: datetime, end: datetime, step: int) -> Any:
        answer = await super().over(server, query, start, end, step)
        points = (end - start) // timedelta(seconds=step) + 1
        return Missing(self._reason, "too many samples") if points > self._most else answer


def past(prometheus: Any, clock: RehearsalClock, step: int = 15) -> PastDoor:
    return PastDoor(prometheus, clock, end=START + timedelta(hours=1), step=step)


async def _instants(door: PastDoor, clock: RehearsalClock, count: int, step: int = 15) -> list[Any]:
    found = []
    for number in range(count):
        clock.move_to(START + timedelta(seconds=step * number))
        found.append(await door.instant(SERVER, "up"))
    return found


def test_instants_are_cut_out_of_few_ranges():
    prometheus, clock = Counting(), RehearsalClock(START)
    answers = asyncio.run(_instants(past(prometheus, clock), clock, 240))
    times = [int(answer[0]["value"][1]) for answer in answers]
    assert times == [int(START.timestamp()) + 15 * number for number in range(240)]
    assert answers[0][0]["metric"] == {"a": "b"}
    assert len(prometheus.asked) <= 3


def test_a_range_never_shows_what_came_after_the_replays_present():
    prometheus, clock = Counting(), RehearsalClock(START)
    door = past(prometheus, clock)

    async def ask() -> list[Any]:
        found = []
        for number in range(100):
            clock.move_to(START + timedelta(seconds=15 * number))
            found.append(await door.over(SERVER, "memory", clock.now() - timedelta(hours=1), clock.now(), 60))
        return found

    for number, answer in enumerate(asyncio.run(ask())):
        points = [point[0] for point in answer[0]["values"]]
        now = int(START.timestamp()) + 15 * number
        assert points[0] == now - 3600
        assert points[-1] == now
        assert len(points) == 61
    assert len(prometheus.asked) == 4  # one for each phase of 15 s in 60 s


def test_a_query_that_has_no_range_is_asked_one_by_one():
    clock = RehearsalClock(START)
    refusing = Counting(refuses="up")
    answers = asyncio.run(_instants(past(refusing, clock), clock, 3))
    assert [answer.reason for answer in answers] == [REFUSED] * 3
    assert refusing.asked == [("range", "up"), ("instant", "up"), ("instant", "up"), ("instant", "up")]


def test_an_outage_of_now_is_noted():
    clock = RehearsalClock(START)
    door = past(Counting(missing=Missing(UNREACHABLE, "Prometheus cannot be reached")), clock)
    asyncio.run(_instants(door, clock, 2))
    assert door.failure == "Prometheus cannot be reached"


class Moody(Counting):
    """A Prometheus that answers but for the questions with these numbers, and as long as those of more than some points."""

    def __init__(self, reason: str, *silent: int, most: int = 1_000_000) -> None:
        super().__init__()
        self._reason, self._silent, self._most = reason, silent, most

    async def instant(self, server: Server, query: str, at: datetime | None = None) -> Any:
        answer = await super().instant(server, query, at)
        return Missing(self._reason, "no answer") if len(self.asked) in self._silent else answer

    async def over(self, server: Server, query: str, start: datetime, end: datetime, step: int) -> Any:
        answer = await super().over(server, query, start, end, step)
        late = len(self.asked) in self._silent or (end - start) // timedelta(seconds=step) + 1 > self._most
        return Missing(self._reason, "no answer") if late else answer


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> int:
    """How often a question is asked again, without the pauses."""
    monkeypatch.setattr(past_door, "PAUSES", (0.0,) * len(past_door.PAUSES))
    return len(past_door.PAUSES)


@pytest.mark.parametrize("reason", [TIMEOUT, UNREACHABLE])
def test_a_server_that_once_does_not_answer_is_asked_again(pauses: int, reason: str):
    # Given a Prometheus that has answered the first range, and is silent at the second as often as it is borne
    prometheus, clock = Moody(reason, *range(2, 2 + pauses)), RehearsalClock(START)
    door = past(prometheus, clock)
    # When the replay goes on, then it has all answers
    answers = asyncio.run(_instants(door, clock, 240))
    assert [answer[0]["value"][0] for answer in answers] == [int(START.timestamp()) + 15 * number for number in range(240)]
    assert door.failure == ""


def test_a_server_that_goes_on_not_answering_ends_the_replay_with_how_often_it_was_asked(pauses: int):
    prometheus, clock = Moody(TIMEOUT, *range(2, 99)), RehearsalClock(START)
    door = past(prometheus, clock)
    asyncio.run(_instants(door, clock, 122))
    assert door.failure == f"no answer, asked {pauses + 1} times"
    assert len(prometheus.asked) == 1 + pauses + 1


def test_an_instant_that_is_asked_alone_is_asked_again(pauses: int):
    prometheus, clock = Moody(TIMEOUT, 3), RehearsalClock(START)
    door = past(prometheus, clock)
    asyncio.run(_instants(door, clock, 2))

    async def between() -> Any:
        clock.move_to(START + timedelta(seconds=22))
        return [await door.instant(SERVER, "up"), await door.instant(SERVER, "up")]

    answers = asyncio.run(between())
    assert [answer[0]["value"][0] for answer in answers] == [(START + timedelta(seconds=22)).timestamp()] * 2
    assert (prometheus.asked.count(("instant", "up")), door.failure) == (3, "")


def test_a_server_that_has_never_answered_is_not_waited_for(pauses: int):
    prometheus, clock = Moody(UNREACHABLE, *range(99)), RehearsalClock(START)
    door = past(prometheus, clock)
    asyncio.run(_instants(door, clock, 1))
    assert (len(prometheus.asked), door.failure) == (1, "no answer")


def test_a_range_that_is_late_is_asked_for_in_shorter_ones_from_then_on(pauses: int):
    # Given a server that is late with more than half of what the replay asks for at once
    prometheus, clock = Moody(TIMEOUT, most=past_door.CHUNK // 2 + 1), RehearsalClock(START)
    door = past(prometheus, clock)
    # When much is replayed, then it is late once
    answers = asyncio.run(_instants(door, clock, 240))
    assert len(answers) == 240
    assert door.failure == ""
    assert len(prometheus.asked) <= 1 + 240 // (past_door.CHUNK // 2)


async def _ranges(door: PastDoor, clock: RehearsalClock, count: int) -> list[Any]:
    found = []
    for number in range(count):
        clock.move_to(START + timedelta(seconds=15 * number))
        found.append(await door.over(SERVER, "memory", clock.now() - timedelta(hours=1), clock.now(), 60))
    return found


@pytest.mark.parametrize("reason", [REFUSED, INVALID])
def test_a_range_that_only_the_replay_made_too_long_is_asked_for_as_it_was(reason: str):
    # Given a server that answers the operator's own range, and no longer one
    prometheus, clock = Strained(61, reason), RehearsalClock(START)
    door = past(prometheus, clock)

    # When the replay asks, then it is answered, and the longer one is tried once
    answers = asyncio.run(_ranges(door, clock, 4))
    assert [len(answer[0]["values"]) for answer in answers] == [61] * 4
    assert len(prometheus.asked) == 5
    assert door.failure == ""


@pytest.mark.parametrize("reason", [REFUSED, INVALID])
def test_a_range_that_is_refused_as_it_was_ends_the_replay(reason: str):
    clock = RehearsalClock(START)
    door = past(Strained(60, reason), clock)
    assert isinstance(asyncio.run(_ranges(door, clock, 1))[0], Missing)
    assert door.failure == "too many samples"


def test_an_instant_that_is_too_much_over_a_range_is_asked_one_by_one():
    prometheus, clock = Strained(60, INVALID), RehearsalClock(START)
    door = past(prometheus, clock)
    answers = asyncio.run(_instants(door, clock, 3))
    assert [answer[0]["value"][0] for answer in answers] == [(START + timedelta(seconds=15 * n)).timestamp() for n in range(3)]
    assert (prometheus.asked.count(("range", "up")), door.failure) == (1, "")


def test_between_two_evaluations_an_instant_is_asked_alone():
    # Given a replay that has looked twice
    prometheus, clock = Counting(), RehearsalClock(START)
    door = past(prometheus, clock)
    asyncio.run(_instants(door, clock, 2))

    # When it looks between two evaluations, and goes on
    async def ask() -> list[Any]:
        found = []
        for seconds in (20, 30):
            clock.move_to(START + timedelta(seconds=seconds))
            found.append(await door.instant(SERVER, "up"))
            found.append(await door.over(SERVER, "memory", clock.now() - timedelta(hours=1), clock.now(), 60))
        return found

    answers = asyncio.run(ask())

    # Then each answer is of its moment, and the range goes on to be used
    assert [int(each[0]["value"][0] - START.timestamp()) for each in answers[::2]] == [20, 30]
    assert [int(each[0]["values"][-1][0] - START.timestamp()) for each in answers[1::2]] == [20, 30]
    assert prometheus.asked == [("range", "up"), ("instant", "up"), ("range", "memory"), ("range", "memory")]
