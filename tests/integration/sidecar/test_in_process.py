"""The decision point inside this process, with a real OPA and a real Redis, and what the operator sees of it."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from sark_api.report import FlagReport
from sark_e2e.deadline import eventually
from sark_e2e.loopback import LoopbackNetwork
from sark_e2e.opa import OpaServer
from sark_e2e.redis import RedisServer
from sark_sidecar.in_process import BusyError, ClosedError, DecisionPoint, NoDecisionError, QuestionError, StartError

from .conftest import request
from .test_arms import QUESTIONS

PATH = "mcp/gateway/decision"
MOVED = {"rollout_percentage": 100, "rust_opa_enabled": True, "rust_cache_enabled": True}
QUESTION = {
    "user": {"id": "user-00014", "tenant": "acme", "roles": ["platform_admin"]},
    "action": "invoke",
    "tool": {"name": "read_ticket", "tenant": "acme"},
    "parameters": {},
}
Make = Callable[..., DecisionPoint]


@pytest.fixture
def make(network: LoopbackNetwork, policies: Path, opa: OpaServer, redis: RedisServer) -> Iterator[Make]:
    """Make decision points with settings over the usual ones, by section; all are closed at the end."""
    with ExitStack() as stack:

        def made(**sections: dict[str, Any]) -> DecisionPoint:
            settings: dict[str, dict[str, Any]] = {
                "policies": {"directory": str(policies), "poll_interval": "200ms"},
                "opa": {"url": opa.url, "poll_interval": "300ms", "timeout": "3s"},
                "cache": {"redis_url": redis.url},
                "admin": {"host": network.pod(), "port": 8182},
                "limits": {"drain_timeout": "2s"},
            }
            for section, members in sections.items():
                settings.setdefault(section, {}).update(members)
            point = DecisionPoint(settings, path=PATH)
            point.admin = f"http://{settings['admin']['host']}:8182"  # type: ignore[attr-defined]
            stack.callback(point.close)
            return point

        yield made


def admin(point: DecisionPoint, path: str) -> tuple[int, Any]:
    return request(f"{point.admin}{path}")  # type: ignore[attr-defined]


@pytest.mark.parametrize(("rust_opa", "rust_cache"), list(product([False, True], repeat=2)))
def test_every_combination_answers_as_opa_does(make: Make, opa: OpaServer, rust_opa: bool, rust_cache: bool):
    # Given everybody in the new arm, of which these halves are on
    flags = {"rollout_percentage": 100, "rust_opa_enabled": rust_opa, "rust_cache_enabled": rust_cache}
    with make(feature_flags=flags) as point:
        sources = set()
        # When every question is asked twice, so that the second can come from a cache
        for question in QUESTIONS[::7]:
            _, expected = request(f"{opa.url}/v1/data/{PATH}", {"input": question})
            decisions = [point.decide(question) for _ in range(2)]
            # Then both are OPA's, and name the arm
            assert [decision.result for decision in decisions] == [expected["result"]] * 2
            assert [decision.allow for decision in decisions] == [expected["result"]["allow"]] * 2
            assert {decision.arm for decision in decisions} == {"rust" if rust_opa or rust_cache else "python"}
            sources |= {decision.source for decision in decisions}
        if not rust_cache:
            # What goes to Redis waits for a look at OPA.
            eventually(lambda: point.decide(QUESTIONS[0]).source == "cache", what="a kept decision", seconds=30)
            sources.add("cache")
    assert sources == {"cache", "engine" if rust_opa else "opa"}


def test_an_event_loop_and_many_threads_ask_at_once(make: Make):
    point = make(feature_flags={**MOVED, "rollout_percentage": 50})
    questions = [{**QUESTION, "user": {**QUESTION["user"], "id": f"user-{number}"}} for number in range(60)]

    async def everything() -> list[Any]:
        async with point:
            with ThreadPoolExecutor(8) as threads:
                loop = asyncio.get_running_loop()
                asked = [loop.run_in_executor(threads, point.decide, question) for question in questions]
                awaited = [point.decide_async(question) for question in questions]
                return await asyncio.gather(*asked, *awaited)

    decisions = asyncio.run(everything())
    in_threads, on_the_loop = decisions[:60], decisions[60:]
    assert [decision.result for decision in in_threads] == [decision.result for decision in on_the_loop]
    # Each subject is in one arm, whoever asks, and both arms are there.
    assert [decision.arm for decision in in_threads] == [decision.arm for decision in on_the_loop]
    assert {decision.arm for decision in decisions} == {"rust", "python"}


@pytest.mark.parametrize("nobody", ["", "  "])
def test_an_empty_subject_is_none(make: Make, nobody: str):
    # Given users of both arms
    questions = [{**QUESTION, "user": {**QUESTION["user"], "id": f"user-{number}"}} for number in range(50)]
    with make(feature_flags={**MOVED, "rollout_percentage": 50}) as point:
        arms = [point.decide(question).arm for question in questions]
        assert set(arms) == {"rust", "python"}

        # When an empty subject is named, then nobody is in another arm for it
        async def asked() -> list[str]:
            return [(await point.decide_async(question, subject=nobody)).arm for question in questions]

        assert [point.decide(question, subject=nobody).arm for question in questions] == arms
        assert asyncio.run(asked()) == arms


def test_several_event_loops_one_after_the_other(make: Make):
    with make(feature_flags={"rollout_percentage": 0}) as point:
        for _ in range(3):
            assert asyncio.run(point.decide_async(QUESTION)).allow


def test_who_stops_waiting_disturbs_nobody(make: Make, opa: OpaServer):
    async def impatient(point: DecisionPoint) -> bool:
        asked = asyncio.ensure_future(point.decide_async(QUESTION, path="slow/answer"))
        await asyncio.sleep(0)
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
        return (await point.decide_async(QUESTION)).allow

    with make(feature_flags={"rollout_percentage": 0}) as point:
        assert asyncio.run(impatient(point))


def test_it_reports_to_the_operator_as_a_sidecar_does(make: Make):
    with make(feature_flags=MOVED, flags={"salt": "s"}) as point:
        point.decide(QUESTION)
        point.decide(QUESTION)
        status, report = admin(point, "/flags")
        assert status == 200
        flags = FlagReport.model_validate(report)
        assert (flags.percentage, flags.state.value) == (100, "static")
        eventually(lambda: admin(point, "/v1/status")[1]["opa"]["matches"], what="OPA was seen to serve the same", seconds=30)
        assert admin(point, "/ready")[0] == 200
        assert admin(point, "/v1/status")[1]["data"] == {"in_process": True}
        metrics = admin(point, "/metrics")[1]
        assert 'sark_requests_total{implementation="rust",result="allow",sark_rollout=""} 2' in metrics
    with pytest.raises(OSError, match="refused"):
        admin(point, "/ready")


def test_without_opa_nobody_is_let_in_and_the_new_arm_goes_on(make: Make, opa: OpaServer):
    flags = {**MOVED, "rollout_percentage": 50}
    with make(feature_flags=flags, cache={"backend": "rust"}, opa={"timeout": "1s"}) as point:
        arms = {
            number: point.decide({**QUESTION, "user": {**QUESTION["user"], "id": f"user-{number}"}}).arm for number in range(30)
        }
        # When OPA is gone
        opa.stop()
        for number, arm in arms.items():
            question = {**QUESTION, "user": {**QUESTION["user"], "id": f"user-{number}"}, "action": "discover"}
            if arm == "rust":
                assert point.decide(question).source in {"engine", "cache"}
            else:
                with pytest.raises(NoDecisionError):
                    point.decide(question)
        # Then it is left alone soon, and that is told too
        subject = next(f"user-{number}" for number, arm in arms.items() if arm == "python")
        kinds = [kind_of_failure(point, subject) for _ in range(20)]
        assert BusyError in kinds


def kind_of_failure(point: DecisionPoint, subject: str) -> type[Exception]:
    with pytest.raises(NoDecisionError) as caught:
        point.decide(QUESTION, subject=subject, path="x/y")
    return caught.type


@pytest.mark.parametrize(
    ("document", "path"),
    [({"a": float("nan")}, PATH), ({1: 2}, PATH), (b'{"a":', PATH), (QUESTION, 'a/"b'), (QUESTION, "/".join("a" * 40))],
)
def test_what_cannot_be_asked_is_refused(make: Make, document: Any, path: str):
    with make(feature_flags=MOVED) as point, pytest.raises(QuestionError):
        point.decide(document, path=path)


@pytest.mark.parametrize("asked", [{"subject": "\ud800"}, {"path": "p/\ud800"}, {"subject": "a\nb"}, {"subject": "a\x7fb"}])
def test_a_subject_or_a_path_that_no_request_has_is_refused(make: Make, asked: dict[str, str]):
    with make(feature_flags=MOVED) as point:
        with pytest.raises(QuestionError):
            point.decide(QUESTION, **asked)
        with pytest.raises(QuestionError):
            asyncio.run(point.decide_async(QUESTION, **asked))


def test_a_decision_point_that_is_closed_decides_nothing_and_can_be_opened_again(make: Make):
    point = make(feature_flags=MOVED)
    for ask in (lambda: point.decide(QUESTION), lambda: asyncio.run(point.decide_async(QUESTION))):
        with pytest.raises(ClosedError, match="not open"):
            ask()
    for _ in range(2):
        with point:
            assert point.decide(QUESTION).allow
            with pytest.raises(StartError, match="open already"):
                point.open()
        with pytest.raises(ClosedError):
            point.decide(QUESTION)


def test_a_start_that_cannot_succeed_says_why(make: Make, tmp_path: Path):
    with pytest.raises(StartError, match=r"policies\.directory.*missing"):
        DecisionPoint({})
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(StartError, match=r"no \*\.rego file"):
        make(policies={"directory": str(empty)}).open()
    with make(admin={"port": 0}) as one:
        assert one.is_open
    unreachable = {"bundle": {"url": "http://127.0.0.1:9/b.tar.gz"}, "directory": None}
    with pytest.raises(StartError, match=r"not ready within 5 s: there are no policies yet"):
        make(policies=unreachable).open(timeout=5)


_PROGRAM = """
import faulthandler, json, os, sys
from sark_e2e.forks import fork_without_a_word
from sark_sidecar.in_process import ClosedError, DecisionPoint, ForkedError
point = DecisionPoint(json.loads(sys.argv[1]), path="mcp/gateway/decision")
question = json.loads(sys.argv[2])
point.open()
before = point.decide(question).allow
child = {"os.fork": os.fork, "without a word": fork_without_a_word}[sys.argv[3]]()
if child == 0:
    # Were it to hang, where it does is in the failure. Not in the parent too: a fork does not take the timer's thread along.
    faulthandler.dump_traceback_later(120, exit=True)
    for asked in (question, {**question, "action": "discover"}):
        try:
            point.decide(asked)
        except ForkedError as error:
            print("child:", "before a fork" in str(error), point.is_open, flush=True)
    point.close()
    settings = json.loads(sys.argv[1])
    settings["admin"]["port"] = 0
    again = DecisionPoint(settings, path="mcp/gateway/decision").open()
    print("child:", again.decide(question).allow, flush=True)
    again.close()
    os._exit(0)
