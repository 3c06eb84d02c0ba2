"""Answers are looked through as they come, for rollouts that are in force, and whoever is gone is forgotten."""

from __future__ import annotations

from collections.abc import Hashable
from datetime import UTC, datetime, timedelta
from math import inf

import pytest

from sark_api.names import ARM_NEW, LABEL_ROLLOUT
from sark_api.spec import Criteria
from sark_operator.core.alerts import FiringAlert, FiringAlerts
from sark_operator.core.observation import Histogram
from sark_operator.core.tripwire import Tripwire
from sark_operator.shell import promql
from sark_operator.shell.answers import Requests
from sark_operator.shell.tripwires import LEAST_SECONDS, Tripwires

CRITERIA = Criteria()
REQUESTS = promql.requests(CRITERIA.window)
FAILS = {ARM_NEW: Requests(requests=1000, errors=900)}
SERVES = {ARM_NEW: Requests(requests=1000)}


class HandClock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def monotonic(self) -> float:
        return self.seconds

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.seconds, UTC)


class Stand:
    """Tripwires, who was woken, and answers that come one after another, each when it may be looked through."""

    def __init__(self) -> None:
        self.clock, self.woken = HandClock(), list[str]()
        self.wires = Tripwires(self.clock)
        self.wires.on_tripped = self.woken.append

    def put(self, *names: str, percent: int | None = 25, criteria: Criteria = CRITERIA) -> None:
        for name in names:
            self.wires.put(Tripwire(name, f"shop/{name}", criteria, percent), key)

    def came(self, answer: object, question: Hashable | None = None, *, after: float = LEAST_SECONDS) -> None:
        self.clock.seconds += after
        self.wires.came(question or key(REQUESTS), answer)


def key(query: str) -> Hashable:
    return ("http://prometheus:9090", query)


@pytest.fixture
def stand() -> Stand:
    return Stand()


def test_only_what_an_answer_shows_to_be_broken_is_woken(stand: Stand) -> None:
    # Given three rollouts, when an answer about two of them comes
    stand.put("gateway", "billing", "quiet")
    stand.came({"shop/gateway": FAILS, "shop/billing": SERVES})

    # Then the one that fails is woken
    assert stand.woken == ["gateway"]


def test_latency_comparisons_and_alerts_wake_too(stand: Stand) -> None:
    # Given a rollout at 25% that compares, and takes back what is alerted
    criteria = Criteria.model_validate({"alerts": {"action": "Revert"}})
    stand.wires.put(Tripwire("gateway", "shop/gateway", criteria, 25, compares=True, baseline_p95_microseconds=10_000), key)
    slow = Histogram((0.01, inf), (0.0, 1000.0))
    answers = {
        promql.latency(criteria.window): {"shop/gateway": {ARM_NEW: slow}},
        promql.comparisons(criteria.window): {"shop/gateway": {"match": 10.0, "mismatch": 1.0}},
        promql.alerts(): FiringAlerts([FiringAlert.of({"alertname": "Broken", LABEL_ROLLOUT: "shop/gateway"})]),
    }

    # When each answer comes, then each wakes it
    for query, answer in answers.items():
        stand.came(answer, key(query))
    assert stand.woken == ["gateway"] * 3


def test_decisions_that_are_alike_wake_nobody(stand: Stand) -> None:
    stand.wires.put(Tripwire("gateway", "shop/gateway", CRITERIA, 25, compares=True), key)
    stand.came({"shop/gateway": {"match": 10.0, "mismatch": 0.0}}, key(promql.comparisons(CRITERIA.window)))
    assert stand.woken == []


def test_an_answer_is_held_against_what_the_latest_evaluation_left(stand: Stand) -> None:
    # Given a rollout that is evaluated with a limit that nothing can be above
    stand.put("gateway")
    stand.put("gateway", criteria=Criteria.model_validate({"errorRate": {"limitBasisPoints": 10_000}}))

    # When an answer comes that the limit of before would not have borne, then nobody is woken
    stand.came({"shop/gateway": FAILS})
    assert stand.woken == []


