"""The operator as a process: two of them, one that is killed, frozen or told to stop, and one that may not begin."""

from __future__ import annotations

import json
import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from typing import Any
from urllib.request import urlopen

import psutil
import pytest
from kubernetes import client

from sark_api.names import FIELD_MANAGER, FINALIZER, GROUP, PLURAL, VERSION
from sark_e2e.cluster import LocalCluster
from sark_e2e.deadline import eventually
from sark_e2e.example import quick
from sark_e2e.operator import LEASE_SECONDS, Operator
from sark_e2e.process import ProcessError
from sark_e2e.scenario import Scenario

pytestmark = pytest.mark.timeout(240)


@pytest.fixture
def scenario(cluster: LocalCluster) -> Iterator[Scenario]:
    with Scenario(cluster, prefix="operator") as story:
        yield story


def leads(operator: Operator) -> bool:
    with urlopen(f"{operator.url}/metrics", timeout=5) as answer:  # noqa: S310 - an address of our own
        return "\nsark_operator_leader 1.0\n" in answer.read().decode()


def holder(scenario: Scenario) -> str:
    leases = client.CoordinationV1Api(scenario.cluster.api)
    lease: Any = leases.read_namespaced_lease("sark-operator", scenario.namespace)
    return lease.spec.holder_identity or ""


def connecting(operator: Operator, address: str) -> bool:
    """Return whether the operator waits for a connection to `address`."""
    host, _, port = address.removeprefix("http://").rpartition(":")
    return any(
        (each.status, each.raddr) == (psutil.CONN_SYN_SENT, (host, int(port)))
        for each in psutil.Process(operator.pid).net_connections("tcp")
    )


def test_the_second_operator_goes_on_when_the_first_is_killed(cluster: LocalCluster, scenario: Scenario):
    # Given a leader that has brought a rollout to 50%, and another operator that has stood by from the start
    fleet = scenario.fleet(replicas=1)
    first = scenario.operator()
    scenario.traffic(fleet)
    eventually(lambda: leads(first), what="a leader", seconds=30)
    with cluster.operator(scenario.namespace, name="second") as second:
        rollout = scenario.apply("gateway", fleet, quick(50, 100, bake="20s"))
        rollout.reaches(50, seconds=60)
        assert not leads(second)
        before = scenario.flags(fleet)

        # When the leader is killed
        first.kill()

        # Then the other one takes over and finishes the rollout, without repeating a step
        eventually(lambda: leads(second), what="the second operator to lead", seconds=LEASE_SECONDS * 3)
        done = rollout.reaches(100, seconds=90)
        assert [entry.reason for entry in done.status.history][:2] == ["Started", "Advanced"]
        assert scenario.flags(fleet).revision > before.revision


def test_a_frozen_leader_ends_when_it_thaws(cluster: LocalCluster, scenario: Scenario):
    # Given a leader, and another operator that stands by
    first = scenario.operator()
    eventually(lambda: leads(first), what="a leader", seconds=30)
    with cluster.operator(scenario.namespace, name="second") as second:
        # When the leader is frozen for longer than its Lease, then the other one takes over
        first.send(signal.SIGSTOP)
        try:
            eventually(lambda: leads(second), what="the second operator to lead", seconds=LEASE_SECONDS * 3)
        finally:
            first.send(signal.SIGCONT)

        # And the first one ends by itself, with an exit status that is not a success, and takes nothing back
        assert first.wait(seconds=20) == 3
        assert leads(second)


def test_an_operator_that_is_told_to_stop_gives_the_lease_back(scenario: Scenario):
    fleet = scenario.fleet(replicas=1)
    operator = scenario.operator()
    rollout = scenario.apply("gateway", fleet, quick(50, 100))
    rollout.until("an evaluated rollout", lambda seen: seen.status.observed_generation > 0, seconds=30)
    assert holder(scenario)
    operator.send(signal.SIGTERM)
    assert operator.wait(seconds=10) == 0
    assert holder(scenario) == ""


