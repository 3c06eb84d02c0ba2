"""A request is judged: what counts as a mismatch, what is unknown, and what must not be compared at all."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from sark_sidecar.shadow import judgement
from sark_sidecar.shadow.comparison import Kind
from sark_sidecar.shadow.documents import UNDEFINED
from sark_sidecar.shadow.judgement import Judge, Match, Mismatch, Policies, Skip, Skipped, Suspicion, Unknown
from sark_sidecar.shadow.sides import Decided, Undecided


@dataclass(frozen=True)
class Request:
    """An answered request; by default OPA allowed it."""

    path: str = "authz/decision"
    input: bytes | None = b"{}"
    arm: str = "python"
    decider: str = "opa"
    fallback: str = ""
    status: int = 200
    body: bytes = b'{"result":{"allow":true}}'
    result: str = "allow"
    revision: str = "r1"


OF_THE_ENGINE = Request(arm="rust", decider="engine")


@dataclass
class FakeSide:
    """Gives its answers in turn, the last one for ever."""

    answers: list[Any] = field(default_factory=lambda: [{"allow": True}])
    asked: int = 0
    on_ask: Callable[[], None] = lambda: None

    async def decide(self, path: str, given: bytes | None) -> Decided | Undecided:  # noqa: ARG002 - a Side
        self.asked += 1
        self.on_ask()
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return answer if isinstance(answer, Undecided) else Decided(answer)


@dataclass
class World:
    """Two sides and what is known of their policies."""

    engine: FakeSide = field(default_factory=FakeSide)
    opa: FakeSide = field(default_factory=FakeSide)
    engine_revision: str = "r1"
    opa_revision: str = "r1"
    on_look: Callable[[], None] = lambda: None

    def judge(self) -> Judge:
        def look_again() -> asyncio.Future[None]:
            self.on_look()
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            future.set_result(None)
            return future

        policies = Policies(
            engine=lambda: self.engine_revision,
            opa=lambda: self.opa_revision,
            is_deterministic=lambda path: path != "clock",
            look_again=look_again,
        )
        return Judge(self.engine, self.opa, policies)

    def settle(self, request: Request) -> object:
        """Judge, and confirm what is suspected."""

        async def run() -> object:
            judged = await self.judge().judge(request)
            return await self.judge().confirm(judged) if isinstance(judged, Suspicion) else judged

        return asyncio.run(run())


def test_the_side_that_did_not_answer_is_asked_and_only_that_one():
    world = World()
    assert world.settle(Request()) == Match(defined=True)
    assert (world.engine.asked, world.opa.asked) == (1, 0)
    assert world.settle(OF_THE_ENGINE) == Match(defined=True)
    assert (world.engine.asked, world.opa.asked) == (1, 1)


def test_both_are_asked_when_the_answer_may_come_from_the_cache_they_share():
    world = World()
    assert world.settle(Request(arm="rust", decider="either")) == Match(defined=True)
    assert (world.engine.asked, world.opa.asked) == (1, 1)


def test_no_value_on_both_sides_is_a_match_and_on_one_a_mismatch():
    world = World(engine=FakeSide([UNDEFINED]))
    assert world.settle(Request(body=b"{}", result="undefined")) == Match(defined=False)
    world.opa = FakeSide([{"allow": True}])
    found = world.settle(Request())
    assert isinstance(found, Mismatch)
    assert found.difference.kind is Kind.UNDEFINED


@pytest.mark.parametrize("request_", [Request(), OF_THE_ENGINE, Request(arm="rust", decider="either")])
def test_a_difference_under_the_same_policies_is_a_mismatch(request_: Request):
    world = World(engine=FakeSide([{"allow": False}]), opa=FakeSide([{"allow": False, "reason": "late"}]))
    found = world.settle(request_)
    assert isinstance(found, Mismatch)
    assert found.difference.kind is (Kind.ALLOW if request_.decider == "engine" else Kind.REASON)
    assert found.revision == "r1"


def test_a_kept_decision_of_the_baseline_that_opa_would_not_make_any_more_is_stale():
    # Given a decision from Redis that is older than what OPA and the engine both say now
    world = World(engine=FakeSide([{"allow": False}]), opa=FakeSide([{"allow": False}]))
    assert world.settle(Request()) == Skipped(Skip.STALE)
    # When OPA says again what the request was told, it is a mismatch
    world.opa = FakeSide([{"allow": True}])
    assert isinstance(world.settle(Request()), Mismatch)


def test_the_engines_own_answer_is_not_excused_by_asking_it_again():
    # Given a cache in process that were wrong: the engine itself would agree with OPA
    world = World(engine=FakeSide([{"allow": False}]), opa=FakeSide([{"allow": False}]))
    assert isinstance(world.settle(OF_THE_ENGINE), Mismatch)


@pytest.mark.parametrize("revision", ["", "r2"])
def test_different_or_unknown_policies_are_not_compared(revision: str):
    world = World(opa_revision=revision)
    assert world.settle(Request()) == Skipped(Skip.REVISION)
    assert (world.engine.asked, world.opa.asked) == (0, 0)


def test_policies_that_changed_since_the_answer_are_not_compared():
    assert World().settle(replace(OF_THE_ENGINE, revision="r0")) == Skipped(Skip.CHANGED)
    assert World().settle(replace(OF_THE_ENGINE, revision="")) == Skipped(Skip.CHANGED)


def test_policies_replaced_while_the_other_side_is_asked_are_not_compared():
    world = World()
    world.engine.on_ask = lambda: setattr(world, "engine_revision", "r2")
    assert world.settle(Request()) == Skipped(Skip.CHANGED)


def test_policies_of_opa_that_the_next_look_finds_changed_were_the_difference():
    world = World(engine=FakeSide([{"allow": False}]))
    world.on_look = lambda: setattr(world, "opa_revision", "r2")
    assert world.settle(Request()) == Skipped(Skip.CHANGED)


def test_a_look_that_never_comes_confirms_nothing(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(judgement, "CONFIRMATION_SECONDS", 0.01)

    async def run() -> object:
        never: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        world = World(engine=FakeSide([{"allow": False}]))
        policies = Policies(engine=lambda: "r1", opa=lambda: "r1", is_deterministic=lambda _: True, look_again=lambda: never)
        judge = Judge(world.engine, world.opa, policies)
        suspicion = await judge.judge(Request())
        assert isinstance(suspicion, Suspicion)
        return await judge.confirm(suspicion)

    assert asyncio.run(run()) == Skipped(Skip.REVISION)


def test_a_path_whose_answer_changes_by_itself_is_not_compared():
    world = World()
    assert world.settle(Request(path="clock")) == Skipped(Skip.NONDETERMINISTIC)
    assert world.engine.asked == 0


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (Request(status=500, body=b"{}", result="error"), "opa"),
        (replace(OF_THE_ENGINE, status=503, body=b"{}", result="error"), "engine"),
        (Request(arm="rust", fallback="timeout", result="error"), "engine"),
        (Request(arm="rust", decider="either", result="error"), "engine"),
        (Request(body=b'{"result":'), "opa"),
    ],
)
def test_a_side_that_could_not_decide_is_unknown(request_: Request, expected: str):
    found = World().settle(request_)
    assert isinstance(found, Unknown)
    assert found.side == expected


def test_a_side_that_cannot_decide_now_is_unknown():
    failed = Undecided("timeout", "OPA did not answer within 2 s")
    assert World(opa=FakeSide([failed])).settle(OF_THE_ENGINE) == Unknown("opa", "timeout")
    assert World(engine=FakeSide([failed])).settle(Request()) == Unknown("engine", "timeout")


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (Request(status=400, body=b"{}", result="error"), Skip.REFUSED),
        (Request(arm="rust", fallback="unsupported_parameter", result="error"), Skip.REFUSED),
        (Request(arm="rust", fallback="unsupported_builtin", result="error"), Skip.BASELINE_ONLY),
    ],
)
def test_what_no_arm_was_to_decide_is_skipped(request_: Request, reason: Skip):
    assert World().settle(request_) == Skipped(reason)


def test_a_path_that_stays_on_baseline_is_skipped():
    left = Undecided("unsupported", "reaches http.send", by_design=True)
    assert World(engine=FakeSide([left])).settle(Request()) == Skipped(Skip.BASELINE_ONLY)
