"""Starting, refusing to start, following a ConfigMap as a whole process, and faults on purpose."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client

from sark_api.flags import FeatureFlags, FlagDocument
from sark_api.names import FLAGS_KEY
from sark_api.report import FlagReport, FlagState
from sark_e2e import chart
from sark_e2e.control_plane import ControlPlane
from sark_e2e.deadline import eventually
from sark_e2e.service_account import create_service_account

from .conftest import RunningSidecar, StartSidecar, is_closed, request

QUESTION = {
    "user": {"id": "user-00001", "tenant": "acme", "roles": ["developer"]},
    "action": "invoke",
    "tool": {"name": "read_ticket", "tenant": "acme"},
}
ALL_IN = {"rollout_percentage": 100, "rust_opa_enabled": True, "rust_cache_enabled": True}


def document(percentage: int, revision: int, *, seconds: float = 300) -> FlagDocument:
    return FlagDocument(
        feature_flags=FeatureFlags(rust_opa_enabled=True, rust_cache_enabled=True, rollout_percentage=percentage),
        salt="salt",
        rollout="team/gateway",
        revision=revision,
        valid_until=datetime.now(UTC) + timedelta(seconds=seconds) if 0 < percentage < 100 else None,
    ).sealed()


def report(sidecar: RunningSidecar) -> FlagReport:
    return FlagReport.model_validate(sidecar.get("/flags"))


STATES = ["none", "static", "watching", "file", "stale", "expired"]
"""By their number in sark_flags_state."""


def told(sidecar: RunningSidecar) -> set[str]:
    """Return the states of the flags that /flags, the metrics, readiness and the log tell."""
    lines = [json.loads(line) for line in sidecar.log.read_text(encoding="utf-8").splitlines() if line.startswith("{")]
    logged = [line["now"] if line["event"] == "flags state" else line["flags_state"] for line in lines
              if line.get("event") in {"flags state", "ready"}]  # fmt: skip
    status, ready = request(f"{sidecar.admin}/ready")
    assert status == 200
    return {str(sidecar.get("/flags")["state"]), STATES[int(sidecar.metric("sark_flags_state"))], ready["flags"], logged[-1]}


def test_without_a_source_the_flags_are_static_everywhere(start_sidecar: StartSidecar):
    assert told(start_sidecar()) == {"static"}


def test_a_config_map_steers_the_whole_process(
    start_sidecar: StartSidecar, api: client.ApiClient, control_plane: ControlPlane, namespace: str, tmp_path: Path
):
    # Given a sidecar that watches a ConfigMap with the rights of one
    rules = chart.rules("sidecar-rules", flags="flags")
    account = create_service_account(api, control_plane.access, namespace=namespace, name="pod", folder=tmp_path, rules=rules)
    core = client.CoreV1Api(api)

    def write(text: str) -> None:
        core.replace_namespaced_config_map("flags", namespace, config_map(text))

    def config_map(text: str) -> client.V1ConfigMap:
        return client.V1ConfigMap(metadata=client.V1ObjectMeta(name="flags"), data={FLAGS_KEY: text})

    flags: dict[str, Any] = {
        "mode": "watch",
        "namespace": namespace,
        "config_map": "flags",
        "kubeconfig": str(account.access.kubeconfig),
        "state_file": str(tmp_path / "state.json"),
    }
    sidecar = start_sidecar(flags=flags)
    assert (report(sidecar).state, report(sidecar).percentage) == (FlagState.NONE, 0)
    assert told(sidecar) == {"none"}

    # When the share goes to 100 %, then the traffic moves
    core.create_namespaced_config_map(namespace, config_map(document(100, 1).to_json()))
    eventually(lambda: report(sidecar).percentage == 100, what="100 %", seconds=20)
    assert report(sidecar).state is FlagState.WATCHING
    assert told(sidecar) == {"watching"}
    sidecar.decide(QUESTION)
    assert sidecar.metric("sark_requests_total", implementation="rust", sark_rollout="team/gateway") == 1
    assert sidecar.metric("sark_flag_revision") == 1

    # When a broken document comes, then it is refused, counted and explained
    write(document(50, 2).to_json().replace('"rollout_percentage": 50', '"rollout_percentage": 99'))
    eventually(lambda: sidecar.metric("sark_flag_documents_refused_total") == 1, what="the refusal", seconds=20)
    assert report(sidecar).revision == 1
    assert "sha256" in sidecar.get("/v1/status")["flags"]["last_refusals"][0]["reason"]

    # When a share is not renewed, then it ends by itself
    write(document(50, 3, seconds=2).to_json())
    eventually(lambda: report(sidecar).revision == 3, what="revision 3", seconds=20)
    eventually(lambda: report(sidecar).state is FlagState.EXPIRED, what="the end of validity", seconds=20)
    assert report(sidecar).percentage == 0
    assert told(sidecar) == {"expired"}
    before = sidecar.metric("sark_requests_total", implementation="rust")
    sidecar.decide(QUESTION)
    assert sidecar.metric("sark_requests_total", implementation="rust") == before

    # When it is killed and starts while the API is away, then it goes on where it was
    write(document(100, 4).to_json())
    eventually(
        lambda: '"revision": 4' in (tmp_path / "state.json").read_text(encoding="utf-8"), what="the state file", seconds=20
    )
    sidecar.kill()
    account.access.kubeconfig.write_text(
        account.access.kubeconfig.read_text().replace(control_plane.access.server, "https://127.0.0.1:1")
    )
    restarted = start_sidecar(flags={**flags, "start_timeout": "500ms"}, name="restarted")
    assert (report(restarted).state, report(restarted).percentage) == (FlagState.STALE, 100)
    assert told(restarted) == {"stale"}


def test_a_file_alone_steers_too(start_sidecar: StartSidecar, tmp_path: Path):
    path = tmp_path / "mounted.json"
    sidecar = start_sidecar(flags={"mode": "file", "file": str(path)})
    assert report(sidecar).state is FlagState.NONE
    path.write_text(document(25, 1).to_json(), encoding="utf-8")
    eventually(lambda: report(sidecar).percentage == 25, what="25 %", seconds=20)
    assert report(sidecar).state is FlagState.FILE
    assert told(sidecar) == {"file"}


def test_logs_that_nobody_reads_hold_up_nothing(start_sidecar: StartSidecar, tmp_path: Path):
    # Given a sidecar with a share in force, whose standard error is a pipe that takes no more
    logs, path = tmp_path / "logs", tmp_path / "mounted.json"
    os.mkfifo(logs)
    pipe = os.open(logs, os.O_RDWR | os.O_NONBLOCK)
    try:
        path.write_text(document(50, 1).to_json(), encoding="utf-8")
        to_pipe = ("sh", "-c", f'exec "$@" 2>{logs}', "sh")
        sidecar = start_sidecar(flags={"mode": "file", "file": str(path)}, prefix=to_pipe)
        with suppress(BlockingIOError):
            while True:
                os.write(pipe, b"x" * 1024)

        # When it has something to say, then it hears all the same of a revert
        path.write_text("no document", encoding="utf-8")
        eventually(lambda: sidecar.metric("sark_flag_documents_refused_total") == 1, what="the refusal", seconds=20)
        path.write_text(document(0, 2).to_json(), encoding="utf-8")
        eventually(lambda: report(sidecar).percentage == 0, what="0 %", seconds=20)
        assert sidecar.decide(QUESTION)[0] == 200

        # And it ends when it is told to
        sidecar.send(signal.SIGTERM)
        assert sidecar.wait(seconds=20) == 0
    finally:
        os.close(pipe)


def test_faults_are_injected_only_when_enabled(start_sidecar: StartSidecar, tmp_path: Path):
    # Given a fault file, and a sidecar that was not told to read it
    faults = tmp_path / "faults.json"
    faults.write_text('{"rust": {"latency_ms": 400, "error_percent": 100}}', encoding="utf-8")
    plain = start_sidecar(feature_flags=ALL_IN, fault_injection={"enabled": False, "file": str(faults)}, name="plain")
    time.sleep(0.5)
    assert plain.decide(QUESTION)[0] == 200
    assert plain.metric("implementation_fallback_total") == 0
    assert plain.metric("sark_fault_injection_enabled") == 0
    assert plain.get("/v1/status")["faults"] == {"enabled": False}

    # And one that was: its new arm fails, and baseline answers
    told = start_sidecar(feature_flags=ALL_IN, fault_injection={"enabled": True, "file": str(faults)}, name="told")
    eventually(lambda: told.get("/v1/status")["faults"]["rust"]["latency_ms"] == 400, what="the faults", seconds=10)
    status, answer = told.decide(QUESTION)
    assert (status, answer["result"]["allow"]) == (200, True)
    assert told.metric("implementation_fallback_total") > 0
    assert told.metric("sark_requests_total", implementation="rust", result="error") == 1
    assert told.metric("sark_fault_injection_enabled") == 1
    assert told.get("/v1/status")["faults"]["first_fault_at"] is not None

    # What is no fault file changes nothing
    faults.write_text('{"rust": {"latency": 1}}', encoding="utf-8")
    eventually(lambda: told.get("/v1/status")["faults"]["problem"] != "", what="the refusal", seconds=10)
    assert told.get("/v1/status")["faults"]["rust"]["latency_ms"] == 400

    # And without the file it is over
    faults.unlink()
    eventually(lambda: told.get("/v1/status")["faults"]["rust"]["latency_ms"] == 0, what="no faults", seconds=10)
    before = told.metric("sark_requests_total", implementation="rust", result="error")
    told.decide({**QUESTION, "action": "discover"})
    assert told.metric("sark_requests_total", implementation="rust", result="error") == before


@pytest.mark.parametrize(
    ("sections", "sentence"),
    [
        ({"opa": {"urll": "x"}}, "opa.urll is not a setting; did you mean opa.url?"),
        ({"policies": {"directory": "/absent"}}, "policies.directory: policy folder /absent: No such file or directory"),
        ({"flags": {"mode": "watch", "namespace": "a", "config_map": "b"}}, "outside a pod set flags.kubeconfig"),
        ({"data": {"host": "192.0.2.1"}}, "data.host 192.0.2.1, data.port 8180"),
        ({"admin": {"host": "192.0.2.1"}}, "admin.host 192.0.2.1, admin.port 8182"),
    ],
)
def test_what_cannot_start_says_why_in_one_sentence(start_sidecar: StartSidecar, sections: dict[str, Any], sentence: str):
    sidecar = start_sidecar(wait=False, **sections)
    assert sidecar.wait(seconds=30) == 1
    last = [line for line in sidecar.tail().splitlines() if not line.startswith("{")][-1]
    assert last.startswith("sark-sidecar: ")
    assert sentence in last
    assert "Traceback" not in sidecar.tail()


def test_policies_that_do_not_compile_end_the_start_with_file_and_reason(start_sidecar: StartSidecar, policies: Path):
    (policies / "broken.rego").write_text("package broken\n\nallow if {\n", encoding="utf-8")
    sidecar = start_sidecar(wait=False)
    assert sidecar.wait(seconds=30) == 1
    assert "broken.rego" in sidecar.tail().splitlines()[-1]


def test_check_prints_what_is_in_force_and_starts_nothing(start_sidecar: StartSidecar, policies: Path, tmp_path: Path):
    path = tmp_path / "checked.yaml"
    path.write_text(
        f"policies: {{directory: {policies}}}\ncache: {{redis_url: 'redis://:hunter2@redis/0'}}\n", encoding="utf-8"
    )
    command = [sys.executable, "-m", "sark_sidecar", "--config", str(path), "--check"]
    checked = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert checked.returncode == 0, checked.stderr
    assert "policy revision " in checked.stdout
    assert "hunter2" not in checked.stdout + checked.stderr
    (policies / "tools.json").write_text("{}", encoding="utf-8")
    refused = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert refused.returncode == 1
    assert refused.stderr.startswith("sark-sidecar: policies.directory: tools.json: data is read from")


def test_no_password_is_ever_logged_or_shown(start_sidecar: StartSidecar):
    sidecar = start_sidecar(cache={"redis_url": "redis://:hunter2@127.0.0.1:1/0"}, log={"level": "debug"})
    assert sidecar.decide(QUESTION)[0] == 200
    assert sidecar.get("/v1/status")["cache"]["redis_problem"]
    assert "hunter2" not in json.dumps(sidecar.get("/v1/status")) + sidecar.log.read_text(encoding="utf-8")


def test_the_admin_port_only_reads(start_sidecar: StartSidecar):
    sidecar = start_sidecar()
    for path in ("/flags", "/metrics", "/policies", "/health", "/ready", "/v1/status"):
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            assert request(f"{sidecar.admin}{path}", b"{}", method=method)[0] == 405
    assert request(f"{sidecar.admin}/v1/data/mcp")[0] == 404
    assert request(f"{sidecar.admin}/health?{'x' * 20_000}")[0] == 400


@pytest.mark.parametrize("asked", [b"", b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n"], ids=["silent", "served once"])
def test_connections_that_ask_nothing_cannot_shut_the_admin_port(start_sidecar: StartSidecar, asked: bytes):
    # Given somebody who opens all connections, and keeps them
    sidecar = start_sidecar(admin={"max_connections": 8})
    host, port = sidecar.admin.removeprefix("http://").split(":")
    held = [socket.create_connection((host, int(port)), timeout=20) for _ in range(8)]
    try:
        for each in held:
            if asked:
                each.sendall(asked)
                assert b"200 OK" in each.recv(4096)

        # Then the one that has been idle longest gives way to each that comes
        assert [request(f"{sidecar.admin}/ready")[0] for _ in range(20)] == [200] * 20

        # And those that send nothing are closed after a while
        assert asked or all(is_closed(each) for each in held)
    finally:
        for each in held:
            each.close()


def test_decisions_of_a_fleet_without_redis(start_sidecar: StartSidecar):
    sidecar = start_sidecar(cache={"backend": "rust"})
    assert [sidecar.decide(QUESTION)[0] for _ in range(3)] == [200] * 3
    assert sidecar.metric("opa_evaluation_total", implementation="python") == 3
    assert sidecar.metric("cache_operations_total", implementation="python") == 0
