"""The local control plane is a real one: it has the pinned version, and its controllers do their work."""

from __future__ import annotations

import pytest
from kubernetes import client
from kubernetes.client.exceptions import ApiException

from sark_e2e import binaries
from sark_e2e.control_plane import ControlPlane
from sark_e2e.deadline import eventually
from sark_e2e.program import CATALOGUE


def test_the_server_has_the_minor_version_that_is_pinned(control_plane: ControlPlane):
    running = binaries.parse_version(control_plane.version())

    assert running is not None
    assert running[:2] == CATALOGUE["kube-apiserver"].pinned()[:2]


def test_an_anonymous_caller_is_forbidden(control_plane: ControlPlane):
    # Given a client that trusts the server but brings no certificate
    configuration = client.Configuration(host=control_plane.server)
    configuration.ssl_ca_cert = str(control_plane.authority)

    # When it reads, then RBAC refuses
    with client.ApiClient(configuration) as anonymous, pytest.raises(ApiException) as refused:
        client.CoreV1Api(anonymous).list_namespace()
    assert refused.value.status == 403


def test_objects_go_with_their_owner(api: client.ApiClient, namespace: str):
    # Given a ConfigMap owned by another
    core = client.CoreV1Api(api)
    owner = core.create_namespaced_config_map(namespace, client.V1ConfigMap(metadata=client.V1ObjectMeta(name="owner")))
    reference = client.V1OwnerReference(api_version="v1", kind="ConfigMap", name="owner", uid=owner.metadata.uid)
    owned = client.V1ConfigMap(metadata=client.V1ObjectMeta(name="owned", owner_references=[reference]))
    core.create_namespaced_config_map(namespace, owned)

    # When the owner is deleted
    core.delete_namespaced_config_map("owner", namespace)

    # Then the controllers delete the other
    def gone() -> bool:
        return all(each.metadata.name != "owned" for each in core.list_namespaced_config_map(namespace).items)

    eventually(gone, what="collection by owner reference", seconds=60)
