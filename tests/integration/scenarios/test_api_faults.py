"""An API server that refuses, is slow, loses answers or is away: nothing is advanced unproven, lost or doubled."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest

from sark_api.status import Phase
from sark_e2e.applied_rollout import proven_milliseconds, serves
from sark_e2e.cluster import LocalCluster
from sark_e2e.deadline import eventually
from sark_e2e.example import quick
from sark_e2e.faults.api_proxy import ApiProxy
from sark_e2e.kept_running import KeptRunning
from sark_e2e.ledger import broken_promises
from sark_e2e.scenario import Scenario
from sark_operator.shell.leadership import LEASE_LOST_STATUS

from .conftest import each

FLAGS = ("PATCH", r"/configmaps/")
STATUS = ("PUT", r"/sarkrollouts/[^/]+/status")
ANYTHING = ("GET|PUT|PATCH|POST", r"/(configmaps|pods|sarkrollouts/|events)")
WATCH = ("GET", r"/sarkrollouts\?.*watch=true(?!.*timeoutSeconds=1$)")
MOST_AT_ONCE = 3000
"""Milliseconds that one evaluation adds to what is proven at most: three intervals. Between two readings there may be two."""
LIST = ("GET", r"/sarkrollouts(\?(?!.*watch=|limit=1$)|$)")
"""kopf's own, not those by which the operator asks for its rights."""
FAULTS: dict[str, list[tuple[tuple[str, str], dict[str, Any]]]] = {
    "conflicts, expired lists, too many requests and internal errors": [
        (STATUS, {"status": 409, "times": 6}),
        (FLAGS, {"status": 409, "times": 2}),
        (("GET", r"/pods"), {"status": 410, "times": 5}),
        (ANYTHING, {"status": 429, "headers": {"Retry-After": "1"}, "times": 3, "skip": 20}),
        (FLAGS, {"status": 500, "times": 1}),
        (STATUS, {"status": 500, "times": 2}),
    ],
    "slowness": [(ANYTHING, {"delay": 0.7})],
    "answers that are lost or come too late": [
        (FLAGS, {"drop_answer": True, "times": 1}),
        (STATUS, {"drop_answer": True, "times": 3}),
        (STATUS, {"delay": 7.0, "times": 1}),
        (FLAGS, {"delay": 7.0, "times": 1}),
    ],
}


@pytest.mark.timeout(400)
@pytest.mark.parametrize("faults", each(FAULTS, long="slowness"))
def test_a_rollout_comes_to_its_end_through(scenario: Scenario, faults: list[tuple[tuple[str, str], dict[str, Any]]]):
    # Given an API server with a fault
    proxy = scenario.api_proxy()
    fleet = scenario.fleet(replicas=1)
    operator = scenario.operator(through=proxy.url)
    scenario.traffic(fleet)
    injected = [proxy.inject(*place, **what) for place, what in faults]

    # When a rollout is moved through it, then it completes, with each transition once and every one proven
    with KeptRunning(operator) as keeper:
        rollout = scenario.apply("gateway", fleet, {**quick(50, 100, bake="6s"), "validFor": "60s"})
        done = rollout.becomes(Phase.COMPLETED, seconds=240)
    assert [entry.reason for entry in done.status.history] == ["Started", "Advanced", "Completed"]
    assert all(fault.met for fault in injected)
    assert keeper.ends == []
    assert broken_promises(proxy.journal) == []
    scenario.serves(fleet, 100, seconds=10)


