"""Service accounts of local processes: each part gets the rights it has in a real cluster, never the administrator's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from kubernetes import client

from . import kubeconfig
from .control_plane import Access

TOKEN_SECONDS: Final = 86_400
"""Longer than a local cluster is left running; local processes do not renew it."""

Rules = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class ServiceAccount:
    """A service account that exists, and how to speak for it."""

    namespace: str
    name: str
    access: Access


def create_service_account(
    api: client.ApiClient,
    access: Access,
    *,
    namespace: str,
    name: str,
    folder: Path,
    rules: Rules = (),
    cluster_rules: Rules = (),
) -> ServiceAccount:
    """Create an account with `rules` in its namespace and `cluster_rules` everywhere; write its kubeconfig below `folder`."""
    # The client's models accept their JSON form too, which their type hints do not say.
    account: Any = {"metadata": {"name": name}}
    client.CoreV1Api(api).create_namespaced_service_account(namespace, account)
    rbac = client.RbacAuthorizationV1Api(api)
    subject = {"kind": "ServiceAccount", "namespace": namespace, "name": name}
    if rules:
        rbac.create_namespaced_role(namespace, _role(name, rules))
        rbac.create_namespaced_role_binding(namespace, _binding("Role", name, subject))
    if cluster_rules:
        cluster_name = f"{namespace}:{name}"
        rbac.create_cluster_role(_role(cluster_name, cluster_rules))
        rbac.create_cluster_role_binding(_binding("ClusterRole", cluster_name, subject))
    path = kubeconfig.with_token(
        folder / f"{namespace}-{name}.kubeconfig",
        server=access.server,
        authority=access.authority,
        token=_token(api, namespace, name),
        namespace=namespace,
    )
    return ServiceAccount(namespace, name, Access(access.server, access.authority, path))


def _role(name: str, rules: Rules) -> Any:
    return {"metadata": {"name": name}, "rules": [dict(rule) for rule in rules]}


def _binding(kind: str, role: str, subject: Mapping[str, str]) -> Any:
    return {
        "metadata": {"name": role},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": role},
        "subjects": [dict(subject)],
    }


def _token(api: client.ApiClient, namespace: str, name: str) -> str:
    request: Any = {"spec": {"expirationSeconds": TOKEN_SECONDS}}
    answer: Any = client.CoreV1Api(api).create_namespaced_service_account_token(name, namespace, request)
    return str(answer.status.token)
