"""Reading rollouts from the real API server, and every way in which that cannot be done."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from sark_e2e.cluster import LocalCluster
from sark_e2e.service_account import create_service_account

Run = Callable[..., Any]
EXAMPLE = yaml.safe_load((Path(__file__).parents[3] / "examples" / "gateway.yaml").read_text())


@pytest.fixture
def gateway(cluster: LocalCluster, namespace: str) -> str:
    """A rollout no operator looks at; returns its namespace."""
    body = copy.deepcopy(EXAMPLE) | {"metadata": {"name": "gateway", "namespace": namespace}}
    cluster.kubectl("apply", "-f", "-", stdin=yaml.safe_dump(body))
    return namespace


def test_list_and_status_of_a_rollout_nobody_looks_at(gateway: str, run: Run):
    listed = run("list", "-n", gateway)
    assert listed.code == 0
    assert [line.split()[0] for line in listed.out.splitlines()] == ["NAME", "gateway"]
    status = run("status", "gateway", "-n", gateway)
    assert status.code == 3
    assert "no operator has looked at it yet" in status.out
    assert "\x1b" not in status.out


def test_data_is_what_the_api_server_holds(gateway: str, run: Run):
    assert run("status", "gateway", "-n", gateway, "-o", "json").data["metadata"]["name"] == "gateway"
    assert len(run("list", "-n", gateway, "-o", "json").data["items"]) == 1
    assert yaml.safe_load(run("list", "-n", gateway, "-o", "yaml").out)["kind"] == "List"


def test_a_misspelt_name_is_answered_with_the_nearest(gateway: str, run: Run):
    done = run("status", "gatewy", "-n", gateway)
    assert (done.code, done.out) == (6, "")
    assert done.err == f"error: there is no SarkRollout gatewy in namespace {gateway}: did you mean gateway?\n"


def test_a_watch_ends_in_time(gateway: str, run: Run):
    assert run("status", "gateway", "-n", gateway, "-w", "--timeout", "1s").code == 7


def test_what_is_forbidden_is_said(cluster: LocalCluster, namespace: str, tmp_path: Path, run: Run):
    access = cluster.control_plane.access
    account = create_service_account(cluster.api, access, namespace=namespace, name="nobody", folder=tmp_path, rules=())
    done = run("list", "-n", namespace, kubeconfig=account.access.kubeconfig)
    assert done.code == 1
    assert f"error: cannot list SarkRollouts in namespace {namespace}: you may not: " in done.err


def test_a_server_that_is_not_there_is_said_in_one_sentence(cluster: LocalCluster, tmp_path: Path, run: Run):
    kubeconfig = yaml.safe_load(cluster.kubeconfig.read_text())
    kubeconfig["clusters"][0]["cluster"]["server"] = f"https://{cluster.network.server}:{cluster.network.port()}"
    broken = tmp_path / "kubeconfig"
    broken.write_text(yaml.safe_dump(kubeconfig))
    done = run("list", kubeconfig=broken)
    assert done.code == 1
    assert "cannot be reached: connection refused" in done.err
    assert len(done.err.splitlines()) == 1


def test_a_kubeconfig_that_is_none_is_said(tmp_path: Path, run: Run):
    (tmp_path / "bad").write_text("- not\n- a kubeconfig\n")
    assert run("list", kubeconfig=tmp_path / "bad").code == 1
    missing = run("list", kubeconfig=tmp_path / "missing")
    assert (missing.code, missing.err.count("\n")) == (1, 1)
    assert "there is no kubeconfig at" in missing.err


def test_an_unknown_context_is_said(run: Run):
    done = run("list", "--context", "mars")
    assert done.code == 1
    assert "mars" in done.err
    assert len(done.err.splitlines()) == 1
