"""One namespace, several, or the whole cluster: with the documented rights of each and no more."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Iterator
from typing import Any
from urllib.request import urlopen

import pytest
from kubernetes import client
from kubernetes.client.exceptions import ApiException

from sark_api.names import API_VERSION, GROUP, KIND, PLURAL, VERSION
from sark_e2e.cluster import LocalCluster
from sark_e2e.deadline import eventually
from sark_e2e.namespace import fresh_namespace
from sark_e2e.operator import LEASE_RULES, RULES, Operator
from sark_e2e.service_account import ServiceAccount, create_service_account

pytestmark = pytest.mark.timeout(240)


@pytest.fixture
def places(cluster: LocalCluster) -> Iterator[tuple[str, str, str]]:
    """The operator's own namespace, and two with a rollout each that waits for pods."""
    with contextlib.ExitStack() as stack:
        names = [stack.enter_context(fresh_namespace(cluster.api, "mode")) for _ in range(3)]
        for name in names[1:]:
            create_rollout(cluster, name)
            stack.callback(release, cluster, name)
        yield names[0], names[1], names[2]


def create_rollout(cluster: LocalCluster, namespace: str) -> None:
    spec = {
        "target": {"matchLabels": {"app": "gateway"}, "flagsConfigMap": "gateway-flags"},
        "prometheus": {"address": cluster.prometheus.url},
        "schedule": "Seed",
        "interval": "1s",
        "validFor": "30s",
    }
    body = {"apiVersion": API_VERSION, "kind": KIND, "metadata": {"name": "gateway"}, "spec": spec}
    client.CustomObjectsApi(cluster.api).create_namespaced_custom_object(GROUP, VERSION, namespace, PLURAL, body)


def release(cluster: LocalCluster, namespace: str) -> None:
    """Let the rollout go although no operator is there any more."""
    with contextlib.suppress(ApiException):
        body = {"metadata": {"finalizers": None}}
        client.CustomObjectsApi(cluster.api).patch_namespaced_custom_object(GROUP, VERSION, namespace, PLURAL, "gateway", body)


def reason(cluster: LocalCluster, namespace: str) -> str:
    """Return why the rollout is not further; empty while no operator has looked at it."""
    objects = client.CustomObjectsApi(cluster.api)
    found: Any = objects.get_namespaced_custom_object(GROUP, VERSION, namespace, PLURAL, "gateway")
    return str((found.get("status") or {}).get("reason") or "")


def grant(cluster: LocalCluster, account: ServiceAccount, namespace: str) -> None:
    """Give the account the operator's rights in a further namespace."""
    rbac = client.RbacAuthorizationV1Api(cluster.api)
    role: Any = {"metadata": {"name": account.name}, "rules": [dict(rule) for rule in RULES]}
    binding: Any = {
        "metadata": {"name": account.name},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": account.name},
        "subjects": [{"kind": "ServiceAccount", "namespace": account.namespace, "name": account.name}],
    }
    rbac.create_namespaced_role(namespace, role)
    rbac.create_namespaced_role_binding(namespace, binding)


def account(cluster: LocalCluster, home: str, **rules: Any) -> ServiceAccount:
    access = cluster.control_plane.access
    return create_service_account(cluster.api, access, namespace=home, name="operator", folder=cluster.folder / home, **rules)


def operator(cluster: LocalCluster, home: str, user: ServiceAccount, *namespaces: str) -> Operator:
    first, *more = namespaces or ("",)
    return Operator(
        namespace=first,
        lease_namespace=home,
        kubeconfig=user.access.kubeconfig,
        network=cluster.network,
        folder=cluster.folder / home,
        arguments=[f"--namespace={name}" for name in more],
    )


def failures(running: Operator) -> list[str]:
    """Return the API server's refusals the operator has met."""
    with urlopen(f"{running.url}/metrics", timeout=5) as answer:  # noqa: S310 - an address of our own
        lines = answer.read().decode().splitlines()
    return [line for line in lines if line.startswith("sark_operator_api_errors_total") and "RefusedError" in line]


def test_one_namespace_is_served_with_rights_in_it_alone(cluster: LocalCluster, places: tuple[str, str, str]):
    home, served, other = places
    user = account(cluster, home, rules=LEASE_RULES)
    grant(cluster, user, served)
    with operator(cluster, home, user, served) as running:
        eventually(lambda: reason(cluster, served) == "FlagsConfigMapMissing", what="a rollout that is looked at", seconds=60)
        assert reason(cluster, other) == ""
        assert failures(running) == []


def test_several_namespaces_are_served_with_a_role_in_each(cluster: LocalCluster, places: tuple[str, str, str]):
    home, one, two = places
    user = account(cluster, home, rules=LEASE_RULES)
    for served in (one, two):
        grant(cluster, user, served)
    with operator(cluster, home, user, one, two) as running:
        for served in (one, two):
            eventually(lambda at=served: reason(cluster, at) != "", what=f"the rollout in {served}", seconds=60)  # type: ignore[misc]
        assert failures(running) == []


def test_the_whole_cluster_is_served_with_a_cluster_role_and_its_lease(cluster: LocalCluster, places: tuple[str, str, str]):
    home, one, two = places
    user = account(cluster, home, rules=LEASE_RULES, cluster_rules=RULES)
    with operator(cluster, home, user) as running:
        for served in (one, two):
            eventually(lambda at=served: reason(cluster, at) != "", what=f"the rollout in {served}", seconds=60)  # type: ignore[misc]
        assert failures(running) == []


