"""A fleet of real sidecars behind Pod objects: what the operator's tests and the demonstration stand on."""

from __future__ import annotations

import json
import urllib.parse
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from kubernetes import client
from kubernetes.client.exceptions import ApiException

from sark_api.names import METRIC_FLAG_REVISION
from sark_e2e.cluster import LocalCluster
from sark_e2e.control_plane import Access, ControlPlane
from sark_e2e.deadline import eventually
from sark_e2e.fleet import Fleet
from sark_e2e.prometheus import PrometheusServer
from sark_e2e.traffic.mix import PATH, Mix


@pytest.fixture
def fleet(cluster: LocalCluster, namespace: str) -> Iterator[Fleet]:
    """Two sidecars without a flag document."""
    with cluster.fleet("gateway", namespace=namespace, replicas=2) as running:
        yield running


def get_json(url: str, body: object = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, headers={"Content-Type": "application/json"})  # noqa: S310
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - a URL of our own server
        return json.load(answer)


def readiness(api: client.ApiClient, fleet: Fleet) -> dict[str, tuple[str, int]]:
    """Return each pod's Ready condition and restarts, as anyone who asks the API sees them."""
    pods = client.CoreV1Api(api).list_namespaced_pod(fleet.namespace, label_selector=f"app={fleet.name}").items
    return {
        pod.metadata.name: (
            next(each.status for each in pod.status.conditions if each.type == "Ready"),
            pod.status.container_statuses[0].restart_count,
        )
        for pod in pods
    }


def test_a_fleet_is_ready_and_answers(api: client.ApiClient, fleet: Fleet):
    # Given a fleet that has just started, every pod is ready
    assert readiness(api, fleet) == {"gateway-0": ("True", 0), "gateway-1": ("True", 0)}

    # When each sidecar is asked, then it gives the example policy's decision
    for url in fleet.data_urls:
        decision = get_json(url + PATH, Mix(seed=5).question())["result"]
        assert isinstance(decision["allow"], bool)
        assert decision["reason"]


def test_every_sidecar_is_scraped(fleet: Fleet, prometheus_server: PrometheusServer):
    query = urllib.parse.urlencode({"query": f'{METRIC_FLAG_REVISION}{{namespace="{fleet.namespace}"}}'})

    def pods() -> set[str]:
        found = get_json(f"{prometheus_server.url}/api/v1/query?{query}")["data"]["result"]
        return {each["metric"]["pod"] for each in found}

    eventually(lambda: pods() == {"gateway-0", "gateway-1"}, what="both sidecars in Prometheus", seconds=60)


def test_a_crashed_sidecar_is_not_ready_until_it_is_restarted(api: client.ApiClient, fleet: Fleet):
    # When one crashes
    fleet.pods[0].crash()

    # Then its pod is not ready, and the other is
    assert readiness(api, fleet) == {"gateway-0": ("False", 0), "gateway-1": ("True", 0)}

    # And when it is restarted, it is ready and has been counted
    fleet.pods[0].restart()
    assert readiness(api, fleet) == {"gateway-0": ("True", 1), "gateway-1": ("True", 0)}


def test_a_fleets_account_reads_its_flags_and_nothing_else(control_plane: ControlPlane, fleet: Fleet):
    # Given the account of the sidecars
    with Access(control_plane.server, control_plane.authority, fleet.kubeconfig).client() as limited:
        core = client.CoreV1Api(limited)

        # When it reads the flags, then it may
        assert core.read_namespaced_config_map(fleet.config_map, fleet.namespace).metadata is not None

        # And all else is forbidden
        with pytest.raises(ApiException, match="403"):
            core.list_namespaced_config_map(fleet.namespace)
        with pytest.raises(ApiException, match="403"):
            core.patch_namespaced_config_map(fleet.config_map, fleet.namespace, {"data": {"flags.json": "{}"}})
