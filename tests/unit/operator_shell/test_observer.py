"""Looking: what is seen at different times is told as of one."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sark_api.spec import Criteria
from sark_e2e.simulated_target import SimulatedTarget, memory
from sark_operator.core import observation
from sark_operator.core.decide import decide
from sark_operator.core.decision import WriteFlags
from sark_operator.core.observation import Filing, MemorySeries, Metrics, Missing, ObservedFlags
from sark_operator.core.verdicts.memory_growth import judge_memory_growth
from sark_operator.shell import pieces
from sark_operator.shell.api import ClusterError, ObjectMissingError, RolloutObject, UnavailableError
from sark_operator.shell.observer import UNASKED, Observer

pytestmark = pytest.mark.asyncio


@dataclass
class Surroundings:
    """Stands for Prometheus, the API server, the sidecars, the directory and the clock."""

    target: SimulatedTarget = field(default_factory=SimulatedTarget)
    seconds: float = 100.0
    hurried: bool = False
    """Whether the sidecars were to be asked soon or not at all."""

    asked: dict[str, object] = field(default_factory=dict)
    """What the metrics were asked with."""

    async def read(self, *_: object, **asked: object) -> Metrics:
        self.asked = asked
        return self.target.observe().metrics

    async def read_flags(self, _namespace: str, _name: str) -> ObservedFlags:
        return ObservedFlags("1", None)

    async def ready_pods(self, *_: object) -> tuple[()]:
        return ()

    async def reports(self, *_: object, hurried: bool) -> tuple[()]:
        self.hurried = hurried
        for _ in range(5):
            await asyncio.sleep(0)  # the others are done by now
        self.seconds += 20
        return ()

    def near(self, _rollout: RolloutObject, _named: str) -> tuple[()]:
        return ()

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC)

    def monotonic(self) -> float:
        return self.seconds


async def test_metrics_age_while_slow_sidecars_are_waited_for() -> None:
    # Given metrics that are a second old when they come, and sidecars that take twenty
    around = Surroundings(SimulatedTarget(metrics_age=timedelta(seconds=1)))
    parts: dict[str, Any] = dict.fromkeys(("cluster", "pods", "sidecars", "metrics", "directory", "clock"), around)
    metadata = {"namespace": "shop", "name": "gateway", "uid": "uid-1"}
    rollout = RolloutObject({"metadata": metadata, "spec": around.target.spec.to_wire()})

    seen = await Observer(**parts, version="1").observe(rollout, around.target.spec, around.target.status)

    # Then what is decided now knows how long ago they were asked for: a step's last window must lie inside it
    assert seen.metrics.age == timedelta(seconds=21)


@pytest.mark.parametrize(("asked", "waited"), [({"mode": "Rollback"}, False), ({}, True)])
async def test_a_user_who_asks_for_the_baseline_waits_for_no_metrics(
    asked: dict[str, str], waited: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a Prometheus that takes long to answer
    monkeypatch.setattr("sark_operator.shell.observer.HURRIED_SECONDS", 0.01)
    around = Surroundings()
    answered = asyncio.Event()

    async def read(*_: object, **__: object) -> Metrics:
        await answered.wait()
        return around.target.observe().metrics

    parts: dict[str, Any] = dict.fromkeys(("cluster", "pods", "sidecars", "directory", "clock"), around)
    metadata = {"namespace": "shop", "name": "gateway", "uid": "uid-1"}
    rollout = RolloutObject({"metadata": metadata, "spec": around.target.spec.to_wire() | asked})
    metrics = type("Slow", (), {"read": staticmethod(read)})()

    # When the rollout is looked at
    observer = Observer(**parts, metrics=metrics, version="1")
    look = asyncio.create_task(observer.observe(rollout, around.target.spec, around.target.status))
    done, _ = await asyncio.wait([look], timeout=0.2)

    # Then what is asked for says whether it waits; and metrics that were not waited for are missing, not good
    assert bool(done) is not waited
    answered.set()
    missing = [isinstance(part, Missing) for part in ((await look).metrics.arms, (await look).metrics.windows)]
    assert missing == [not waited] * 2


@pytest.mark.parametrize(
    ("asked", "share", "hurried"),
    [({"mode": "Rollback"}, 25, True), ({"mode": "Rollback"}, 0, False), ({}, 25, False)],
    ids=["baseline asked for", "baseline written", "nothing asked for"],
)
async def test_the_way_back_does_not_wait_for_silent_sidecars(asked: dict[str, str], share: int, hurried: bool) -> None:
    # Given a rollout, and what its user asks for
    target = SimulatedTarget()
    if share:
        target.run_to(share)
    around = Surroundings(target)
    parts: dict[str, Any] = dict.fromkeys(("cluster", "pods", "sidecars", "metrics", "directory", "clock"), around)
    metadata = {"namespace": "shop", "name": "gateway", "uid": "uid-1"}
    rollout = RolloutObject({"metadata": metadata, "spec": target.spec.to_wire() | asked})

    # When it is looked at, then its sidecars have little time only where a share is to be taken down first
    await Observer(**parts, version="1").observe(rollout, target.spec, target.status)
    assert around.hurried is hurried


@pytest.mark.parametrize("look", [Observer.observe, Observer.glimpse])
async def test_the_way_back_does_not_wait_for_a_long_list_of_pods(look: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given an API server that does not come to the end of a list, and a rollout whose user asks for the baseline
    monkeypatch.setattr("sark_operator.shell.observer.HURRIED_SECONDS", 0.01)
    target = SimulatedTarget()
    target.run_to(25)
    around = Surroundings(target)

    class Endless:
        async def ready_pods(self, *_: object) -> tuple[()]:
            await asyncio.Event().wait()
            return ()

    parts: dict[str, Any] = dict.fromkeys(("cluster", "sidecars", "metrics", "directory", "clock"), around)
    metadata = {"namespace": "shop", "name": "gateway", "uid": "uid-1"}
    rollout = RolloutObject({"metadata": metadata, "spec": target.spec.to_wire() | {"mode": "Rollback"}})

    # When it is looked at, then nobody knows its pods, and the way back is decided all the same
    observer = Observer(**parts, pods=Endless(), version="1")
    seen = await asyncio.wait_for(look(observer, rollout, target.spec, target.status), 10)
    assert isinstance(seen.pods, Missing)
    seen = replace(seen, flags=target.observe().flags)
    decision = decide(rollout.identity(), rollout.spec(), target.status, seen, target.now)
    assert [each.document.percentage for each in decision.actions[:1] if isinstance(each, WriteFlags)] == [0]


async def test_a_glimpse_waits_neither_for_silent_sidecars_nor_for_what_takes_prometheus_long() -> None:
    # Given a rollout that serves 25 %
    target = SimulatedTarget()
    target.run_to(25)
    around = Surroundings(target)
    parts: dict[str, Any] = dict.fromkeys(("cluster", "pods", "sidecars", "metrics", "directory", "clock"), around)
    metadata = {"namespace": "shop", "name": "gateway", "uid": "uid-1"}
    rollout = RolloutObject({"metadata": metadata, "spec": target.spec.to_wire()})
    observer = Observer(**parts, version="1")

    # When it is looked at for what is to be seen at once, then its tripwire stays as the last whole look has left it
    await observer.glimpse(rollout, target.spec, target.status)
    assert around.hurried
    assert around.asked == {"expected": True, "unasked": UNASKED}

    # And the next whole look waits again
    await observer.observe(rollout, target.spec, target.status)
    assert not around.hurried
    assert "unasked" not in around.asked


@pytest.mark.parametrize(
    ("failing", "error", "seen"),
    [
        ("read_flags", UnavailableError("503"), Missing("FlagsUnavailable", "503")),
        ("read_flags", ObjectMissingError("there is none"), Missing("FlagsConfigMapMissing", "there is none")),
        ("ready_pods", UnavailableError("500"), Missing("PodsUnavailable", "500")),
    ],
    ids=["flags that cannot be read", "no flags", "pods that cannot be listed"],
)
async def test_what_cannot_be_asked_for_is_missing_and_not_nothing(failing: str, error: ClusterError, seen: Missing) -> None:
    around = Surroundings()

    async def fails(*_: object) -> None:
        raise error

    setattr(around, failing, fails)
    parts: dict[str, Any] = dict.fromkeys(("cluster", "pods", "sidecars", "metrics", "directory", "clock"), around)
    metadata = {"namespace": "shop", "name": "gateway", "uid": "uid-1"}
    rollout = RolloutObject({"metadata": metadata, "spec": around.target.spec.to_wire()})

    found = await Observer(**parts, version="1").observe(rollout, around.target.spec, around.target.status)

    assert (found.flags if failing == "read_flags" else found.pods) == seen


async def test_it_sees_who_holds_the_target_and_what_is_filed_and_counts_on_from_where_the_status_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Given a rollout whose target another one holds, and which has counted windows
    monkeypatch.setattr("sark_operator.shell.observer.find_rival", lambda *_: "shop/other")
    around = Surroundings()
    parts: dict[str, Any] = dict.fromkeys(("cluster", "pods", "sidecars", "metrics", "directory", "clock"), around)
    metadata = {"namespace": "shop", "name": "gateway", "uid": "uid-1"}
    rollout = RolloutObject({"metadata": metadata, "spec": around.target.spec.to_wire()})
    filing, started_at = Filing(last="0" * 64), around.now()
    status = around.target.status.model_copy(update={"started_at": started_at})
    observer = Observer(**parts, version="1", filing={"uid-1": filing}.get)

    # When it is looked at
    seen = await observer.observe(rollout, around.target.spec, status)

    # Then all of that is seen
    assert (seen.rival, seen.filing) == ("shop/other", filing)
    assert around.asked["counted_until"] == started_at

    counted = status.model_copy(update={"counted_until": started_at + timedelta(minutes=1)})
    await observer.observe(rollout, around.target.spec, counted)
    assert around.asked["counted_until"] == started_at + timedelta(minutes=1)


async def test_the_trends_of_a_large_fleet_keep_nobody_else_from_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a fleet whose trends take many pieces, each as short as can be
    monkeypatch.setattr(pieces, "PIECE_SECONDS", 0.0)
    noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
    fleet, long = (tuple(memory(0, noon, timedelta(hours=hours), f"gw-{number}") for number in range(200)) for hours in (1, 4))
    around = Surroundings()
    spec = around.target.spec.model_copy(update={"criteria": Criteria()})

    async def read(*_: object, **__: object) -> Metrics:
        return replace(around.target.observe().metrics, memory=fleet, sustained_memory=long)

    parts: dict[str, Any] = dict.fromkeys(("cluster", "pods", "sidecars", "directory", "clock"), around)
    rollout = RolloutObject({"metadata": {"namespace": "shop", "name": "gateway", "uid": "uid-1"}, "spec": spec.to_wire()})
    observer = Observer(**parts, metrics=type("Full", (), {"read": staticmethod(read)})(), version="1")

    # When it is looked at, then the loop comes round between them
    look, rounds = asyncio.create_task(observer.observe(rollout, spec, around.target.status)), 0
    while not look.done():
        await asyncio.sleep(0)
        rounds += 1
    assert rounds >= len(fleet) + len(long)

    # And nothing is left to be reckoned when the fleet is judged, nor is anything else said of it
    seen = (await look).metrics
    anew = [tuple(MemorySeries(series.pod, series.points) for series in each) for each in (fleet, long)]
    expected = judge_memory_growth(spec.criteria.memory_growth, *anew)
    monkeypatch.setattr(observation, "theil_sen", None)
    assert judge_memory_growth(spec.criteria.memory_growth, seen.memory, seen.sustained_memory) == expected
