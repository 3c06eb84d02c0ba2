"""Clients made for OPA, unchanged: the Python client of OPA, and the curl commands of its documentation."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from opa_client.opa import OpaClient
from opa_client.opa_async import AsyncOpaClient

from sark_e2e.opa import OpaServer

from .conftest import RunningSidecar, StartSidecar
from .rest_cases import ADMIN
from .test_rest_api import ARMS, in_arm, policies

__all__ = ["policies"]
GUEST = {"user": {"role": "guest", "id": "u2"}}


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(params=list(ARMS))
def sidecar(request: pytest.FixtureRequest, start_sidecar: StartSidecar) -> RunningSidecar:
    return in_arm(start_sidecar, request.param)


@pytest.fixture
def client(sidecar: RunningSidecar) -> Iterator[OpaClient]:
    where = urlsplit(sidecar.data)
    with OpaClient(host=where.hostname, port=where.port, timeout=20) as made:
        yield made


def test_the_python_client_of_opa_reads_and_asks(client: OpaClient, opa: OpaServer) -> None:
    assert client.check_connection()
    assert client.check_health()
    assert client.check_health(query={"bundles": True})
    assert client.query_rule(ADMIN, "probe", "allow") == {"result": True}
    assert client.query_rule(GUEST, "probe", "allow") == {"result": False}
    assert client.query_rule(ADMIN, "probe.decision")["result"]["reason"] == "by role"
    assert "metrics" in client.query_rule(ADMIN, "probe", "allow", {"metrics": True})
    assert client.get_data("list") == {"result": ["zero", {"k": 1}]}
    assert client.get_policies_list()
    assert set(client.get_policies_list()) == set(_direct(opa).get_policies_list())
    assert _below(client.get_policies_info(), client) == _below(_direct(opa).get_policies_info(), _direct(opa))
    assert client.ad_hoc_query("data.probe.allow = x", ADMIN) == {"result": [{"x": True}]}


def _below(documents: object, client: OpaClient) -> object:
    """Without the address that it puts before every path."""
    texts = json.loads(json.dumps(documents).replace(client.root_url, ""))
    return {name: {**policy, "rules": sorted(policy["rules"])} for name, policy in texts.items()}


def test_it_cannot_change_anything(client: OpaClient, opa: OpaServer) -> None:
    before = _direct(opa).get_policies_info()
    for write in (
        lambda: client.update_policy_from_string("package probe\nallow := true", "probe.rego"),
        lambda: client.update_or_create_data({"a": 1}, "list"),
        lambda: client.delete_policy("probe.rego"),
        lambda: client.delete_data("list"),
    ):
        assert not _succeeds(write)
    assert _below(_direct(opa).get_policies_info(), client) == _below(before, client)
    assert client.query_rule(GUEST, "probe", "allow") == {"result": False}


def _succeeds(write: Any) -> bool:
    """Each of its methods has an error of its own."""
    try:
        return bool(write())
    except Exception:  # noqa: BLE001 - see above
        return False


def _direct(opa: OpaServer) -> OpaClient:
    where = urlsplit(opa.url)
    return OpaClient(host=where.hostname, port=where.port, timeout=20)


@pytest.mark.asyncio
async def test_its_asynchronous_half_asks_too(sidecar: RunningSidecar) -> None:
    where = urlsplit(sidecar.data)
    async with AsyncOpaClient(host=where.hostname, port=where.port, timeout=20) as client:
        assert await client.check_health()
        assert await client.query_rule(ADMIN, "probe", "allow") == {"result": True}
        assert await client.query_rule(GUEST, "probe", "allow") == {"result": False}


CURL: list[list[str]] = [
    # As OPA's documentation writes them; @input is a file with {"input": ...}, @v0 one with the input alone.
    ["{base}/v1/data/probe/allow", "-d", "@input", "-H", "Content-Type: application/json"],
    ["-X", "POST", "{base}/v1/data/probe/decision", "-d", "@input"],
    ["{base}/v1/data/probe/decision?pretty=true", "--data-binary", "@input"],
    ["{base}/v0/data/probe/allow", "-X", "POST", "--data-binary", "@v0"],
    ["{base}", "-H", "Content-Type: application/json", "-d", '{{"name": "world"}}'],
    ["{base}/v1/data/list"],
    ["{base}/v1/data/list/1/k"],
    ["{base}/v1/data/none/at/all"],
    ["-G", "{base}/v1/data/probe/allow", "--data-urlencode", 'input={{"user": {{"role": "admin"}}}}'],
    ["--compressed", "{base}/v1/data/probe/long", "-d", "@input"],
    ["{base}/v1/query", "-d", '{{"query": "data.probe.allow = x", "input": {{"user": {{"role": "admin"}}}}}}'],
    ["-G", "{base}/v1/query", "--data-urlencode", "q=data.list[i] = x"],
    ["{base}/health"],
    ["{base}/health?bundles=true"],
    ["-I", "-X", "GET", "{base}/health"],
    ["{base}/v1/data/probe/allow", "-d", "nonsense"],
]


def test_curl_gets_what_opa_would_say(start_sidecar: StartSidecar, opa: OpaServer, tmp_path: Path) -> None:
    # curl is on every developer's machine and in every runner's image; without it this must not pass.
    program = shutil.which("curl")
    assert program, "curl is needed: install it"
    (tmp_path / "input").write_text(json.dumps({"input": ADMIN}), encoding="utf-8")
    (tmp_path / "v0").write_text(json.dumps(ADMIN), encoding="utf-8")

    def curl(base: str, arguments: list[str]) -> tuple[Any, ...]:
        command = [
            program,
            "--silent",
            "--show-error",
            "--noproxy",
            "*",
            "--max-time",
            "20",
            "-w",
            "\n%{http_code} %{content_type}",
        ]
        ran = subprocess.run(
            [*command, *(argument.format(base=base) for argument in arguments)],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        text, _, told = ran.stdout.rpartition("\n")
        return told, _told(text)

    sidecars = {arm: in_arm(start_sidecar, arm).data for arm in ARMS}
    for arguments in CURL:
        expected = curl(opa.url, arguments)
        for arm, base in sidecars.items():
            assert curl(base, arguments) == expected, (arm, arguments)


def _told(text: str) -> Any:
    """A document; of an error that quotes the reader's place only its code, and of headers nothing."""
    try:
        document = json.loads(text)
    except ValueError:
        return ""
    return document["code"] if isinstance(document, dict) and "message" in document else (document, text.count("\n"))