@pytest.fixture
def silent_address(cluster: LocalCluster) -> Iterator[str]:
    """An address at which connections are neither made nor refused."""
    with ExitStack() as stack:
        listening = stack.enter_context(socket.socket())
        listening.bind((cluster.network.server, 0))
        listening.listen(0)
        for _ in range(4):  # more than wait to be accepted
            waiting = stack.enter_context(socket.socket())
            waiting.settimeout(0)
            with suppress(BlockingIOError):
                waiting.connect(listening.getsockname())
        yield "http://{}:{}".format(*listening.getsockname())


def test_a_server_that_does_not_answer_does_not_hold_up_the_end(scenario: Scenario, silent_address: str):
    # Given a rollout whose Prometheus does not take connections, and is waited for for a minute
    fleet = scenario.fleet(replicas=1)
    operator = scenario.operator()
    asked = {"prometheus": {"address": silent_address, "timeout": "60s"}}
    rollout = scenario.apply("gateway", fleet, quick(50, 100) | asked)
    rollout.until("a rollout that is known", lambda _: connecting(operator, silent_address), seconds=30)

    # When the operator is told to stop, then it ends long before that minute is over
    operator.send(signal.SIGTERM)
    assert operator.wait(seconds=20) == 0
    assert holder(scenario) == ""


def test_a_rollout_deleted_while_nobody_works_is_restored_before_it_goes(scenario: Scenario):
    # Given a rollout at 50%, and an operator that was killed
    fleet = scenario.fleet(replicas=2)
    operator = scenario.operator()
    scenario.traffic(fleet)
    rollout = scenario.apply("gateway", fleet, quick(50, 100, bake="60s"))
    rollout.reaches(50, seconds=60)
    operator.kill()

    # When the rollout is deleted, then it stays, and so does its share
    rollout.delete()
    rollout.stays("an object that waits for the operator", lambda _: True, seconds=2)
    assert scenario.flags(fleet).percentage == 50

    # And when an operator is there again, the baseline is restored first
    operator.start()
    rollout.vanishes(seconds=60)
    assert scenario.flags(fleet).percentage == 0
    scenario.serves(fleet, 0, seconds=5)


def test_nothing_but_the_operator_itself_writes_on_a_rollout(cluster: LocalCluster, scenario: Scenario):
    # Given a rollout that is under way and was edited
    fleet = scenario.fleet(replicas=1)
    scenario.operator()
    scenario.traffic(fleet)
    rollout = scenario.apply("gateway", fleet, quick(50, 100, bake="60s"))
    rollout.reaches(50, seconds=60)
    rollout.edit({"mode": "Paused"})
    rollout.until("a paused rollout", lambda seen: seen.status.phase == "Paused", seconds=20)

    # Then kopf has left neither a finalizer nor an annotation of its own, and written nothing
    objects = client.CustomObjectsApi(cluster.api)
    body: Any = objects.get_namespaced_custom_object(GROUP, VERSION, scenario.namespace, PLURAL, "gateway")
    metadata = body["metadata"]
    assert metadata["finalizers"] == [FINALIZER]
    assert set(metadata.get("annotations", {})) <= {"kubectl.kubernetes.io/last-applied-configuration"}
    writers = {entry["manager"] for entry in metadata["managedFields"] if entry.get("subresource") == "status"}
    assert writers == {FIELD_MANAGER}


def test_an_operator_without_rights_says_so_and_ends(cluster: LocalCluster, scenario: Scenario):
    # Given credentials that may not read rollouts
    fleet = scenario.fleet(replicas=1)
    folder = cluster.folder / scenario.namespace / "powerless"
    powerless = Operator(namespace=scenario.namespace, kubeconfig=fleet.kubeconfig, network=cluster.network, folder=folder)

    # When an operator is started with them, then it ends with a sentence
    with pytest.raises(ProcessError):
        powerless.start()
    assert powerless.wait(seconds=10) == 1
    last = json.loads(powerless.log.read_text().strip().splitlines()[-1])
    assert last["event"] == "cannot start"
    assert "forbidden" in last["problem"]