def revoke(cluster: LocalCluster, account: ServiceAccount, namespace: str) -> None:
    """Take the rights in a namespace away, as its deletion does before all else in it is gone."""
    rbac = client.RbacAuthorizationV1Api(cluster.api)
    rbac.delete_namespaced_role_binding(account.name, namespace)
    rbac.delete_namespaced_role(account.name, namespace)


def shows(running: Operator, series: str) -> bool:
    """Return whether this series of the operator is 1."""
    with urlopen(f"{running.url}/metrics", timeout=5) as answer:  # noqa: S310 - an address of our own
        return f"\n{series} 1.0\n" in answer.read().decode()


def unserved(running: Operator, namespace: str) -> bool:
    return shows(running, f'sark_operator_unserved{{sark_namespace="{namespace}"}}')


def readiness(running: Operator) -> str:
    with urlopen(f"{running.url}/readyz", timeout=5) as answer:  # noqa: S310
        return str(answer.read().decode())


def evaluated_anew(cluster: LocalCluster, namespace: str) -> bool:
    """Change the rollout, and return whether an operator takes note of it soon."""
    objects = client.CustomObjectsApi(cluster.api)
    body = {"spec": {"validFor": f"{int(time.time()) % 1000 + 60}s"}}
    changed: Any = objects.patch_namespaced_custom_object(GROUP, VERSION, namespace, PLURAL, "gateway", body)

    def noted() -> bool:
        found: Any = objects.get_namespaced_custom_object(GROUP, VERSION, namespace, PLURAL, "gateway")
        return (found.get("status") or {}).get("observedGeneration") == changed["metadata"]["generation"]

    eventually(noted, what=f"the changed rollout in {namespace}", seconds=30)
    return True


def test_a_namespace_without_its_role_is_reported_and_the_others_are_served(
    cluster: LocalCluster, places: tuple[str, str, str]
):
    # Given an operator for two namespaces, of which one has lost its Role before it started
    home, one, two = places
    user = account(cluster, home, rules=LEASE_RULES)
    grant(cluster, user, one)
    with operator(cluster, home, user, one, two) as running:
        # Then the other one is served, and people are told of it
        eventually(lambda: reason(cluster, one) != "", what=f"the rollout in {one}", seconds=60)
        assert unserved(running, two)
        assert not unserved(running, one)
        assert f"namespace {two} is not served: list sarkrollouts.sark.dev" in readiness(running)
        assert "not served: give the rights back" in running.log.read_text()
        assert reason(cluster, two) == ""

        # And when the Role is back, then it is served too, by the same process
        grant(cluster, user, two)
        eventually(lambda: reason(cluster, two) != "", what=f"the rollout in {two}", seconds=60)
        eventually(lambda: not unserved(running, two), what="a namespace that is served again", seconds=90)
        assert readiness(running) == "ok\n"


def test_a_role_that_is_lost_takes_the_operator_from_no_other_namespace(cluster: LocalCluster, places: tuple[str, str, str]):
    # Given an operator that serves two namespaces
    home, one, two = places
    user = account(cluster, home, rules=LEASE_RULES)
    for served in (one, two):
        grant(cluster, user, served)
    with operator(cluster, home, user, one, two) as running:
        for served in (one, two):
            eventually(lambda at=served: reason(cluster, at) != "", what=f"the rollout in {served}", seconds=60)  # type: ignore[misc]

        # When one Role goes, then the operator goes on with the other, and says so
        revoke(cluster, user, two)
        eventually(lambda: unserved(running, two), what="a namespace that is not served", seconds=90)
        assert evaluated_anew(cluster, one)
        assert not unserved(running, one)

        # And a new start does so too
        running.send(signal.SIGTERM)
        assert running.wait(seconds=20) == 0
        running.start()
        assert evaluated_anew(cluster, one)
        assert unserved(running, two)


def test_an_operator_that_waits_for_the_lease_of_another_installation_says_so(
    cluster: LocalCluster, places: tuple[str, str, str]
):
    # Given an operator that leads, and another one for another namespace with the same Lease
    home, one, two = places
    user = account(cluster, home, rules=LEASE_RULES)
    for served in (one, two):
        grant(cluster, user, served)
    with operator(cluster, home, user, one) as first:
        eventually(lambda: reason(cluster, one) != "", what=f"the rollout in {one}", seconds=60)
        with operator(cluster, home, user, two) as second:
            # Then that one is ready, as an update that changes the namespaces needs it, and says that it serves nothing
            eventually(
                lambda: f"which serves {one}, while this one is to serve {two}" in readiness(second),
                what="a remark",
                seconds=30,
            )
            assert readiness(second).startswith("ok\n")
            assert shows(second, "sark_operator_lease_shared")
            assert not shows(first, "sark_operator_lease_shared")
            assert "an operator of another installation leads" in second.log.read_text()
            assert reason(cluster, two) == ""

            # And when the first one goes, as in such an update, then it serves what it is to
            first.stop()
            eventually(lambda: reason(cluster, two) != "", what=f"the rollout in {two}", seconds=60)
            assert readiness(second) == "ok\n"


def test_the_rights_of_one_namespace_do_not_open_the_cluster(cluster: LocalCluster, places: tuple[str, str, str]):
    # Given the rights of one namespace, when the whole cluster is asked for, then the operator ends with a sentence
    home, served, _ = places
    user = account(cluster, home, rules=LEASE_RULES)
    grant(cluster, user, served)
    asked = operator(cluster, home, user)
    with contextlib.suppress(Exception):
        asked.start()
    assert asked.wait(seconds=30) == 1
    assert "cannot list resource" in asked.log.read_text()
    assert "grant this operator its rights" in asked.log.read_text()
