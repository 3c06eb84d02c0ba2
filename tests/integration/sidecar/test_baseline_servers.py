"""The clients of the baseline arm against a real OPA and a real Redis, which are killed, hung and started again."""

from __future__ import annotations

import asyncio
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from sark_e2e import binaries
from sark_e2e.loopback import LoopbackNetwork
from sark_e2e.opa import OpaServer as OpaProcess
from sark_e2e.redis import RedisServer
from sark_sidecar import exact_json
from sark_sidecar.baseline.decisions import RedisDecisions
from sark_sidecar.breaker import BreakerState
from sark_sidecar.guard import Guard
from sark_sidecar.opa.client import OpaFailure, OpaServer
from sark_sidecar.opa.question import Question, parse_question
from sark_sidecar.opa.rule_graph import rule_graph
from sark_sidecar.settings import CacheSettings, OpaSettings

POLICY = """
package probe

allow if input.user == "a"

echo := input

fresh := time.now_ns()

broken := 1 / input.zero

slow := count([x | some x in numbers.range(1, 4000); some y in numbers.range(1, 4000); x == y])
"""


@pytest.fixture(scope="module")
def policies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("policies")
    (folder / "probe.rego").write_text(POLICY, encoding="utf-8")
    (folder / "data.json").write_text('{"big": 12345678901234567890123, "list": [1.10]}', encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def opa_process(network: LoopbackNetwork, folder: Path, policies: Path) -> Iterator[OpaProcess]:
    with OpaProcess(binaries.program("opa"), network=network, folder=folder / "probe-opa", policies=policies) as running:
        yield running


@pytest.fixture
def redis_process(network: LoopbackNetwork, tmp_path: Path) -> Iterator[RedisServer]:
    with RedisServer(binaries.redis_server(), network=network, folder=tmp_path / "redis") as running:
        yield running


@asynccontextmanager
async def opa(process: OpaProcess, patience: str = "2s") -> AsyncIterator[OpaServer]:
    settings = OpaSettings.model_validate({"url": process.url, "timeout": patience})
    async with OpaServer(settings, max_decision_bytes=100_000) as client:
        yield client


class Counts:
    def __init__(self) -> None:
        self.operations: Counter[tuple[str, str]] = Counter()
        self.skipped = 0
        self.opened = 0
        self.states: list[BreakerState] = []

    def observe_cache(self, operation: str, result: str, seconds: float) -> None:
        assert seconds >= 0
        self.operations[operation, result] += 1

    def breaker_state(self, name: str, state: BreakerState) -> None:
        assert name == "redis"
        self.states.append(state)

    def breaker_opened(self, name: str) -> None:
        assert name == "redis"
        self.opened += 1

    def calls_skipped(self, name: str, calls: int) -> None:
        assert name == "redis"
        self.skipped += calls


@asynccontextmanager
async def redis(process: RedisServer, counts: Counts, **settings: object) -> AsyncIterator[RedisDecisions]:
    members = {"redis_url": process.url, "redis_timeout": "200ms", **settings}
    parsed = CacheSettings.model_validate(members)
    async with RedisDecisions(parsed, counts, Guard("redis", parsed.redis_breaker.rule(), counts)) as decisions:
        yield decisions


@pytest.mark.asyncio
async def test_decisions_of_every_kind(opa_process: OpaProcess):
    async with opa(opa_process) as client:
        allowed = await client.decide(parse_question("probe/allow", b'{"input":{"user":"a"}}', ""))
        assert (allowed.status, allowed.body, allowed.outcome, allowed.keep) == (200, b'{"result":true}\n', "allow", True)
        undefined = await client.decide(parse_question("probe/allow", b'{"input":{"user":"b"}}', ""))
        assert (undefined.body, undefined.outcome, undefined.keep) == (b"{}\n", "undefined", False)
        without = await client.decide(parse_question("probe/echo", b"", ""))
        assert without.outcome == "undefined"
        explained = await client.decide(parse_question("probe/allow", b'{"input":{"user":"a"}}', "metrics=true"))
        assert b"timer_rego_query_eval_ns" in explained.body
        assert not explained.keep


@pytest.mark.asyncio
async def test_numbers_come_back_as_they_were_sent(opa_process: OpaProcess):
    async with opa(opa_process) as client:
        echoed = await client.decide(
            parse_question("probe/echo", b'{"input":[12345678901234567890123,0.12345678901234567891]}', "")
        )
        assert echoed.body == b'{"result":[12345678901234567890123,0.12345678901234567891]}\n'
        base = await client.documents([("big",), ("list",), ("absent",)])
        assert exact_json.dumps({path[0]: value for path, value in base}) == b'{"big":12345678901234567890123,"list":[1.10]}'


@pytest.mark.asyncio
async def test_the_real_syntax_trees_are_understood(opa_process: OpaProcess):
    async with opa(opa_process) as client:
        modules = exact_json.loads(await client.modules())["result"]
    assert [each["raw"] for each in modules] == [POLICY]
    graph = rule_graph(each["ast"] for each in modules)
    assert graph.rules == {("probe", name) for name in ("allow", "echo", "fresh", "broken", "slow")}
    assert not graph.is_deterministic(("probe", "fresh"))
    assert graph.is_deterministic(("probe", "allow"))


@pytest.mark.asyncio
async def test_too_slow_and_too_long_answers_are_named_failures(opa_process: OpaProcess):
    async with opa(opa_process, "100ms") as client:
        with pytest.raises(OpaFailure, match=r"did not answer within 0\.1 s") as caught:
            await client.decide(Question("probe/slow", None))
        assert caught.value.kind == "timeout"
    async with opa(opa_process) as client:
        with pytest.raises(OpaFailure) as long:
            await client.decide(Question("probe/echo", b'"' + b"x" * 200_000 + b'"'))
        assert long.value.kind == "evaluation"
        with pytest.raises(OpaFailure) as strict:
            await client.decide(parse_question("probe/broken", b'{"input":{"zero":0}}', "strict-builtin-errors=true"))
        assert strict.value.kind == "evaluation"


@pytest.mark.asyncio
async def test_a_restarted_opa_is_asked_again_over_a_new_connection(opa_process: OpaProcess):
    question = parse_question("probe/allow", b'{"input":{"user":"a"}}', "")
    async with opa(opa_process) as client:
        await asyncio.gather(*(client.decide(question) for _ in range(20)))
        # When it is killed
        await asyncio.to_thread(opa_process.kill)
        with pytest.raises(OpaFailure) as caught:
            await client.decide(question)
        assert caught.value.kind == "connection"
        # Then after its restart the first question is answered, dead connections in the pool or not
        await asyncio.to_thread(opa_process.start)
        assert (await client.decide(question)).outcome == "allow"


@pytest.mark.asyncio
async def test_a_restart_between_two_questions_costs_none(opa_process: OpaProcess):
    question = parse_question("probe/allow", b'{"input":{"user":"a"}}', "")
    async with opa(opa_process) as client:
        await asyncio.gather(*(client.decide(question) for _ in range(20)))
        await asyncio.to_thread(opa_process.kill)
        await asyncio.to_thread(opa_process.start)
        answers = await asyncio.gather(*(client.decide(question) for _ in range(20)))
        assert {answer.outcome for answer in answers} == {"allow"}


@pytest.mark.asyncio
async def test_what_is_kept_is_found_until_it_ends(redis_process: RedisServer):
    counts = Counts()
    async with redis(redis_process, counts) as decisions:
        assert await decisions.get(["a"]) == [None]
        await decisions.set("a", b"true", 0.3)
        await decisions.set("b", b"false", 0.3)
        await decisions.set("c", b"true", 0.0)
        assert await decisions.get(["a", "c", "b"]) == [b"true", None, b"false"]
        await asyncio.sleep(0.35)
        assert await decisions.get(["a", "b"]) == [None, None]
    assert counts.operations == {("get", "miss"): 4, ("get", "hit"): 2, ("set", "ok"): 2}


@pytest.mark.parametrize("fault", [signal.SIGKILL, signal.SIGSTOP])
@pytest.mark.asyncio
async def test_a_redis_that_is_away_or_hangs_is_a_miss_and_costs_little(redis_process: RedisServer, fault: signal.Signals):
    counts = Counts()
    async with redis(redis_process, counts) as decisions:
        await decisions.set("a", b"true", 60)
        await asyncio.to_thread(redis_process.kill) if fault is signal.SIGKILL else redis_process.send(fault)

        # Then gets and sets go on answering, most of them without waiting for it
        began = time.monotonic()
        for _ in range(200):
            assert await decisions.get(["a"]) == [None]
            await decisions.set("a", b"true", 60)
        assert counts.operations["get", "error"] >= 1
        assert counts.skipped >= 390
        assert decisions.problem
        # A few timeouts, not two hundred.
        assert counts.opened == 1
        assert time.monotonic() - began < 10

        # And once it is back it is used again
        await asyncio.to_thread(redis_process.start) if fault is signal.SIGKILL else redis_process.send(signal.SIGCONT)
        async with asyncio.timeout(20):
            while decisions.problem:
                await asyncio.sleep(0.1)
                await decisions.set("a", b"true", 60)
                await decisions.get(["a"])
        assert await decisions.get(["a"]) == [b"true"]
        assert counts.states[-2:] == [BreakerState.HALF_OPEN, BreakerState.CLOSED]


@pytest.mark.asyncio
async def test_a_redis_that_is_full_keeps_nothing_more_and_still_finds(redis_process: RedisServer):
    counts = Counts()
    async with redis(redis_process, counts) as decisions:
        await decisions.set("a", b"true", 60)
        # When there is no room
        await decisions._redis.config_set("maxmemory-policy", "noeviction")
        await decisions._redis.config_set("maxmemory", "1")
        for number in range(20):
            await decisions.set(f"b{number}", b"true", 60)
            assert await decisions.get(["a", f"b{number}"]) == [b"true", None]
        # Then that is told, and no outage
        assert "OOM" in decisions.problem or "OutOfMemory" in decisions.problem
        assert (counts.operations["set", "error"], counts.opened, counts.skipped) == (20, 0, 0)
        # And once there is, it keeps again
        await decisions._redis.config_set("maxmemory", "0")
        await decisions.set("b", b"true", 60)
        assert await decisions.get(["b"]) == [b"true"]
        assert decisions.problem == ""


@pytest.mark.asyncio
async def test_a_value_of_another_kind_under_our_key_is_a_miss(redis_process: RedisServer):
    counts = Counts()
    async with redis(redis_process, counts) as decisions:
        await decisions._redis.lpush("a", "x")  # type: ignore[misc]
        assert await decisions.get(["a"]) == [None]
        await decisions.set("b", b"true", 60)
        # It is no outage: other keys go on being used.
        assert await decisions.get(["b"]) == [b"true"]
    assert counts.operations == {("get", "error"): 1, ("set", "ok"): 1, ("get", "hit"): 1}
