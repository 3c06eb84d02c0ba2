"""Answers are looked through as they come, for rollouts that are in force, and whoever is gone is forgotten."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import replace
from datetime import timedelta

import pytest

from sark_api.names import ARM_NEW
from sark_api.spec import Criteria
from sark_operator.core.outlook import Outlook
from sark_operator.shell import promql
from sark_operator.shell.answers import Requests
from sark_operator.shell.lookout import Lookout

CRITERIA = Criteria()
REQUESTS = promql.requests(CRITERIA.window)
FAILS = {ARM_NEW: Requests(requests=1000, errors=900)}
SERVES = {ARM_NEW: Requests(requests=1000)}


def outlook(name: str = "gateway", percent: int | None = 25) -> Outlook:
    return Outlook(f"uid of {name}", f"shop/{name}", CRITERIA, percent, None)


def key(query: str) -> Hashable:
    return ("http://prometheus:9090", query)


@pytest.fixture
def lookout() -> Lookout:
    return Lookout()


@pytest.fixture
def woken(lookout: Lookout) -> list[str]:
    found: list[str] = []
    lookout.on_sign = found.append
    return found


def test_only_what_an_answer_shows_to_be_broken_is_woken(lookout: Lookout, woken: list[str]) -> None:
    # Given three rollouts, when an answer about two of them comes
    for name in ("gateway", "billing", "quiet"):
        lookout.watch(outlook(name), key)
    lookout.came(key(REQUESTS), {"shop/gateway": FAILS, "shop/billing": SERVES})

    # Then the one that fails is woken
    assert woken == ["uid of gateway"]


def test_the_answer_of_another_server_or_window_says_nothing(lookout: Lookout, woken: list[str]) -> None:
    lookout.watch(outlook(), key)
    lookout.came(("http://elsewhere:9090", REQUESTS), {"shop/gateway": FAILS})
    lookout.came(key(promql.requests(CRITERIA.window + timedelta(minutes=1))), {"shop/gateway": FAILS})
    assert woken == []


def test_what_is_no_longer_in_force_is_looked_out_for_no_longer(lookout: Lookout, woken: list[str]) -> None:
    # Given a rollout whose next evaluation took it back
    lookout.watch(outlook(), key)
    lookout.watch(outlook(percent=None), key)

    # When another answer of the time before comes, then nobody is woken
    lookout.came(key(REQUESTS), {"shop/gateway": FAILS})
    assert woken == []


def test_an_edited_window_is_followed(lookout: Lookout, woken: list[str]) -> None:
    # Given a rollout that is evaluated with another window than before
    longer = CRITERIA.model_copy(update={"window": CRITERIA.window * 2})
    lookout.watch(outlook(), key)
    lookout.watch(replace(outlook(), criteria=longer), key)

    # When answers about both come, then it is the new one that counts
    lookout.came(key(REQUESTS), {"shop/gateway": FAILS})
    assert woken == []
    lookout.came(key(promql.requests(longer.window)), {"shop/gateway": FAILS})
    assert woken == ["uid of gateway"]


def test_nothing_is_kept_of_what_is_gone(lookout: Lookout, woken: list[str]) -> None:
    lookout.watch(outlook(), key)
    lookout.forget("uid of gateway")
    lookout.forget("uid of nobody")
    lookout.came(key(REQUESTS), {"shop/gateway": FAILS})
    assert woken == []
    assert (lookout._signs, lookout._questions) == ({}, {})


def test_one_that_cannot_be_looked_at_spoils_nothing_for_the_others(lookout: Lookout, woken: list[str]) -> None:
    # Given an answer with something in it about the first that no reader of ours makes
    lookout.watch(outlook("first"), key)
    lookout.watch(outlook("second"), key)

    # When it comes, then the other one is woken all the same
    lookout.came(key(REQUESTS), {"shop/first": {ARM_NEW: None}, "shop/second": FAILS})
    assert woken == ["uid of second"]