_, status = os.waitpid(child, 0)
print("parent:", before, point.decide(question).allow, os.waitstatus_to_exitcode(status), flush=True)
"""


@pytest.mark.timeout(240)
@pytest.mark.parametrize("how", ["os.fork", "without a word"])
def test_after_a_fork_the_child_is_told_and_can_open_its_own(make: Make, network: LoopbackNetwork, how: str):
    point = make(feature_flags=MOVED)
    settings = point._settings.model_dump(mode="json")
    settings["cache"]["redis_url"] = point._settings.cache.redis_url.get_secret_value()
    ran = subprocess.run(
        [sys.executable, "-c", _PROGRAM, json.dumps(settings), json.dumps(QUESTION), how],
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    # The parent did not close it: the process ends all the same.
    assert (ran.returncode, ran.stdout.splitlines()) == (
        0,
        ["child: True False", "child: True False", "child: True", "parent: True True 0"],
    ), ran.stderr


_WORKERS = """
import json, os, sys
from sark_sidecar.in_process import DecisionPoint, StartError
settings, question = json.loads(sys.argv[1]), json.loads(sys.argv[2])
for number in range(2):
    if os.fork() == 0:
        # As a server's workers do: the first has the port that the operator asks, the others another each.
        point = DecisionPoint(settings, path="mcp/gateway/decision")
        try:
            point.open()
            told = "port"
        except StartError as error:
            told = "in use" if "admin.port" in str(error) and "in use" in str(error) else str(error)
            settings["admin"]["port"] = 0
            point = DecisionPoint(settings, path="mcp/gateway/decision").open()
        print(told, point.decide(question).allow, point.decide(question).arm, flush=True)
        sys.stdin.readline()
        point.close()
        os._exit(0)
