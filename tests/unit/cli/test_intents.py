"""What a verb writes, on which conditions, and when it makes no sense."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sark_cli.arguments import parse
from sark_cli.failure import CommandError, StaleError
from sark_cli.guidance import moves
from sark_cli.intents import PAUSE, RESUME, RETRY, ROLLBACK, Intent, approve, is_back, promote, skip
from sark_cli.rollout import Rollout
from sark_cli.rollouts import translated
from sark_cli.waiting import ask, wait

Read = Callable[[str], Rollout]
Body = Callable[[str], dict[str, Any]]
PROMOTE = promote(None, "ann")


def values(change: list[dict[str, Any]], op: str) -> dict[str, Any]:
    return {each["path"]: each["value"] for each in change if each["op"] == op}


@pytest.mark.parametrize(
    ("state", "intent", "written"),
    [
        ("fresh", PAUSE, {"/spec/mode": "Paused"}),
        ("baking", PAUSE, {"/spec/mode": "Paused"}),
        ("paused", RESUME, {"/spec/mode": "Auto"}),
        ("baking", ROLLBACK, {"/spec/mode": "Rollback"}),
        ("completed", ROLLBACK, {"/spec/mode": "Rollback"}),
        ("paused", ROLLBACK, {"/spec/mode": "Rollback"}),
        ("reverted", RETRY, {"/spec/attempt": 2, "/spec/mode": "Auto"}),
        ("completed", RETRY, {"/spec/attempt": 2, "/spec/mode": "Auto"}),
        ("paused", PAUSE, {}),
        ("baking", RESUME, {}),
    ],
)
def test_what_is_written(state: str, intent: Intent, written: dict[str, Any], rollout: Read):
    assert values(intent.plan(rollout(state)).change, "add") == written


@pytest.mark.parametrize(
    ("state", "intent", "why"),
    [
        ("reverted", PAUSE, "nothing to pause"),
        ("completed", PAUSE, "nothing to pause"),
        ("baking", RETRY, "only a reverted or completed rollout"),
        ("fresh", RETRY, "only a reverted or completed rollout"),
    ],
)
def test_what_makes_no_sense(state: str, intent: Intent, why: str, rollout: Read):
    with pytest.raises(CommandError, match=why):
        intent.plan(rollout(state))


def test_a_rollback_is_not_resumed_but_tried_again(body: Body):
    back = body("reverted")
    back["spec"]["mode"] = "Rollback"
    with pytest.raises(CommandError, match="retry"):
        RESUME.plan(Rollout.from_object(back))
    assert values(RETRY.plan(Rollout.from_object(back)).change, "add") == {"/spec/attempt": 2, "/spec/mode": "Auto"}
    # Somebody may have tried it again since it was read, so it is written whatever stands there
    assert values(ROLLBACK.plan(Rollout.from_object(back)).change, "add") == {"/spec/mode": "Rollback"}


def test_a_rollback_before_the_first_step_is_resumed(body: Body):
    pending = body("fresh")
    pending["spec"]["mode"] = "Rollback"
    rollout = Rollout.from_object(pending)
    assert values(RESUME.plan(rollout).change, "add") == {"/spec/mode": "Auto"}
    assert [move.split("  ") for move in moves(rollout)] == [
        ["sark-rollout resume gateway -n shop", "begin with the first step"]
    ]
    with pytest.raises(CommandError, match="let it begin with `resume`"):
        RETRY.plan(rollout)


def test_a_rollback_that_is_on_its_way_offers_nothing_that_is_refused(body: Body):
    baking = body("baking")
    baking["spec"]["mode"] = "Rollback"
    assert moves(Rollout.from_object(baking)) == []


def test_a_retry_waits_for_the_way_back(body: Body):
    reverting = body("reverted")
    reverting["status"]["phase"] = "Reverting"
    with pytest.raises(CommandError, match="still on its way back"):
        RETRY.plan(Rollout.from_object(reverting))


def test_an_intent_tests_object_spec_and_phase_before_it_changes_anything(rollout: Read):
    change = PAUSE.plan(rollout("baking")).change
    tests = values(change, "test")
    assert list(tests) == ["/metadata/uid", "/metadata/generation", "/status/phase"]
    assert tests["/status/phase"] == "Progressing"
    assert [each["op"] for each in change] == ["test", "test", "test", "add"]


def test_a_rollout_without_a_status_is_not_asked_for_its_phase(rollout: Read):
    assert "/status/phase" not in values(PAUSE.plan(rollout("fresh")).change, "test")


def test_going_back_asks_for_the_same_object_only(rollout: Read):
    assert list(values(ROLLBACK.plan(rollout("baking")).change, "test")) == ["/metadata/uid"]


def test_a_rollback_is_over_only_when_every_sidecar_has_confirmed(body: Body):
    reverting = body("reverted")
    assert is_back(Rollout.from_object(reverting))
    reverting["status"]["phase"] = "Reverting"
    assert not is_back(Rollout.from_object(reverting))
    reverting["status"]["phase"] = "Reverted"
    reverting["metadata"]["generation"] = 99
    assert not is_back(Rollout.from_object(reverting)), "the operator has not seen the last edit"


def test_a_retry_is_taken_up_also_when_it_waits_for_the_window(body: Body):
    waiting = body("reverted")
    waiting["spec"]["attempt"] = 2
    met = RETRY.plan(Rollout.from_object(waiting)).met
    assert not met(Rollout.from_object(waiting))
    waiting["status"]["reason"] = "AttemptWaits"
    assert met(Rollout.from_object(waiting))


def test_a_wait_that_is_met_asks_nobody(rollout: Read):
    nobody: Any = None
    assert wait(nobody, rollout("paused"), PAUSE.plan(rollout("paused")).met, seconds=0).status.phase == "Paused"


class Busy:
    """An API server at which somebody else was first, once."""

    def __init__(self, before: dict[str, Any], after: dict[str, Any]) -> None:
        self._bodies = [before, after]
        self.written: list[dict[str, Any]] = []

    def get(self, *_: str) -> dict[str, Any]:
        return self._bodies[1]

    def patch(self, namespace: str, name: str, change: list[dict[str, Any]]) -> dict[str, Any]:
        assert (namespace, name) == ("shop", "gateway")
        if not self.written:
            self.written = change
            raise StaleError("it was changed meanwhile")
        self.written = change
        return self._bodies[1]


@pytest.mark.parametrize(
    ("meanwhile", "asked_again"),
    [
        ({"generation": 2}, {ROLLBACK}),
        ({"phase": "Paused"}, {ROLLBACK}),
        ({"step": {"index": 2, "total": 3, "percent": 100, "startedAt": "2026-01-01T12:40:00Z"}}, {ROLLBACK, PAUSE}),
        ({"awaited": {"percent": 100, "since": "2026-01-01T12:40:00Z"}}, {ROLLBACK, PAUSE}),
        ({"resourceVersion": "4712"}, {ROLLBACK, PAUSE, PROMOTE}),
        ({"uid": "another"}, set()),
    ],
)
@pytest.mark.parametrize("intent", [ROLLBACK, PAUSE, PROMOTE], ids=["rollback", "pause", "promote"])
def test_who_is_asked_again_after_a_conflict(intent: Intent, meanwhile: dict[str, Any], asked_again: set[Intent], body: Body):
    # Given a rollout that was changed between reading and writing
    before, after = body("baking"), body("baking")
    after["status" if meanwhile.keys() & {"phase", "step", "awaited"} else "metadata"] |= meanwhile
    server: Any = Busy(before, after)

    # Then going back asks for the same object only, and everything else for what was shown; a promotion for that step, too
    if intent in asked_again:
        _, plan = ask(server, Rollout.from_object(before), intent)
        assert plan.said.startswith("was asked to")
    else:
        with pytest.raises(StaleError):
            ask(server, Rollout.from_object(before), intent)
    assert values(server.written, "test")["/metadata/uid"] == before["metadata"]["uid"]


@pytest.mark.parametrize(
    ("status", "body", "kind", "says"),
    [
        (401, "", "CommandError", "does not know who you are"),
        (403, '{"message": "User bob cannot"}', "CommandError", "you may not: User bob cannot"),
        (404, "404 page not found", "CommandError", "this cluster has no SarkRollout"),
        (404, '{"message": "gone", "details": {"name": "gateway"}}', "CommandError", "gone"),
        (409, "{}", "StaleError", "changed meanwhile"),
        (422, '{"message": "rejected", "details": {}}', "StaleError", "changed meanwhile"),
        (422, '{"message": "bad mode", "details": {"causes": [{}]}}', "CommandError", "bad mode"),
        (429, "{}", "UnavailableError", "HTTP 429"),
        (503, "<html>", "UnavailableError", "HTTP 503"),
    ],
)
def test_what_the_api_server_answers_is_a_sentence(status: int, body: str, kind: str, says: str):
    error = translated("pause it", status, body)
    assert type(error).__name__ == kind
    assert says in str(error)
    assert "\n" not in str(error)


def test_a_request_says_what_it_is_meant_for_and_has_a_new_number(body: Body):
    baking = body("baking")
    baking["status"]["request"] = {
        "id": 7, "action": "Approve", "granted": True, "message": "", "answeredAt": "2026-01-01T12:00:00Z"
    }  # fmt: skip
    rollout = Rollout.from_object(baking)
    promoted = values(promote(None, "ann").plan(rollout).change, "add")["/spec/request"]
    assert promoted == {"id": 8, "action": "Promote", "attempt": 1, "percent": 25, "by": "ann"}
    skipped = values(skip(100, "ann").plan(rollout).change, "add")["/spec/request"]
    assert (skipped["action"], skipped["percent"], skipped["to"]) == ("Skip", 25, 100)


@pytest.mark.parametrize(
    ("state", "intent", "why"),
    [
        ("paused", promote(None, "ann"), "only one that is in a step can go on"),
        ("reverted", promote(None, "ann"), "only one that is in a step can go on"),
        ("baking", skip(25, "ann"), "there is no later step of 25%; there are 100%"),
        ("baking", skip(60, "ann"), "there is no later step of 60%"),
        ("baking", approve(None, "ann"), "no later step needs an approval"),
        ("baking", approve(100, "ann"), "no later step of 100% needs an approval"),
    ],
)
def test_requests_that_make_no_sense(state: str, intent: Intent, why: str, rollout: Read):
    with pytest.raises(CommandError, match=why):
        intent.plan(rollout(state))


def test_an_approval_ahead_names_its_step(body: Body):
    # Given a rollout that waits for no approval, as one does whose approval somebody else has just given
    baking = body("baking")
    baking["spec"]["steps"][2]["approval"] = "Required"
    rollout = Rollout.from_object(baking)

    # Then an approval that names no step is none for the step after it
    with pytest.raises(
        CommandError, match=r"it waits for no approval now; to give one ahead say for which step: --percent 100"
    ):
        approve(None, "ann").plan(rollout)
    assert values(approve(100, "ann").plan(rollout).change, "add")["/spec/request"]["percent"] == 100


def test_an_approval_is_for_the_step_that_is_waited_for(body: Body):
    # Given a rollout whose first step, of 0%, and second need an approval
    waiting = body("fresh")
    shadow = {"percent": 0, "bake": "10m", "approval": "Required", "shadow": {"samplePercent": 10}}
    steps = [shadow, {"percent": 25, "bake": "10m", "approval": "Required"}, {"percent": 100, "bake": "10m"}]
    waiting["spec"]["steps"] = steps

    def asked(awaited: int) -> int:
        waiting["status"] = {"phase": "Pending", "awaited": {"percent": awaited, "since": "2026-01-01T12:00:00Z"}}
        percent: int = values(approve(None, "ann").plan(Rollout.from_object(waiting)).change, "add")["/spec/request"]["percent"]
        return percent

    # Then it is the one that the operator says it waits for
    assert asked(0) == 0
    assert asked(25) == 25
    with pytest.raises(CommandError, match="no later step of 100% needs an approval"):
        asked(100)
    assert parse(["approve", "gateway", "--percent", "0"]).percent == 0


def test_a_promotion_is_for_the_step_it_names(rollout: Read):
    assert values(promote(25, "ann").plan(rollout("baking")).change, "add")["/spec/request"]["percent"] == 25
    with pytest.raises(CommandError, match="it is at 25%, not at 5%"):
        promote(5, "ann").plan(rollout("baking"))
    assert parse(["promote", "gateway", "--percent", "5"]).percent == 5


def test_what_is_advised_says_what_it_is_meant_for(body: Body):
    baking = body("baking")
    baking["spec"]["steps"][2]["approval"] = "Required"
    baking["status"]["awaited"] = {"percent": 100, "since": "2026-01-01T12:40:00Z"}
    advised = [move.split("  ")[0] for move in moves(Rollout.from_object(baking))]
    assert "sark-rollout promote gateway --percent 25 -n shop" in advised
    assert "sark-rollout approve gateway --percent 100 -n shop" in advised


def test_nothing_is_skipped_to_a_share_of_nought():
    with pytest.raises(SystemExit):
        parse(["skip", "gateway", "--to", "0"])


@pytest.fixture
def asked(body: Body) -> Callable[..., Rollout]:
    """Return the rollout with a request of this number in its spec, and the answer to one."""

    def make(number: int | None, **answer: Any) -> Rollout:
        baking = body("baking")
        if number is not None:
            baking["spec"]["request"] = {"id": number, "action": "Promote", "attempt": 1, "percent": 25, "by": "bob"}
        if answer:
            given = {"action": "Promote", "granted": True, "message": "fine", "answeredAt": "2026-01-01T12:00:00Z"}
            baking["status"]["request"] = given | answer
        return Rollout.from_object(baking)

    return make


def test_a_refused_request_is_a_failure_with_the_operators_reason(asked: Callable[..., Rollout]):
    met = promote(None, "ann").plan(asked(7, id=7)).met
    assert not met(asked(8, id=7))
    assert met(asked(8, id=8))
    with pytest.raises(CommandError, match="too late"):
        met(asked(8, id=8, granted=False, message="Request 8 was refused: too late"))


def test_the_answer_to_another_request_is_not_taken_for_ones_own(asked: Callable[..., Rollout]):
    met = promote(None, "ann").plan(asked(7, id=7)).met
    for seen in (asked(9, id=7), asked(9, id=9)):
        with pytest.raises(CommandError, match="request 8 was superseded by request 9 before its answer was seen"):
            met(seen)
    assert met(asked(9, id=8)), "it was answered before the next one was asked for"
    with pytest.raises(CommandError, match="request 8 was taken out"):
        met(asked(None, id=7))


def test_a_request_that_waits_for_its_answer_is_not_written_over(asked: Callable[..., Rollout]):
    for intent in (promote(None, "ann"), skip(100, "ann")):
        with pytest.raises(CommandError, match=r"request 8 \(Promote for 25% by bob\) has not been answered yet"):
            intent.plan(asked(8, id=7))
    for intent in (ROLLBACK, PAUSE):
        assert intent.plan(asked(8, id=7)).change, "nothing keeps it from going back"
