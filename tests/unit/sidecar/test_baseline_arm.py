"""The baseline arm's logic, with doubles that speak OPA's and Redis' interfaces: what is asked, kept, counted and answered."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from sark_engine import EvaluationError, InputError

from sark_sidecar import exact_json
from sark_sidecar.baseline.arm import TURN_BYTES, Asked, BaselineArm
from sark_sidecar.baseline.keeping import Keeping
from sark_sidecar.opa import answer
from sark_sidecar.opa.answer import UNDEFINED, Answer
from sark_sidecar.opa.client import OpaFailure
from sark_sidecar.opa.guarded import OpaNotAsked
from sark_sidecar.opa.lineage import Lineage
from sark_sidecar.opa.question import Question
from sark_sidecar.opa.rule_graph import DataPath, RuleGraph, Subtrees
from sark_sidecar.opa.view import OpaPolicies

ALLOW = {"allow": True, "reason": "ok"}
DENY = {"allow": False, "reason": "no"}
VOLATILE = ("authz", "volatile")


@dataclass
class Job:
    id: int = 1
    path: str = "authz/allow"
    body: bytes = b'{"input":{"user":"a"}}'
    query: str = ""
    opa: str = "http"
    cache: str = "redis"
    fallback: str = ""


@dataclass
class Opa:
    answers: object = None
    questions: list[Question] = field(default_factory=list)
    meanwhile: Callable[[], None] = lambda: None
    """What happens while it decides."""

    async def decide(self, question: Question) -> Answer:
        self.questions.append(question)
        self.meanwhile()
        if isinstance(self.answers, Exception):
            raise self.answers
        if isinstance(self.answers, Answer):
            return self.answers
        return answer.decision(exact_json.dumps(self.answers), self.answers, keep=True)


@dataclass
class Decisions:
    kept: dict[str, bytes] = field(default_factory=dict)
    asked: list[list[str]] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    async def get(self, keys: Sequence[str]) -> list[bytes | None]:
        self.asked.append(list(keys))
        return [self.kept.get(key) for key in keys]

    async def set(self, key: str, value: bytes, seconds: float) -> None:
        self.kept[key] = value
        self.seconds.append(seconds)


@dataclass
class Looks:
    """Looks at OPA; who wants one waits for the next."""

    wanted: list[asyncio.Future[None]] = field(default_factory=list)

    def again(self) -> asyncio.Future[None]:
        self.wanted.append(future := asyncio.get_running_loop().create_future())
        return future


@dataclass
class Engine:
    answers: object = b"true"
    inputs: list[bytes | None] = field(default_factory=list)
    meanwhile: Callable[[], None] = lambda: None
    """What happens while it decides."""

    def cache_seconds(self, input: bytes | None = None, result: bytes | None = None) -> float:  # noqa: A002, ARG002
        """As the engine: the class stands in the input."""
        return {b"critical": 0.0, b"high": 60.0}.get(json.loads(input or b"{}").get("class", "").encode(), 300.0)

    def evaluate(self, path: str, input: bytes | None = None) -> bytes | None:  # noqa: A002, ARG002 - the engine's signature
        self.inputs.append(input)
        self.meanwhile()
        if isinstance(self.answers, Exception):
            raise self.answers
        assert self.answers is None or isinstance(self.answers, bytes)
        return self.answers


@dataclass
class DataPlane:
    completed: dict[int, tuple[int, object, str, str]] = field(default_factory=dict)
    evaluations: list[tuple[str, str]] = field(default_factory=list)
    keep_seconds: dict[int, float | None] = field(default_factory=dict)
    found: list[int] = field(default_factory=list)

    def complete(
        self,
        job_id: int,
        status: int,
        body: bytes,
        *,
        outcome: str,
        cache_control: str = "",
        keep_seconds: float | None = None,
        was_kept: bool = False,
    ) -> bool:
        assert job_id not in self.completed, "a job is answered once"
        self.keep_seconds[job_id] = keep_seconds
        self.found += [job_id] * was_kept
        self.completed[job_id] = (status, json.loads(body), outcome, cache_control)
        return True

    def observe_evaluation(self, seconds: float, outcome: str, error_type: str = "") -> None:
        assert seconds >= 0
        self.evaluations.append((outcome, error_type))


@dataclass
class Parts:
    """An arm and everything it touches."""

    opa: Opa = field(default_factory=lambda: Opa(ALLOW))
    decisions: Decisions = field(default_factory=Decisions)
    engine: Engine = field(default_factory=Engine)
    data_plane: DataPlane = field(default_factory=DataPlane)
    opa_revision: str | None = "r1"
    embedded_revision: str = "r1"
    lifetimes: str = "table"
    lineage: Lineage = field(default_factory=lambda: Lineage(300.0))
    looks: Looks = field(default_factory=Looks)
    trust: int = 0
    is_current: bool = True
    compared: frozenset[DataPath] = frozenset()
    """Documents that looks at OPA read back."""

    def __post_init__(self) -> None:
        self.keeping = Keeping(self.decisions, self.looks.again, clock=lambda: 1000.0)

    async def look(self) -> None:
        """Look at OPA, and put into Redis what waited for it."""
        wanted, self.looks.wanted = self.looks.wanted, []
        for future in wanted:
            future.set_result(None)
        await asyncio.sleep(0)
        await self.keeping.write()

    def _known(self) -> OpaPolicies | None:
        graph = RuleGraph(frozenset({("authz", "allow"), VOLATILE}), {}, frozenset({VOLATILE}))
        if self.opa_revision is None:
            return None
        kept_under = f"{self.opa_revision}{self.lineage.leading_to(self.opa_revision)}"
        compared = Subtrees(self.compared)
        return OpaPolicies(self.opa_revision, graph, datetime.now(UTC), kept_under, self.trust, self.is_current, compared)

    async def serve_and_look(self, *jobs: Job) -> DataPlane:
        data_plane = await self.serve(*jobs)
        await self.look()
        return data_plane

    async def serve(self, *jobs: Job) -> DataPlane:
        with ThreadPoolExecutor(1) as threads:
            arm = self.arm(threads)
            for asked in await arm.begin(jobs):
                await arm.finish(asked)
        return self.data_plane

    def arm(self, threads: ThreadPoolExecutor) -> BaselineArm:
        return BaselineArm(
            data_plane=self.data_plane,
            opa=self.opa,
            decisions=self.keeping,
            engine=self.engine,
            threads=threads,
            opa_policies=self._known,
            embedded_revision=lambda: self.embedded_revision,
            lifetimes=self.lifetimes,
        )


def body_of(size: int) -> bytes:
    """Return a body of about that size of what takes longest to read: many small arrays of numbers with an exponent."""
    return b'{"input":{"user":"a","x":[' + b",".join([b"[1e1]"] * (size // 6 - 8)) + b"]}}"


async def turns_during(work: Coroutine[Any, Any, object]) -> int:
    """Return how often another task had its turn while `work` was done."""
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.ensure_future(other())
    await work
    task.cancel()
    return turns


@pytest.fixture
def parts() -> Parts:
    return Parts()


@pytest.mark.asyncio
async def test_a_decision_is_answered_from_redis_after_another_look_at_opa(parts: Parts):
    await parts.serve_and_look(Job(1))
    data_plane = await parts.serve(Job(2), Job(3))
    assert [data_plane.completed[number][:3] for number in (1, 2, 3)] == [(200, {"result": ALLOW}, "allow")] * 3
    assert len(parts.opa.questions) == 1
    # One evaluation is counted, and a batch costs one round trip.
    assert data_plane.evaluations == [("allow", "")]
    assert [len(keys) for keys in parts.decisions.asked] == [1, 2]
    assert data_plane.found == [2, 3]


@pytest.mark.parametrize("change", ["path", "body", "revision"])
@pytest.mark.asyncio
async def test_another_question_is_not_answered_from_the_first(parts: Parts, change: str):
    await parts.serve_and_look(Job(1))
    parts.opa.answers = DENY
    second = Job(2)
    if change == "path":
        second.path = "authz/other"
    elif change == "body":
        second.body = b'{"input":{"user":"b"}}'
    else:
        parts.opa_revision = parts.embedded_revision = "r2"
    data_plane = await parts.serve(second)
    assert data_plane.completed[2][2] == "deny"


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (OpaFailure("timeout", "late"), "timeout"),
        (OpaFailure("connection", "gone"), "connection"),
        (OpaFailure("evaluation", "no"), "evaluation"),
    ],
)
@pytest.mark.asyncio
async def test_without_a_decision_the_answer_is_an_error_never_an_allow(parts: Parts, failure: OpaFailure, kind: str):
    parts.opa.answers = failure
    data_plane = await parts.serve_and_look(Job(1))
    assert data_plane.completed[1] == (500, {"code": "internal_error", "message": str(failure)}, "error", "")
    assert data_plane.evaluations == [("error", kind)]
    assert parts.decisions.kept == {}


@pytest.mark.asyncio
async def test_a_bug_is_an_error_too_and_the_job_is_answered(parts: Parts):
    parts.opa.answers = ZeroDivisionError("bug")
    assert (await parts.serve(Job(1))).completed[1][0] == 500


@pytest.mark.asyncio
async def test_opas_refusal_of_a_bad_request_reaches_the_client_and_is_not_kept(parts: Parts):
    parts.opa.answers = Answer(400, b'{"code":"invalid_parameter","message":"bad path"}', "error")
    data_plane = await parts.serve_and_look(Job(1))
    assert data_plane.completed[1][:3] == (400, {"code": "invalid_parameter", "message": "bad path"}, "error")
    assert parts.decisions.kept == {}


@pytest.mark.asyncio
async def test_a_malformed_request_is_answered_without_asking_anybody(parts: Parts):
    data_plane = await parts.serve(Job(1, body=b"[]"), Job(2))
    assert data_plane.completed[1][0] == 400
    assert data_plane.completed[2][0] == 200
    assert len(parts.opa.questions) == 1


@pytest.mark.asyncio
async def test_undefined_is_answered_as_opa_does_and_not_kept(parts: Parts):
    parts.opa.answers = UNDEFINED
    data_plane = await parts.serve_and_look(Job(1))
    assert data_plane.completed[1] == (200, {}, "undefined", "")
    # And counted among the denials
    assert data_plane.evaluations == [("deny", "")]
    assert parts.decisions.kept == {}


@pytest.mark.parametrize("job", [Job(path="authz/volatile"), Job(path="authz"), Job(query="metrics=true"), Job(query="pretty")])
@pytest.mark.asyncio
async def test_what_may_differ_next_time_or_asks_for_more_is_not_kept(parts: Parts, job: Job):
    await parts.serve_and_look(job)
    assert parts.decisions.kept == {}
    assert parts.decisions.asked == []


@pytest.mark.asyncio
async def test_nothing_is_kept_while_opas_policies_are_unknown(parts: Parts):
    parts.opa_revision = None
    data_plane = await parts.serve_and_look(Job(1))
    assert data_plane.completed[1][0] == 200
    assert (parts.decisions.kept, parts.decisions.asked) == ({}, [])


@pytest.mark.parametrize(
    "job", [Job(1), Job(1, cache="rust"), Job(1, opa="rust")], ids=["redis", "in process", "engine and redis"]
)
@pytest.mark.asyncio
async def test_a_decision_during_which_policies_changed_is_kept_nowhere(parts: Parts, job: Job):
    def change() -> None:
        parts.opa_revision = parts.embedded_revision = "r2"

    parts.opa.meanwhile = change
    if job.opa == "rust":
        # The engine's evaluation fails, and OPA is asked.
        parts.engine.answers = EvaluationError("conflict")
    data_plane = await parts.serve_and_look(job)
    assert data_plane.completed[1][0] == 200
    assert parts.decisions.kept == {}
    assert (data_plane.completed[1][3] == "no-store") is (job.cache == "rust")


@pytest.mark.parametrize("compared", [False, True])
@pytest.mark.asyncio
async def test_what_a_document_says_is_kept_only_where_looks_read_it(parts: Parts, compared: bool):
    # Given a document that OPA has, and that looks read back or not
    parts.compared = frozenset({("grants",)} if compared else ())
    # When it is asked for, by who keeps in Redis and by who keeps in process
    await parts.serve_and_look(Job(1, path="grants/bob"))
    data_plane = await parts.serve(Job(2, path="grants/bob"), Job(3, path="grants/bob", cache="rust"))
    # Then what no look reads is kept nowhere
    assert data_plane.found == ([2] if compared else [])
    assert (data_plane.completed[3][3] == "no-store") is not compared
    assert bool(parts.decisions.kept) is compared


@pytest.mark.parametrize("change", ["policies", "unknown", "trust", "away", "compared"])
@pytest.mark.asyncio
async def test_a_decision_that_the_next_look_does_not_confirm_is_found_by_nobody(parts: Parts, change: str):
    # Given policies that OPA has replaced already while the last look still says r1: they allow
    await parts.serve(Job(1))
    assert parts.decisions.kept == {}
    # When the next look sees others, or nothing, or that it was not known for a while what OPA serves
    if change == "policies":
        parts.opa_revision = parts.embedded_revision = "r2"
    elif change == "unknown":
        parts.opa_revision = None
    elif change == "trust":
        parts.trust = 1
    elif change == "away":
        parts.is_current = False
    else:
        parts.compared = frozenset({("roles",)})
    await parts.look()
    # Then it is in no Redis, neither now nor later
    await parts.look()
    assert parts.decisions.kept == {}
    # And a sidecar whose OPA has r1, with the same Redis and no memory of what was, is told what its own OPA says
    other = Parts(decisions=parts.decisions, opa=Opa(DENY))
    assert (await other.serve(Job(2))).completed[2][2] == "deny"


@pytest.mark.asyncio
async def test_what_is_confirmed_under_one_revision_is_found_again_when_it_comes_back(parts: Parts):
    # Given a decision under r1, and then r2
    await parts.serve_and_look(Job(1))
    parts.opa_revision = parts.embedded_revision = "r2"
    await parts.serve_and_look(Job(2))
    # When r1 comes back, what it decides is kept anew
    parts.opa_revision = parts.embedded_revision = "r1"
    parts.opa.answers = DENY
    data_plane = await parts.serve(Job(3), Job(4))
    assert [data_plane.completed[number][2] for number in (3, 4)] == ["deny", "deny"]
    await parts.look()
    # Then it is found
    asked = len(parts.opa.questions)
    await parts.serve(Job(5))
    assert len(parts.opa.questions) == asked


@pytest.mark.asyncio
async def test_large_questions_are_asked_as_they_are_written_and_not_read_here(parts: Parts, monkeypatch: pytest.MonkeyPatch):
    # Given a batch of the largest bodies there may be
    body = body_of(1_048_576)
    jobs = [Job(number, body=body) for number in range(1, 65)]
    read: list[int] = []
    loads = exact_json.loads
    monkeypatch.setattr(exact_json, "loads", lambda text: (read.append(len(text)), loads(text))[1])
    # When it begins
    with ThreadPoolExecutor(1) as threads:
        arm = parts.arm(threads)
        begun: list[Asked] = []

        async def begin() -> None:
            begun.extend(await arm.begin(jobs))

        turns = await turns_during(begin())
        # Then none of them was read, and others had their turn between any two
        assert read == []
        assert turns >= len(jobs) - 1
        # And OPA is asked the same bytes, and no Redis
        assert [(one.job.id, one.question.body) for one in begun] == [(job.id, job.body) for job in jobs]
        await arm.finish(begun[0])
    await parts.look()
    assert parts.data_plane.completed[1][:3] == (200, {"result": ALLOW}, "allow")
    assert (parts.decisions.asked, parts.decisions.kept) == ([], {})


@pytest.mark.asyncio
async def test_a_large_question_is_not_kept_in_process_either(parts: Parts, monkeypatch: pytest.MonkeyPatch):
    # Given a body of which nobody has read how long its decision may be kept
    read: list[bytes | None] = []
    monkeypatch.setattr(type(parts.engine), "cache_seconds", lambda _, text, *__: read.append(text) or 60.0)
    small, large = (body_of(size) for size in (1000, 2 * TURN_BYTES))
    # When both are asked while only the cache has moved
    data_plane = await parts.serve(Job(1, body=small, cache="rust"), Job(2, body=large, cache="rust"))
    # Then the large one is not, and is not read for it
    assert data_plane.completed[1][3] == ""
    assert (data_plane.completed[2][:3], data_plane.completed[2][3]) == ((200, {"result": ALLOW}, "allow"), "no-store")
    assert [text is not None and len(text) < TURN_BYTES for text in read] == [True]


@pytest.mark.asyncio
async def test_a_batch_of_questions_that_are_read_is_not_read_in_one_go(parts: Parts):
    jobs = [Job(number, body=body_of(TURN_BYTES - 100)) for number in range(1, 65)]
    assert await turns_during(parts.serve(*jobs)) >= len(jobs) - 1
    # Nor are its answers, when they are kept
    parts.opa.answers = {"allow": True, "why": "x" * TURN_BYTES}
    jobs = [Job(number, body=b'{"input":{"n":%d}}' % number) for number in range(101, 165)]
    await parts.serve_and_look(*jobs)
    again = [Job(100 + job.id, body=job.body) for job in jobs]
    assert await turns_during(parts.serve(*again)) >= len(again) - 1
    assert parts.data_plane.found == [job.id for job in again]


@pytest.mark.parametrize("rubbish", [b"", b"{", b"\xff", b"NaN"])
@pytest.mark.asyncio
async def test_rubbish_in_redis_is_a_miss(parts: Parts, rubbish: bytes):
    await parts.serve_and_look(Job(1))
    assert parts.decisions.kept
    for key in parts.decisions.kept:
        parts.decisions.kept[key] = rubbish
    data_plane = await parts.serve(Job(2))
    assert data_plane.completed[2][:3] == (200, {"result": ALLOW}, "allow")
    assert len(parts.opa.questions) == 2


@pytest.mark.asyncio
async def test_once_the_engine_is_taken_back_nothing_it_decided_is_found(parts: Parts):
    # Given a decision of the engine, kept in Redis, that OPA would not make
    parts.engine.answers = b'{"allow":true,"reason":"wrong"}'
    await parts.serve_and_look(Job(1, opa="rust"))

    # When the same is asked at 0 %, then OPA decides, and the engine's is not found
    data_plane = await parts.serve_and_look(Job(2))
    assert data_plane.completed[2][1] == {"result": ALLOW}
    assert len(parts.opa.questions) == 1

    # And each finds its own again
    again = await parts.serve(Job(3), Job(4, opa="rust"))
    assert again.completed[3][1] == {"result": ALLOW}
    assert again.completed[4][1] == {"result": {"allow": True, "reason": "wrong"}}
    assert (len(parts.opa.questions), len(parts.engine.inputs)) == (1, 1)


@pytest.mark.asyncio
async def test_the_embedded_engine_decides_and_is_kept_in_redis(parts: Parts):
    parts.engine.answers = b'{"allow":false}'
    data_plane = await parts.serve_and_look(Job(1, opa="rust"))
    assert data_plane.completed[1][:3] == (200, {"result": {"allow": False}}, "deny")
    assert parts.engine.inputs == [b'{"user":"a"}']
    assert list(parts.decisions.kept.values()) == [b'{"allow":false}']
    # HTTP OPA was not asked, so nothing is counted for it.
    assert data_plane.evaluations == []


@pytest.mark.asyncio
async def test_with_different_policies_the_arms_share_nothing(parts: Parts):
    parts.embedded_revision = "r2"
    data_plane = await parts.serve_and_look(Job(1, opa="rust"), Job(2, cache="rust"))
    assert parts.decisions.kept == {}
    assert data_plane.completed[2][3] == "no-store"


@pytest.mark.parametrize(("name", "seconds"), [("critical", 0.0), ("high", 60.0), ("low", 300.0)])
@pytest.mark.asyncio
async def test_how_long_a_decision_is_kept_depends_on_its_class_in_either_cache(parts: Parts, name: str, seconds: float):
    body = json.dumps({"input": {"class": name}}).encode()
    # Given a decision for Redis, then one for the cache in process, from either evaluation
    data_plane = await parts.serve_and_look(Job(1, body=body), Job(2, body=body, cache="rust"), Job(3, body=body, opa="rust"))
    assert parts.decisions.seconds == ([seconds] * 2 if seconds else [])
    assert data_plane.keep_seconds[2] == seconds
    # Then a critical one is asked again each time
    asked = len(parts.opa.questions)
    await parts.serve(Job(4, body=body))
    assert len(parts.opa.questions) == asked + (not seconds)


@pytest.mark.asyncio
async def test_what_another_table_kept_is_not_found(parts: Parts):
    await parts.serve_and_look(Job(1))
    parts.lifetimes = "a stricter table"
    await parts.serve(Job(2))
    assert len(parts.opa.questions) == 2


@pytest.mark.asyncio
async def test_an_opa_that_is_left_alone_is_told_apart_from_an_error(parts: Parts):
    parts.opa.answers = OpaNotAsked("left alone")
    data_plane = await parts.serve_and_look(Job(1))
    status, body, outcome, _ = data_plane.completed[1]
    assert (status, outcome) == (503, "error")
    assert body == {"code": "internal_error", "message": "left alone"}
    # Nothing was evaluated, and nothing is kept.
    assert (data_plane.evaluations, parts.decisions.kept) == ([], {})


@pytest.mark.parametrize(
    ("opa_answer", "cache_control"), [(ALLOW, ""), (UNDEFINED, "no-store"), (OpaFailure("timeout", "x"), "no-store")]
)
@pytest.mark.asyncio
async def test_the_in_process_cache_keeps_genuine_decisions_of_http_only(parts: Parts, opa_answer: object, cache_control: str):
    parts.opa.answers = opa_answer
    data_plane = await parts.serve(Job(1, cache="rust"))
    assert data_plane.completed[1][3] == cache_control
    assert parts.decisions.asked == []


@pytest.mark.asyncio
async def test_a_failing_engine_falls_back_to_http_and_is_an_error_of_its_arm(parts: Parts):
    parts.engine.answers = EvaluationError("conflict")
    data_plane = await parts.serve_and_look(Job(1, opa="rust"))
    assert data_plane.completed[1][:3] == (200, {"result": ALLOW}, "error")
    assert data_plane.evaluations == [("allow", "")]
    assert parts.decisions.kept == {}


@pytest.mark.asyncio
async def test_when_both_fail_the_answer_is_an_error(parts: Parts):
    parts.engine.answers = EvaluationError("conflict")
    parts.opa.answers = OpaFailure("connection", "gone")
    assert (await parts.serve(Job(1, opa="rust"))).completed[1][0] == 500


@pytest.mark.asyncio
async def test_an_input_the_engine_refuses_is_the_clients_error(parts: Parts):
    parts.engine.answers = InputError("the input nests deeper than 100 levels")
    data_plane = await parts.serve(Job(1, opa="rust"))
    assert data_plane.completed[1][0] == 400
    assert parts.opa.questions == []


@pytest.mark.asyncio
async def test_an_undefined_embedded_decision(parts: Parts):
    parts.engine.answers = None
    assert (await parts.serve(Job(1, opa="rust"))).completed[1][:3] == (200, {}, "undefined")


@pytest.mark.parametrize(
    ("value", "outcome"),
    [
        (True, "allow"),
        (ALLOW, "allow"),
        (False, "deny"),
        ({"allow": 1}, "deny"),
        ({"allowed": True}, "deny"),
        ([True], "deny"),
        ("true", "deny"),
        (None, "deny"),
        ({}, "deny"),
    ],
)
def test_only_true_and_an_object_that_allows_mean_allow(value: object, outcome: str):
    assert answer.outcome_of(value) == outcome


@pytest.mark.parametrize("ahead", ["the engine", "OPA"])
@pytest.mark.asyncio
async def test_what_the_engine_decided_by_policies_that_it_no_longer_shares_is_not_found(parts: Parts, ahead: str):
    # Given a decision of the engine in Redis, while both arms serve the same
    await parts.serve_and_look(Job(1, opa="rust"))
    assert len(parts.decisions.kept) == 1
    # When one of them has others already
    if ahead == "OPA":
        parts.opa_revision = "r2"
    else:
        parts.embedded_revision = "r2"
    parts.engine.answers = b"false"
    # Then the engine decides anew, and nothing of that is kept
    data_plane = await parts.serve_and_look(Job(2, opa="rust"))
    assert (data_plane.completed[2][2], data_plane.found) == ("deny", [])
    assert len(parts.decisions.kept) == 1


@pytest.mark.asyncio
async def test_what_was_asked_while_opa_was_away_is_not_kept_when_it_is_back_by_the_end(parts: Parts):
    def come_back() -> None:
        parts.is_current = True

    parts.is_current, parts.opa.meanwhile = False, come_back
    await parts.serve_and_look(Job(1))
    assert parts.decisions.kept == {}


@pytest.mark.parametrize("job", [Job(1, opa="rust"), Job(1, cache="rust")], ids=["engine and redis", "OPA and in process"])
@pytest.mark.asyncio
async def test_a_decision_during_which_the_engine_got_other_policies_is_kept_nowhere(parts: Parts, job: Job):
    # Given a decision under way that both arms may find, while both serve the same
    def replace() -> None:
        parts.embedded_revision = "r2"

    parts.engine.meanwhile = parts.opa.meanwhile = replace
    # When the engine is given others before it is made
    data_plane = await parts.serve_and_look(job)
    # Then it is answered, and nobody finds it
    assert data_plane.completed[1][0] == 200
    assert parts.decisions.kept == {}
    assert (data_plane.completed[1][3] == "no-store") is (job.cache == "rust")
