"""Namespaces of a local cluster: one for each test or rollout, so that nothing left behind is seen by the next."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator
from typing import Final

from kubernetes import client
from kubernetes.client.exceptions import ApiException

from .deadline import eventually

READY_SECONDS: Final = 30.0


@contextlib.contextmanager
def fresh_namespace(api: client.ApiClient, prefix: str = "test") -> Iterator[str]:
    """Create a namespace with a name of its own, wait until pods can be made in it; delete it afterwards without waiting."""
    name = f"{prefix}-{secrets.token_hex(4)}"
    create_namespace(api, name)
    try:
        yield name
    finally:
        with contextlib.suppress(ApiException):
            client.CoreV1Api(api).delete_namespace(name)


def create_namespace(api: client.ApiClient, name: str) -> None:
    """Create namespace `name` and wait until pods can be made in it. Raises TimeoutError."""
    core = client.CoreV1Api(api)
    core.create_namespace(client.V1Namespace(metadata=client.V1ObjectMeta(name=name)))
    eventually(
        lambda: _has_service_account(core, name),
        what=f"the default service account of namespace {name}",
        seconds=READY_SECONDS,
    )


def _has_service_account(core: client.CoreV1Api, namespace: str) -> bool:
    """Pods are refused until the controller manager has made the account they run as."""
    try:
        core.read_namespaced_service_account("default", namespace)
    except ApiException as error:
        if error.status == 404:
            return False
        raise
    return True