for _ in range(2):
    os.wait()
"""


@pytest.mark.timeout(200)
def test_of_several_processes_one_has_the_port_and_the_others_say_so_and_decide_alike(make: Make):
    point = make(feature_flags=MOVED)
    settings = point._settings.model_dump(mode="json")
    settings["cache"]["redis_url"] = point._settings.cache.redis_url.get_secret_value()
    with subprocess.Popen(
        [sys.executable, "-c", _WORKERS, json.dumps(settings), json.dumps(QUESTION)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as workers:
        assert workers.stdout is not None
        told = sorted(workers.stdout.readline().strip() for _ in range(2))
        # Then the operator, which asks this port, hears of one of them
        assert told == ["in use True rust", "port True rust"]
        assert admin(point, "/flags")[1]["percentage"] == 100
        workers.communicate("\n\n", timeout=60)


def test_a_decision_point_whose_follower_dies_is_closed_and_says_why(make: Make):
    point = make(feature_flags=MOVED).open()
    assert point._running is not None
    service, loop = point._running._service, point._running._loop
    assert service is not None
    assert loop is not None

    async def break_something() -> None:
        raise RuntimeError("a bug")

    loop.call_soon_threadsafe(service._spawn, "broken", break_something())
    eventually(lambda: not point.is_open, what="the decision point ended", seconds=30)
    with pytest.raises((ClosedError, BusyError)):
        point.decide(QUESTION)
