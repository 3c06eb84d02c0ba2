"""Operators that think they lead and do not: whatever they were about to do has no effect."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.request import urlopen

import pytest
from kubernetes import client

from sark_api.names import GROUP, PLURAL, VERSION
from sark_api.status import Phase
from sark_e2e.cluster import LocalCluster
from sark_e2e.deadline import eventually
from sark_e2e.example import quick
from sark_e2e.faults.api_proxy import ApiProxy
from sark_e2e.fleet import Fleet
from sark_e2e.operator import LEASE_SECONDS, Operator
from sark_e2e.scenario import Scenario

pytestmark = pytest.mark.timeout(240)

LEASE_LOST = 3
LEASE = "sark-operator"
FLAGS_WRITE = ("PATCH", r"/configmaps/")
STATUS_WRITE = ("PUT", r"/sarkrollouts/[^/]+/status")
LEASE_WRITE = ("PUT", r"/leases/")


@pytest.fixture
def scenario(cluster: LocalCluster) -> Iterator[Scenario]:
    with Scenario(cluster, prefix="zombie") as story:
        yield story


def leads(operator: Operator) -> bool:
    with urlopen(f"{operator.url}/metrics", timeout=5) as answer:  # noqa: S310 - an address of our own
        return "\nsark_operator_leader 1.0\n" in answer.read().decode()


def traces(scenario: Scenario, fleet: Fleet) -> dict[str, Any]:
    """Return everything an operator could have left its mark on."""
    core, events = client.CoreV1Api(scenario.cluster.api), client.EventsV1Api(scenario.cluster.api)
    flags: Any = core.read_namespaced_config_map(fleet.config_map, scenario.namespace)
    told: Any = events.list_namespaced_event(scenario.namespace)
    objects = client.CustomObjectsApi(scenario.cluster.api)
    rollout: Any = objects.get_namespaced_custom_object(GROUP, VERSION, scenario.namespace, PLURAL, "gateway")
    return {
        "revision": scenario.flags(fleet).revision,
        "flags": flags.metadata.resource_version,
        "rollout": rollout["metadata"]["resourceVersion"],
        "status": rollout["status"],
        "events": sorted(event.metadata.name for event in told.items),
    }


def at_rest(scenario: Scenario, fleet: Fleet) -> dict[str, Any]:
    """Wait until nobody leaves marks any more, and return them."""
    found: dict[str, Any] = {}

    def still() -> bool:
        nonlocal found
        before, found = found, traces(scenario, fleet)
        time.sleep(1.5)
        return before == found

    eventually(still, what="a rollout at rest", seconds=60)
    return found


@pytest.mark.parametrize(
    "on_its_way",
    [pytest.param(None, marks=pytest.mark.long), FLAGS_WRITE, STATUS_WRITE],
    ids=["between two ticks", "flags on their way", "status on its way"],
)
def test_a_leader_that_was_frozen_has_no_effect_after_its_successor_reverted(
    scenario: Scenario, on_its_way: tuple[str, str] | None
):
    # Given a leader that bakes a rollout at 50%, and writes often
    proxy = scenario.api_proxy()
    fleet = scenario.fleet(replicas=1)
    first = scenario.operator(through=proxy.url)
    scenario.traffic(fleet)
    rollout = scenario.apply("gateway", fleet, {**quick(50, 100, bake="300s"), "validFor": "10s"})
    rollout.bakes(50, milliseconds=1000, seconds=60)
    second = scenario.operator(name="second")

    # When it is frozen, perhaps with a write on its way, for longer than its Lease
    held = proxy.inject(*on_its_way, hold=True, times=1) if on_its_way else None
    if held is not None:
        assert held.holding.wait(30)
    first.send(signal.SIGSTOP)
    try:
        # And the second takes over, finds a breach and reverts
        eventually(lambda: leads(second), what="the second operator to lead", seconds=LEASE_SECONDS * 5)
        fleet.inject(error_percent=40)
        rollout.becomes(Phase.REVERTED, seconds=60)
        scenario.serves(fleet, 0, seconds=5)
        before = at_rest(scenario, fleet)
        pending = [exchange for exchange in proxy.journal if exchange.writes and not exchange.status]
        thawed_at = time.monotonic()
    finally:
        first.send(signal.SIGCONT)
    if held is not None:
        proxy.release(held)

    # Then the first ends by itself, and nothing it does has any effect
    assert first.wait(seconds=30) == LEASE_LOST
    assert [str(one) for one in [*pending, *proxy.since(thawed_at)] if one.had_effect] == []
    assert at_rest(scenario, fleet) == before
    assert leads(second)


def delete(lease: client.CoordinationV1Api, namespace: str, _: ApiProxy) -> None:
    lease.delete_namespaced_lease(LEASE, namespace)


def refuse(_: client.CoordinationV1Api, __: str, proxy: ApiProxy) -> None:
    proxy.inject(*LEASE_WRITE, status=403, message="leases are forbidden")


@pytest.mark.parametrize("accident", [delete, refuse], ids=["deleted", "renewals refused"])
def test_a_leader_that_loses_its_lease_writes_nothing_more(
    scenario: Scenario, accident: Callable[[client.CoordinationV1Api, str, ApiProxy], None]
):
    # Given a leader that bakes a rollout
    proxy = scenario.api_proxy()
    fleet = scenario.fleet(replicas=1)
    operator = scenario.operator(through=proxy.url)
    scenario.traffic(fleet)
    rollout = scenario.apply("gateway", fleet, quick(50, 100, bake="300s"))
    rollout.bakes(50, milliseconds=1000, seconds=60)

    # When the Lease is lost
    accident(client.CoordinationV1Api(scenario.cluster.api), scenario.namespace, proxy)

    # Then it ends by itself, with a reason, and has written nothing for some time before another may begin
    assert operator.wait(seconds=LEASE_SECONDS * 5) == LEASE_LOST
    last = json.loads(operator.log.read_text().strip().splitlines()[-1])
    assert last["event"] == "lost the Lease"
    assert LEASE in last["problem"]
    left = rollout.read()
    assert left.status.phase is Phase.PROGRESSING

    # And one that is started again goes on with what was proven, under a term of its own
    proxy.clear()
    operator.start()
    after = rollout.until(
        "a bake that goes on",
        lambda seen: bool(
            seen.status.bake
            and left.status.bake
            and seen.status.bake.proven_milliseconds > left.status.bake.proven_milliseconds
        ),
        seconds=90,
    )
    assert after.status.leader != left.status.leader
    assert [entry.reason for entry in after.status.history] == ["Started"]


def test_a_rollout_that_is_kept_under_a_later_term_is_left_alone(scenario: Scenario):
    # Given a leader that bakes a rollout
    proxy = scenario.api_proxy()
    fleet = scenario.fleet(replicas=1)
    operator = scenario.operator(through=proxy.url)
    scenario.traffic(fleet)
    rollout = scenario.apply("gateway", fleet, quick(50, 100, bake="300s"))
    before = rollout.bakes(50, milliseconds=1000, seconds=60)
    assert before.status.leader is not None

    # When a successor of the same Lease has been at it, although the Lease looks held, as after a suspended machine goes on
    later = {"status": {"leader": {"identity": "successor", "term": before.status.leader.term + 1}}}
    objects = client.CustomObjectsApi(scenario.cluster.api)
    objects.patch_namespaced_custom_object_status(GROUP, VERSION, scenario.namespace, PLURAL, "gateway", later)
    eventually(lambda: "successor keeps this rollout" in operator.log.read_text(), what="a leader that steps back", seconds=30)
    since = time.monotonic()

    # Then nothing is written on it any more
    rollout.stays(
        "the successor's", lambda seen: seen.status.leader is not None and seen.status.leader.identity == "successor", seconds=4
    )
    assert [str(one) for one in proxy.since(since) if one.had_effect and "/leases/" not in one.path] == []