def test_a_breach_is_taken_back_though_the_first_writes_fail(scenario: Scenario):
    # Given a rollout at 50%, and an API server that refuses, loses and delays what the revert has to write
    proxy = scenario.api_proxy()
    fleet = scenario.fleet(replicas=1)
    scenario.operator(through=proxy.url)
    scenario.traffic(fleet)
    rollout = scenario.apply("gateway", fleet, quick(50, 100, bake="300s"))
    rollout.bakes(50, milliseconds=1000, seconds=60)
    down = r"rollout_percentage\D+0\b"
    proxy.inject(*FLAGS, body=down, status=429, headers={"Retry-After": "1"}, times=1)
    proxy.inject(*FLAGS, body=down, status=500, times=1)
    proxy.inject(*FLAGS, body=down, drop_answer=True, times=1)
    # Every status has a condition called Reverting.
    refused = proxy.inject(*STATUS, body=r'"phase": ?"Revert', status=500, times=2)

    # When the new arm goes bad, then the baseline comes back all the same, once, with its reason
    fleet.inject(error_percent=40)
    reverted = rollout.becomes(Phase.REVERTED, seconds=90)
    scenario.serves(fleet, 0, seconds=5)
    assert [entry.reason for entry in reverted.status.history] == ["Started", "CriterionBreached", "BaselineRestored"]
    assert refused.met == 2
    assert broken_promises(proxy.journal) == []


UNHEARD: dict[str, list[tuple[tuple[str, str], dict[str, Any]]]] = {
    "its past is forgotten, lists and watches are refused": [
        (WATCH, {"status": 410, "event": True, "times": 1}),
        (LIST, {"status": 500, "times": 2}),
        (WATCH, {"status": 429, "headers": {"Retry-After": "1"}, "times": 1}),
        (WATCH, {"status": 500, "times": 2}),
    ],
    "a list that has expired": [(WATCH, {"status": 410, "event": True, "times": 1}), (LIST, {"status": 410, "times": 1})],
    "a watch that is refused as expired": [(WATCH, {"status": 410, "times": 1})],
    "an internal error within a watch": [(WATCH, {"status": 500, "event": True, "times": 1})],
}
"""What the rollouts' own watch meets when it has broken off; the operator ends for none of it."""


@pytest.mark.timeout(400)
@pytest.mark.parametrize(
    "faults",
    [pytest.param(case, marks=[pytest.mark.long] if number > 1 else []) for number, case in enumerate(UNHEARD.values())],
    ids=UNHEARD.keys(),
)
def test_what_the_user_writes_is_heard_though_the_watch_of_rollouts_breaks_off_and_meets(
    scenario: Scenario, faults: list[tuple[tuple[str, str], dict[str, Any]]]
):
    # Given a rollout at 50% that is looked at every ten minutes, so that only the watch brings what its user writes sooner
    proxy = scenario.api_proxy()
    fleet = scenario.fleet(replicas=1)
    operator = scenario.operator(through=proxy.url)
    scenario.traffic(fleet)
    rollout = scenario.apply("gateway", fleet, {**quick(50, 100, bake="60m"), "rollback": {"blindFor": "15m"}})
    rollout.bakes(50, milliseconds=8000, seconds=90)
    rollout.edit({"interval": "10m", "validFor": "60m"})
    rollout.until("taking up its interval", lambda seen: seen.status.observed_generation == 2, seconds=30)

    # When its watch breaks off and does not open again
    away = proxy.inject(*WATCH, hold=True, drop_request=True)
    met = [proxy.inject(*place, **what) for place, what in faults]
    with KeptRunning(operator) as keeper:
        proxy.cut(*WATCH)
        assert away.holding.wait(60)

        # And its user writes meanwhile, and it meets all that before it opens
        broken_off_at = time.monotonic()
        rollout.edit({"mode": "Paused"})
        proxy.release(away)
        rollout.becomes(Phase.PAUSED, seconds=150)
        eventually(lambda: all(fault.met == fault.times for fault in met), what="every fault to be met", seconds=60)
        eventually(lambda: watches(proxy, since=broken_off_at), what="a watch that is open again", seconds=60)

        # Then what was written while it was away has been heard, and so is what is written now: the baseline is back
        rollout.edit({"mode": "Rollback"})
        reverted = rollout.becomes(Phase.REVERTED, seconds=60)
        scenario.serves(fleet, 0, seconds=10)
    assert [entry.reason for entry in reverted.status.history if entry.reason != "SpecEdited"] == [
        *("Started", "PausedByUser"),
        *("RolledBackByUser", "BaselineRestored"),
    ]
    assert keeper.ends == []
    assert broken_promises(proxy.journal) == []


