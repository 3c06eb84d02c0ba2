"""What each service account of the chart may do, asked of the API server, against the table in docs/install.md."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client

from sark_e2e import chart
from sark_e2e.control_plane import ControlPlane
from sark_e2e.deadline import eventually

from .conftest import IMAGE

TABLE = Path(__file__).parents[3] / "docs" / "install.md"
ROW = re.compile(r"^\| `(?P<account>[a-z-]+)` \| `(?P<resource>[^`]+)` \|(?P<names>[^|]*)\|(?P<verbs>[^|]+)\|$")

Rights = set[tuple[str, str, str]]
"""Resource with its group, name or an empty string, verb."""


@pytest.fixture
def release(namespace: str, api: client.ApiClient, tmp_path: Path) -> Iterator[str]:
    """A namespace in which the chart's accounts, roles and bindings are, those of its hooks included."""
    values = {
        "image": IMAGE,
        "fleets": [{"namespace": namespace, "flagsConfigMap": "gateway-flags", "serviceAccounts": ["gateway"]}],
    }
    rbac = client.RbacAuthorizationV1Api(api)
    create: dict[str, Any] = {
        "ServiceAccount": client.CoreV1Api(api).create_namespaced_service_account,
        "Role": rbac.create_namespaced_role,
        "RoleBinding": rbac.create_namespaced_role_binding,
    }
    for each in chart.objects(chart.template(values, tmp_path, namespace=namespace)):
        if each["kind"] in create:
            create[each["kind"]](namespace, each)
    return namespace


@pytest.mark.parametrize("account", ["operator", "restore", "application"])
def test_the_account_may_do_what_the_table_says_and_nothing_else(
    account: str, release: str, api: client.ApiClient, control_plane: ControlPlane
):
    # Given the table
    documented = _documented(account)
    assert documented, f"the table has no row of {account}"
    name = {"operator": "sark-sark-rollout", "restore": "sark-sark-rollout-restore", "application": "gateway"}[account]

    # When the API server is asked for the account's rights, then they are the same, in this namespace and without one
    user, everybody = f"system:serviceaccount:{release}:{name}", f"system:serviceaccount:{release}:nobody"

    def granted(namespace: str = release) -> Rights:
        return _rights(control_plane, user, namespace) - _rights(control_plane, everybody, namespace)

    with contextlib.suppress(TimeoutError):  # The authorizer follows its roles; the comparison says what is missing.
        eventually(lambda: granted() == documented, what="the rights are there", seconds=20)
    assert granted() == documented
    assert granted("kube-system") == set()


def _documented(account: str) -> Rights:
    rights: Rights = set()
    for line in TABLE.read_text(encoding="utf-8").splitlines():
        row = ROW.match(line)
        if row is not None and row["account"] == account:
            names = re.findall(r"`([^`]+)`", row["names"]) or [""]
            rights |= {(row["resource"], name, verb.strip()) for name in names for verb in row["verbs"].split(",")}
    return rights


def _rights(control_plane: ControlPlane, user: str, namespace: str) -> Rights:
    with control_plane.access.client() as impersonating:
        impersonating.set_default_header("Impersonate-User", user)
        review: Any = {"spec": {"namespace": namespace}}
        answer: Any = client.AuthorizationV1Api(impersonating).create_self_subject_rules_review(review)
    assert not answer.status.incomplete
    return {
        (f"{resource}.{group}" if group else resource, name, verb)
        for rule in answer.status.resource_rules
        for group in rule.api_groups
        for resource in rule.resources
        for name in rule.resource_names or [""]
        for verb in rule.verbs
    }