def test_it_is_woken_once_for_what_goes_on(stand: Stand) -> None:
    # Given a rollout that was woken
    stand.put("gateway")
    stand.came({"shop/gateway": FAILS})

    # When its evaluation could do nothing, and the same goes on
    for _ in range(3):
        stand.put("gateway")
        stand.came({"shop/gateway": FAILS})

    # Then it is not woken again, until it was well in between
    assert stand.woken == ["gateway"]
    stand.came({"shop/gateway": SERVES})
    stand.came({"shop/gateway": FAILS})
    assert stand.woken == ["gateway", "gateway"]


def test_another_attempt_is_woken_anew(stand: Stand) -> None:
    # Given a rollout that was woken and taken back, beside one that is well
    stand.put("gateway", "billing")
    stand.came({"shop/gateway": FAILS})
    stand.put("gateway", percent=None)

    # When it is tried again and fails again, then it is woken again
    stand.put("gateway")
    stand.came({"shop/gateway": FAILS})
    assert stand.woken == ["gateway", "gateway"]


def test_answers_in_quick_succession_are_looked_through_once(stand: Stand) -> None:
    # Given an answer that was well, when the next one comes soon after it
    stand.put("gateway")
    stand.came({"shop/gateway": SERVES})
    stand.came({"shop/gateway": FAILS}, after=LEAST_SECONDS / 2)

    # Then it is the one after that which is looked through
    assert stand.woken == []
    stand.came({"shop/gateway": FAILS}, after=LEAST_SECONDS / 2)
    assert stand.woken == ["gateway"]


def test_the_answer_of_another_server_or_window_says_nothing(stand: Stand) -> None:
    stand.put("gateway")
    stand.came({"shop/gateway": FAILS}, ("http://elsewhere:9090", REQUESTS))
    stand.came({"shop/gateway": FAILS}, key(promql.requests(CRITERIA.window + timedelta(minutes=1))))
    assert stand.woken == []


def test_what_is_no_longer_in_force_is_not_woken(stand: Stand) -> None:
    # Given a rollout that its next evaluation took back
    stand.put("gateway")
    stand.put("gateway", percent=None)

    # When another answer of the time before comes, then nobody is woken
    stand.came({"shop/gateway": FAILS})
    assert stand.woken == []


def test_an_edited_window_is_followed(stand: Stand) -> None:
    # Given a rollout that is evaluated with another window than before
    longer = CRITERIA.model_copy(update={"window": CRITERIA.window * 2})
    stand.put("gateway")
    stand.put("gateway", criteria=longer)

    # When answers about both come, then it is the new one that counts
    stand.came({"shop/gateway": FAILS})
    assert stand.woken == []
    stand.came({"shop/gateway": FAILS}, key(promql.requests(longer.window)))
    assert stand.woken == ["gateway"]


def test_nothing_is_kept_of_what_is_gone(stand: Stand) -> None:
    stand.put("gateway")
    stand.came({"shop/gateway": FAILS})
    stand.wires.remove("gateway")
    stand.wires.remove("nobody")
    stand.came({"shop/gateway": FAILS})
    assert stand.woken == ["gateway"]
    assert (stand.wires._questions, stand.wires._keys) == ({}, {})


def test_one_that_cannot_be_looked_at_spoils_nothing_for_the_others(stand: Stand) -> None:
    # Given an answer with something in it about the first that no reader of ours makes
    stand.put("first", "second")

    # When it comes, then the other one is woken all the same
    stand.came({"shop/first": {ARM_NEW: None}, "shop/second": FAILS})
    assert stand.woken == ["second"]


def test_rollouts_with_equal_criteria_share_them_and_the_questions(stand: Stand) -> None:
    # Given rollouts of which each has criteria of its own, equal to the others' but for one
    def criteria(seconds: int) -> Criteria:
        return Criteria.model_validate({"window": f"{seconds}s"})

    stand.put("gateway", criteria=criteria(60))
    stand.put("strict", criteria=criteria(30))
    stand.put("billing", criteria=criteria(60))

    # Then the equal ones are kept once, and so are the keys of what is asked
    asked = stand.wires._questions[key(promql.requests(timedelta(seconds=60)))].wires
    assert asked.keys() == {"gateway", "billing"}
    assert asked["gateway"].criteria is asked["billing"].criteria
    assert all(one is other for one, other in zip(*(stand.wires._keys[uid] for uid in ("gateway", "billing")), strict=True))
    assert stand.wires._questions[key(promql.requests(timedelta(seconds=30)))].wires["strict"].criteria == criteria(30)