def watches(proxy: ApiProxy, *, since: float) -> bool:
    """Return whether the API server has opened a watch of rollouts after `since`, in monotonic seconds."""
    method, path = WATCH
    return any(
        exchange.status == 200 and exchange.method == method and re.search(path, exchange.path)
        for exchange in proxy.since(since)
    )


@pytest.mark.parametrize("seconds", [2, pytest.param(60, marks=pytest.mark.long)], ids=["a moment", "a minute"])
def test_an_api_server_that_was_away_finds_everything_where_it_was(scenario: Scenario, seconds: float):
    # Given a rollout that is being proven at 50%
    proxy = scenario.api_proxy()
    fleet = scenario.fleet(replicas=1)
    operator = scenario.operator(through=proxy.url)
    scenario.traffic(fleet)
    rollout = scenario.apply("gateway", fleet, {**quick(50, 100, bake="30s"), "validFor": "5m"})
    rollout.bakes(50, milliseconds=2000, seconds=60)

    # When the operator cannot reach the API server for some time
    with KeptRunning(operator) as keeper:
        away = proxy.inject(".*", ".*", drop_request=True)
        eventually(lambda: away.met > 0, what="the operator to miss the API server", seconds=30)
        stood = rollout.read()
        time.sleep(seconds)
        left = rollout.read()
        scenario.serves(fleet, 50, seconds=0)
        proxy.clear()

        # Then nothing was stored meanwhile, and the rollout goes on from where it stood: no time that nobody saw is proven
        assert left.status == stood.status
        seen = rollout.until("an evaluation", lambda seen: seen.status.evaluated_at != left.status.evaluated_at, seconds=90)
        assert serves(seen, 50)
        assert proven_milliseconds(left) <= proven_milliseconds(seen) <= proven_milliseconds(left) + 2 * MOST_AT_ONCE

        # And it comes to its end without a doubled record
        done = rollout.becomes(Phase.COMPLETED, seconds=120)
    assert [entry.reason for entry in done.status.history] == ["Started", "Advanced", "Completed"]
    assert set(keeper.ends) <= {LEASE_LOST_STATUS}
    assert broken_promises(proxy.journal) == []


def test_a_restarted_api_server_loses_nothing(cluster: LocalCluster, scenario: Scenario):
    # Given a rollout that is being proven at 50%
    proxy = scenario.api_proxy()
    fleet = scenario.fleet(replicas=1)
    operator = scenario.operator(through=proxy.url)
    scenario.traffic(fleet)
    rollout = scenario.apply("gateway", fleet, {**quick(50, 100, bake="12s"), "validFor": "5m"})
    rollout.bakes(50, milliseconds=2000, seconds=60)

    # When the API server is killed and started again
    with KeptRunning(operator) as keeper:
        cluster.control_plane.api_server.kill()
        cluster.control_plane.api_server.start()

        # Then the rollout comes to its end
        done = rollout.becomes(Phase.COMPLETED, seconds=240)
    assert [entry.reason for entry in done.status.history] == ["Started", "Advanced", "Completed"]
    assert set(keeper.ends) <= {LEASE_LOST_STATUS}
    assert broken_promises(proxy.journal) == []
    scenario.serves(fleet, 100, seconds=10)


def test_an_operator_that_is_started_while_the_api_server_is_away_waits_for_it(scenario: Scenario):
    # Given an API server that cannot be reached at first
    proxy = scenario.api_proxy()
    away = proxy.inject(".*", ".*", drop_request=True, times=3)

    # When an operator is started, then it says so, and is ready when the server is back
    operator = scenario.operator(through=proxy.url)
    assert away.met == 3
    assert "waiting for the API server" in operator.log.read_text()
