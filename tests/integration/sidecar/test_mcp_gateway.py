"""The example gateway beside a real sidecar: what the policy lets through, and that no decision is no permission."""

from __future__ import annotations

import json
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sark_e2e.loopback import LoopbackNetwork
from sark_e2e.probe import http_ok
from sark_e2e.process import Process
from sark_e2e.program import ROOT

from .conftest import RunningSidecar, StartSidecar

DEVELOPER = {"X-User": "alice", "X-Tenant": "acme", "X-Roles": "developer"}


@pytest.fixture
def sidecar(start_sidecar: StartSidecar) -> RunningSidecar:
    return start_sidecar()


@pytest.fixture
def gateway(sidecar: RunningSidecar, network: LoopbackNetwork, tmp_path: Path) -> Iterator[str]:
    port = network.port()
    with Process(
        "gateway",
        [sys.executable, "-W", "error", ROOT / "examples" / "mcp_gateway" / "gateway.py"],
        environment={"OPA_URL": sidecar.data, "PORT": str(port)},
        log=tmp_path / "gateway.log",
        ready=http_ok(f"http://127.0.0.1:{port}/healthz"),
    ):
        yield f"http://127.0.0.1:{port}/mcp"


def call(url: str, body: Any, headers: dict[str, str] = DEVELOPER) -> tuple[int, Any]:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    asked = urllib.request.Request(url, data=data, headers=headers)  # noqa: S310
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(asked, timeout=20) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def tool(name: str, **arguments: str) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {"name": name, "arguments": arguments}}


def test_the_policy_decides_and_secrets_are_not_passed_on(gateway: str):
    status, answer = call(gateway, tool("search_documents", query="q", token="secret"))
    assert status == 200
    assert json.loads(answer["result"]["content"][0]["text"]) == {"tool": "search_documents", "called_with": {"query": "q"}}

    status, answer = call(gateway, tool("delete_tenant", tenant="acme"))
    assert (status, answer["id"], answer["error"]["code"]) == (403, 7, -32001)
    assert "sensitivity" in answer["error"]["message"]


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"params": {}}', b'{"params": 1}'])
def test_what_is_no_call_is_refused(body: bytes, gateway: str):
    assert call(gateway, body)[0] == 400


def test_no_decision_is_no_permission(gateway: str, sidecar: RunningSidecar):
    sidecar.kill()
    status, answer = call(gateway, tool("search_documents", query="q"))
    assert (status, answer["error"]["code"]) == (500, -32002)
