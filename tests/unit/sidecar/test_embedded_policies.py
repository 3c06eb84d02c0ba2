"""The follower of the policies' source: whatever the source does, what serves goes on serving."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest
import structlog
from sark_engine import Engine, EngineError

from sark_sidecar.policies.compilation import CompiledPolicies, compile_sources
from sark_sidecar.policies.embedded import EmbeddedPolicies, first_policies
from sark_sidecar.policies.sources import PolicySourceError, policy_sources
from sark_sidecar.telemetry import Telemetry


class Metrics:
    """The registry's interface, kept in memory."""

    def __init__(self) -> None:
        self.gauges: dict[str, float] = {}
        self.counters: Counter[str] = Counter()

    def set_gauge(self, name: str, help: str, value: float) -> None:  # noqa: A002, ARG002 - the registry's signature
        self.gauges[name] = value

    def inc_counter(self, name: str, help: str, amount: int = 1) -> None:  # noqa: A002, ARG002 - the registry's signature
        self.counters[name] += amount


class Source:
    """Has what it is given, an error included."""

    def __init__(self, *has: CompiledPolicies | Exception) -> None:
        self._has = list(has)
        self.told: list[CompiledPolicies] = []
        """What it was told to serve."""

    async def stored(self) -> CompiledPolicies | None:
        return None

    async def load(self) -> CompiledPolicies | None:
        found = self._has.pop(0)
        if isinstance(found, Exception):
            raise found
        return found

    async def serves(self, compiled: CompiledPolicies) -> None:
        self.told.append(compiled)

    async def pause(self, *, failed: bool) -> None:
        pass

    def status(self) -> Mapping[str, Any]:
        return {}


def compiled(answer: str, package: str = "p") -> CompiledPolicies:
    text = f"package {package}\n\nx := {answer}\n"
    return compile_sources(policy_sources({"p.rego": text.encode()}), max_memory_bytes=1 << 30)


@pytest.mark.asyncio
async def test_an_error_that_nobody_foresaw_leaves_the_old_set_serving_and_is_told_with_its_stack():
    # Given a set that serves, and a source that breaks its reader twice
    first, other = compiled("1"), compiled("2")
    fault, metrics = RuntimeError("bug"), Metrics()
    policies = EmbeddedPolicies(Source(fault, fault, other), first)
    engine, telemetry = Engine(first.policies), Telemetry(metrics)
    with structlog.testing.capture_logs() as logs:
        await policies.look(engine, telemetry)
        await policies.look(engine, telemetry)
    # Then it serves on, and that is counted and told once
    assert (policies.policies, engine.evaluate("p/x")) == (first.policies, b"1")
    assert policies.problem == "a fault of the sidecar, see its log: RuntimeError: bug"
    assert metrics.counters["sark_policy_load_failures_total"] == 1
    assert metrics.gauges["sark_policies_stale"] == 1
    assert [(each["log_level"], each["exc_info"]) for each in logs] == [("error", fault)]
    # And the next good set is taken
    await policies.look(engine, telemetry)
    assert (policies.problem, engine.evaluate("p/x")) == ("", b"2")
    assert metrics.gauges["sark_policies_stale"] == 0


@pytest.mark.asyncio
async def test_at_the_start_such_an_error_is_a_reason_to_wait_or_a_sentence():
    problems: list[str] = []
    good = compiled("1")
    assert await first_policies(Source(RuntimeError("bug"), good), waits=True, on_problem=problems.append) is good
    assert problems == ["a fault of the sidecar, see its log: RuntimeError: bug"]
    with pytest.raises(PolicySourceError, match="RuntimeError: bug"):
        await first_policies(Source(RuntimeError("bug")), waits=False, on_problem=problems.append)


@pytest.mark.asyncio
async def test_a_start_tells_the_source_what_serves():
    good = compiled("1")
    source = Source(good)
    await first_policies(source, waits=False, on_problem=lambda _: None)
    assert source.told == [good]


@pytest.mark.asyncio
async def test_a_set_that_the_engine_does_not_take_serves_nowhere(monkeypatch: pytest.MonkeyPatch):
    # Given a set that serves, and an engine that fails to take the next one
    first, other = compiled("1"), compiled("2")
    source = Source(other, other)
    policies, engine, telemetry = EmbeddedPolicies(source, first), Engine(first.policies), Telemetry(Metrics())

    class Full:
        """An engine that takes nothing."""

        def replace_policies(self, _: object) -> None:
            raise EngineError("no")

    # When the source has it
    full: Any = Full()
    await policies.look(full, telemetry)
    # Then nobody takes its revision for the engine's, by which decisions are kept, and the source is not told that it serves
    assert (policies.policies, policies.sources, source.told) == (first.policies, first.sources, [])
    assert policies.problem == "no"
    # And it is tried again
    await policies.look(engine, telemetry)
    assert (policies.policies, source.told, engine.evaluate("p/x")) == (other.policies, [other], b"2")


@pytest.mark.asyncio
async def test_a_set_with_something_where_clients_write_is_refused_later_too():
    # Given a set that leaves `data.users` to clients
    first, taking = compiled("1"), compiled("2", package="users.roles")
    source = Source(taking)
    policies, engine = EmbeddedPolicies(source, first, written=["users"]), Engine(first.policies)
    # When the source has one that does not
    await policies.look(engine, Telemetry(Metrics()))
    # Then that does not serve
    assert "lets clients write" in policies.problem
    assert (policies.policies, source.told) == (first.policies, [])


@pytest.mark.asyncio
async def test_what_clients_wrote_is_served_beside_the_newest_set_of_the_source():
    # Given written documents beside a set
    first, second = compiled("data.users.ann"), compiled("[data.users.ann]")
    policies, engine = EmbeddedPolicies(Source(second), first, written=["users"]), Engine(first.policies)
    await policies.lay_over(engine, {"users": {"ann": 1}})
    assert engine.evaluate("p/x") == b"1"
    # When the source has another set, then they are there still
    await policies.look(engine, Telemetry(Metrics()))
    assert engine.evaluate("p/x") == b"[1]"
    # And what is written after that lies beside the new set, not the first
    await policies.lay_over(engine, {"users": {"ann": 2}})
    assert engine.evaluate("p/x") == b"[2]"
