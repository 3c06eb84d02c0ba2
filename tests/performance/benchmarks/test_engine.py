"""One policy evaluation: OPA over HTTP by the ways Python has, and the engine in process and behind the sidecar."""

from __future__ import annotations

import pytest
from sark_engine import Engine, Policies

from sark_e2e.performance import bodies, callers
from sark_e2e.performance.stand import RUST, Stand
from sark_e2e.performance.statistics import of_times
from sark_e2e.performance.suite import Recording, Suite

from .conftest import FAST_ROUNDS, ROUNDS, WARM_UP, Timed

POLICIES = ("simple", "complex")
CALLERS = {"python": callers.with_aiohttp, "python-httpx": callers.with_httpx, "python-raw": callers.raw}
AT_ONCE = (10, 100, 1000)
STORM = 4_000


@pytest.mark.parametrize("arm", CALLERS)
@pytest.mark.parametrize("policy", POLICIES)
def test_opa_over_http(stand: Stand, timed: Timed, policy: str, arm: str):
    asked = stand.asked[policy]
    questions, answers = bodies.fresh(asked, ROUNDS + WARM_UP)
    with CALLERS[arm](f"{stand.opa.url}/v1/data/{asked.path}") as ask:
        bodies.check(ask, questions[:500], answers[:500])
        timed(f"engine-{policy}", arm, ask, questions)


@pytest.mark.parametrize("policy", POLICIES)
def test_engine_in_process(stand: Stand, timed: Timed, policy: str):
    asked = stand.asked[policy]
    questions, answers = bodies.fresh(asked, FAST_ROUNDS + WARM_UP)
    given, right = bodies.inputs(questions), bodies.results(answers)
    engine = Engine(Policies.from_paths([stand.policies]))
    bodies.check(lambda one: engine.evaluate(asked.path, one), given[:500], right[:500])
    timed(f"engine-{policy}", "rust", lambda one: engine.evaluate(asked.path, one), given)


@pytest.mark.parametrize("policy", POLICIES)
def test_engine_behind_the_sidecar(stand: Stand, timed: Timed, policy: str):
    """The same socket that asks OPA, so that what is left between the two is the server."""
    asked = stand.asked[policy]
    checked, answers = bodies.fresh(asked, 500)
    questions, _ = bodies.fresh(asked, ROUNDS + WARM_UP)
    with callers.raw(stand.url(RUST, asked.path)) as ask:
        bodies.check(ask, checked, answers)
        timed(f"engine-{policy}", "rust-sidecar", ask, questions)


@pytest.mark.parametrize("count", AT_ONCE)
def test_opa_asked_at_once(suite: Suite, stand: Stand, count: int):
    asked = stand.asked["complex"]
    questions, _ = bodies.fresh(asked, max(STORM, 4 * count))
    recording = Recording(suite, "benchmarks", f"engine-at-once-{count}", "python", "asyncio", 0)
    times, wall = callers.tasks_at_once(f"{stand.opa.url}/v1/data/{asked.path}", questions, count)
    recording.keep(of_times(times, wall_seconds=wall))


@pytest.mark.parametrize("count", AT_ONCE)
def test_engine_asked_by_threads(suite: Suite, stand: Stand, count: int):
    asked = stand.asked["complex"]
    questions, _ = bodies.fresh(asked, max(5 * STORM, 20 * count))
    engine = Engine(Policies.from_paths([stand.policies]))
    given = bodies.inputs(questions)
    recording = Recording(suite, "benchmarks", f"engine-at-once-{count}", "rust", "threads", 0)
    times, wall = callers.threads_at_once(lambda one: engine.evaluate(asked.path, one) or b"", given, count)
    recording.keep(of_times(times, wall_seconds=wall))
