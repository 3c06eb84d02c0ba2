"""Drawn requests are taken at a pace, so many at a time; each is counted once, whatever happens to its comparison."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
import structlog

from sark_sidecar.shadow import follower
from sark_sidecar.shadow.comparison import compare
from sark_sidecar.shadow.documents import read_document
from sark_sidecar.shadow.findings import KEPT, Findings
from sark_sidecar.shadow.follower import Shadow
from sark_sidecar.shadow.judgement import Judgement, Match, Mismatch, Skip, Skipped, Suspicion, Unknown
from sark_sidecar.shadow.pace import Pace
from sark_sidecar.shadow.redaction import Redactor
from sark_sidecar.shadow.sides import Decided

from .test_judgement import Request


class Counted:
    """Takes counts."""

    def __init__(self) -> None:
        self.counts: Counter[tuple[str | None, str, str]] = Counter()

    def count_comparison(self, path: str | None, result: str, detail: str = "") -> None:
        self.counts[path, result, detail] += 1


class Source:
    """Requests that wait in the data plane."""

    def __init__(self, count: int) -> None:
        self.waiting = [Request(path=f"p{number}") for number in range(count)]
        self.unconfirmed: list[int] = []

    def take_drawn(self, limit: int = 32) -> Sequence[Request]:
        taken, self.waiting = self.waiting[:limit], self.waiting[limit:]
        return taken

    def show_unconfirmed(self, differences: int) -> None:
        self.unconfirmed.append(differences)


class FakeJudge:
    """Judges all alike, when told to."""

    def __init__(self, judged: Judgement | Exception) -> None:
        self.judged = judged
        self.go = asyncio.Event()
        self.go.set()
        self.look = asyncio.Event()
        self.broken: Exception | None = None
        self.under_way = 0
        self.most = 0

    async def judge(self, _: object) -> Judgement:
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        await self.go.wait()
        self.under_way -= 1
        if isinstance(self.judged, Exception):
            raise self.judged
        return self.judged

    async def confirm(self, suspicion: Suspicion) -> Mismatch | Skipped:
        await self.look.wait()
        if self.broken:
            raise self.broken
        return suspicion.mismatch


def mismatch() -> Mismatch:
    engine, opa = read_document(b'{"allow":false,"reason":"expelled"}'), read_document(b'{"allow":true,"reason":"guest"}')
    difference = compare(engine, opa)
    assert difference is not None
    return Mismatch(difference, Decided(engine), Decided(opa), "r1")


def findings(counted: Counted, clock: Any = None) -> Findings:
    decisions = Redactor([("allow",)])
    return Findings(counted, inputs=Redactor([]), decisions=decisions, **({"clock": clock} if clock else {}))


async def until(condition: Any) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.001)


def shadow(source: Source, judge: FakeJudge, found: Findings, *, concurrency: int = 3, per_second: float = 1e6) -> Shadow:
    return Shadow(source, judge, found, concurrency=concurrency, pace=Pace(per_second), sample=lambda: 100)  # type: ignore[arg-type]


@pytest.mark.asyncio
async def test_no_more_are_compared_at_a_time_than_allowed_and_the_rest_stays_where_it_waits():
    counted, source, judge = Counted(), Source(200), FakeJudge(Match(defined=True))
    judge.go.clear()
    running = asyncio.create_task(shadow(source, judge, findings(counted)).run())
    await until(lambda: judge.under_way == 3)
    await asyncio.sleep(0.2)
    assert judge.most == 3
    assert len(source.waiting) == 200 - follower.BATCH
    judge.go.set()
    await until(lambda: counted.counts.total() == 200)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert judge.most == 3
    assert set(counted.counts) == {(f"p{number}", "match", "") for number in range(200)}


@pytest.mark.asyncio
async def test_a_comparison_that_breaks_is_unknown_and_ends_nothing():
    counted = Counted()
    judge = FakeJudge(RuntimeError("bug"))
    with structlog.testing.capture_logs() as logs:
        running = asyncio.create_task(shadow(Source(5), judge, findings(counted)).run())
        await until(lambda: counted.counts.total() == 5)
    assert not running.done()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert {result for _, result, _ in counted.counts} == {"unknown"}
    assert len(logs) == 5


@pytest.mark.asyncio
async def test_differences_wait_for_the_next_look_without_holding_up_others(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(follower, "MAX_SUSPICIONS", 4)
    counted, judge = Counted(), FakeJudge(Suspicion(mismatch()))
    source = Source(10)
    followed = shadow(source, judge, findings(counted), concurrency=1)
    running = asyncio.create_task(followed.run())
    await until(lambda: sum(counted.counts.values()) == 6)
    # Six found no room among those that wait
    assert {(result, detail) for _, result, detail in counted.counts} == {("dropped", "")}
    assert followed.status()["waiting_for_opa"] == 4
    assert source.unconfirmed == [1, 2, 3, 4]
    judge.look.set()
    await until(lambda: counted.counts.total() == 10)
    await until(lambda: source.unconfirmed == [1, 2, 3, 4, 3, 2, 1, 0])
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert Counter((result, detail) for _, result, detail in counted.counts.elements()) == {
        ("dropped", ""): 6,
        ("mismatch", "allow"): 4,
    }


@pytest.mark.asyncio
async def test_a_difference_whose_confirmation_breaks_is_unknown_and_waits_no_more():
    counted, judge, source = Counted(), FakeJudge(Suspicion(mismatch())), Source(3)
    judge.broken = RuntimeError("bug")
    judge.look.set()
    with structlog.testing.capture_logs() as logs:
        running = asyncio.create_task(shadow(source, judge, findings(counted)).run())
        await until(lambda: counted.counts.total() == 3)
        await until(lambda: source.unconfirmed[-1] == 0)
    assert not running.done()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert {result for _, result, _ in counted.counts} == {"unknown"}
    assert len(logs) == 3


def test_the_pace_is_even_and_what_was_not_used_is_not_caught_up_with():
    pace = Pace(10)
    assert pace.wait(100.0) == 0
    assert pace.wait(100.0) == pytest.approx(0.1)
    assert pace.wait(100.0) == pytest.approx(0.2)
    assert pace.wait(200.0) == 0
    assert pace.wait(200.05) == pytest.approx(0.05)


def test_the_last_mismatches_are_kept_redacted_and_tell_why():
    counted = Counted()
    found = findings(counted)
    request = Request(input=b'{"user":{"id":"alice"},"n":12}', path="authz/decision")
    with structlog.testing.capture_logs():
        for _ in range(KEPT + 5):
            found.add(request, mismatch())
    shown = found.status()["last_mismatches"]
    assert len(shown) == KEPT
    newest = shown[0]
    assert (newest["kind"], newest["differs_at"], newest["path"]) == ("allow", ["/allow", "/reason"], "authz/decision")
    assert (newest["engine"]["means"], newest["opa"]["means"]) == ("deny", "allow")
    assert newest["engine"]["decision"]["allow"] is False
    assert newest["input"]["user"]["id"].startswith("<string 5 ")
    assert not any(word in str(shown) for word in ("alice", "expelled", "guest"))
    assert counted.counts["authz/decision", "mismatch", "allow"] == KEPT + 5


def test_mismatches_are_logged_at_a_bounded_rate_that_says_how_many_were_not():
    now = 100.0
    found = findings(Counted(), clock=lambda: now)
    with structlog.testing.capture_logs() as logs:
        for _ in range(10):
            found.add(Request(), mismatch())
        now += 1
        found.add(Request(), mismatch())
    assert [line["not_logged_before"] for line in logs] == [0, 9]
    assert logs[0]["mismatch"]["kind"] == "allow"


def test_everything_else_is_counted_by_its_name():
    counted = Counted()
    found = findings(counted)
    found.add(Request(path="a"), Match(defined=True))
    found.add(Request(path="b"), Match(defined=False))
    found.add(Request(path="c"), Skipped(Skip.NONDETERMINISTIC))
    found.add(Request(path="d"), Unknown("opa", "timeout", "it hung"))
    found.drop(Request(path="e"))
    assert counted.counts == {
        ("a", "match", ""): 1,
        (None, "match", ""): 1,
        ("c", "skipped", "nondeterministic"): 1,
        ("d", "unknown", ""): 1,
        ("e", "dropped", ""): 1,
    }
    status = found.status()
    assert status["results"] == {"match": 2, "skipped": 1, "unknown": 1, "dropped": 1}
    assert status["last_unknown"]["side"] == "opa"


def test_nothing_of_an_input_or_a_decision_is_shown_beyond_what_may_be():
    # Given places of inputs and of decisions that may be shown, each only there
    found = Findings(Counted(), inputs=Redactor([("action",)]), decisions=Redactor([("reason",)]))
    request = Request(input=b'{"action":"read","reason":"secret-a"}')
    sides = [
        Decided(read_document(text)) for text in (b'{"action":"secret-b","ann@x.org":1}', b'{"reason":"why","ann@x.org":2}')
    ]
    difference = compare(sides[0].document, sides[1].document)
    assert difference is not None
    # When a difference is kept and told, and a side that failed quotes what it was given
    with structlog.testing.capture_logs() as logs:
        found.add(request, Mismatch(difference, *sides, "r1"))
        found.add(request, Unknown("engine", "EvaluationError", "to_number: secret-c is none"))
    # Then nothing else is to be seen, names of members included
    told = f"{found.status()} {logs}"
    assert not [word for word in ("secret-a", "secret-b", "secret-c", "ann@x.org") if word in told]
    shown = found.status()["last_mismatches"][0]
    assert (shown["input"]["action"], shown["opa"]["decision"]["reason"]) == ("read", "why")
