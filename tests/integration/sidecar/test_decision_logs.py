"""The decision log of a whole sidecar: as OPA's, replayable, sent away, bounded, and without secrets."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from sark_e2e import binaries
from sark_e2e.deadline import eventually
from sark_e2e.loopback import LoopbackNetwork
from sark_e2e.probe import http_ok
from sark_e2e.process import Process

from .conftest import RunningSidecar, StartSidecar, request

NEW = {"rust_opa_enabled": True, "rust_cache_enabled": True}
CANARY = "canary-4711-secret"
MASK = """package system.log

mask contains "/input/password"

mask contains {"op": "upsert", "path": "/input/user/name", "value": "***"} if input.input.user.name
"""
DECISION = "mcp/gateway/decision"


def question(number: int = 1) -> dict[str, Any]:
    return {
        "user": {"id": f"user-{number:05}", "tenant": "acme", "roles": ["developer"]},
        "action": "invoke",
        "tool": {"name": "read_ticket", "tenant": "acme"},
    }


def logged(log: Path) -> list[dict[str, Any]]:
    """The decisions in what a program wrote."""
    lines = log.read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines if line.startswith("{") and '"Decision Log"' in line]


def awaited(log: Path, count: int) -> list[dict[str, Any]]:
    eventually(lambda: len(logged(log)) >= count, what=f"{count} decisions in the log", seconds=30)
    return logged(log)


class LogService(ThreadingHTTPServer):
    """Takes uploads; `status` is what it answers."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, host: str) -> None:
        super().__init__((host, 0), _Handler)
        self.url = f"http://{host}:{self.server_port}"
        self.status = 200
        self.holds = threading.Event()
        self.holds.set()
        self.events: list[dict[str, Any]] = []
        self.sizes: list[int] = []
        self.tokens: set[str] = set()

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that go away are part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    server: LogService

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.holds.wait(30)
        if self.server.status == 200:
            assert self.headers["Content-Encoding"] == "gzip"
            self.server.sizes.append(len(raw))
            self.server.tokens.add(self.headers.get("Authorization", ""))
            self.server.events += json.loads(gzip.decompress(raw))
        self.send_response(self.server.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's word
        """Say nothing."""


@pytest.fixture
def service(network: LoopbackNetwork) -> Iterator[LogService]:
    server = LogService(network.pod())
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    yield server
    server.holds.set()
    server.shutdown()
    server.server_close()


@pytest.fixture
def real_opa(network: LoopbackNetwork, tmp_path: Path, policies: Path) -> Iterator[tuple[str, Path]]:
    """An OPA that writes its decisions to its console: its address and its log."""
    address = f"{network.server}:{network.port()}"
    log = tmp_path / "real-opa" / "opa.log"
    with Process(
        "opa",
        [
            binaries.program("opa"),
            *("run", "--server", f"--addr={address}", "--log-level=info", "--log-format=json", "--skip-version-check"),
            *("--set=decision_logs.console=true", "."),
        ],
        directory=policies,
        log=log,
        ready=http_ok(f"http://{address}/health"),
    ):
        yield f"http://{address}", log


Ask = Callable[[str], tuple[int, Any]]


@pytest.mark.parametrize("percentage", [0, 100])
def test_an_event_is_what_opa_would_have_written(
    start_sidecar: StartSidecar, policies: Path, real_opa: tuple[str, Path], percentage: int
):
    # Given OPA and a sidecar with the same policies, which mask what they log
    (policies / "log.rego").write_text(MASK, encoding="utf-8")
    sidecar = start_sidecar(
        feature_flags={**NEW, "rollout_percentage": percentage}, decision_logs={"console": True, "labels": {"region": "eu"}}
    )
    address, log = real_opa
    request(f"{address}/v1/policies/log.rego", MASK.encode(), method="PUT")

    # When both are asked the same, with and without a decision
    given = {**question(), "password": CANARY, "list": [1.50, "a  b"]}
    given["user"] = {**given["user"], "name": CANARY}
    for path in (DECISION, "mcp/gateway/no_such_rule"):
        for base in (address, sidecar.data):
            status, answer = request(f"{base}/v1/data/{path}", {"input": given})
            assert status == 200
            assert len(answer["decision_id"]) == 36

    # Then both have written the same, but for what is of the process and the moment
    theirs, ours = awaited(log, 2), awaited(sidecar.log, 2)
    for opa, mine in zip(theirs, ours, strict=True):
        own = {"labels", "decision_id", "timestamp", "time", "metrics", "requested_by"}
        assert {key: opa[key] for key in opa if key not in own | {"req_id", "level"}} == {
            key: mine[key] for key in mine if key not in own | {"custom", "level"}
        }
        assert set(opa) - set(mine) <= {"req_id", "time"}
        assert set(mine) - set(opa) == {"custom"}
        for key in ("decision_id", "timestamp", "requested_by"):
            assert type(opa[key]) is type(mine[key])
        assert set(mine["metrics"]) <= set(opa["metrics"])
        assert set(mine["labels"]) == {"id", "version", "region"}
        assert mine["custom"]["arm"] == ("rust" if percentage else "python")
    assert ours[0]["erased"] == ["/input/password"]
    assert CANARY not in sidecar.log.read_text(encoding="utf-8")


def test_what_was_logged_can_be_replayed(start_sidecar: StartSidecar, tmp_path: Path):
    sidecar = start_sidecar(feature_flags={**NEW, "rollout_percentage": 50}, decision_logs={"console": True})
    for number in range(40):
        assert sidecar.decide(question(number))[0] == 200
    request(f"{sidecar.data}/v1/data/{DECISION}?metrics", {"input": question(1)})
    awaited(sidecar.log, 41)
    recording = tmp_path / "decisions.log"
    recording.write_text("".join(json.dumps(event) + "\n" for event in logged(sidecar.log)), encoding="utf-8")
    command = [sys.executable, "-m", "sark_sidecar", "replay", "--config", sidecar.configuration]
    replayed = subprocess.run(
        [*command, "--recorded", "-o", "json", recording],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert replayed.returncode == 0, replayed.stdout + replayed.stderr
    report = json.loads(replayed.stdout)
    assert report["total"]["equal"] == 41, report


def test_events_are_sent_and_sent_again_and_the_last_ones_at_the_end(
    start_sidecar: StartSidecar, service: LogService, tmp_path: Path
):
    # Given a service that is broken at first
    service.status = 503
    token = tmp_path / "log-token"
    token.write_text(CANARY, encoding="utf-8")
    sidecar = start_sidecar(
        feature_flags={**NEW, "rollout_percentage": 50},
        decision_logs={
            "service": {
                "url": service.url,
                "token_file": str(token),
                "min_delay": "200ms",
                "max_delay": "500ms",
                "max_chunk_bytes": 4096,
            }
        },
    )
    for number in range(100):
        assert sidecar.decide(question(number))[0] == 200
    eventually(
        lambda: "503" in sidecar.get("/v1/status")["decision_logs"]["service"]["problem"], what="the problem", seconds=20
    )
    # When it is well again
    service.status = 200
    eventually(lambda: len(service.events) == 100, what="all decisions", seconds=30)
    assert max(service.sizes) <= 4096
    assert service.tokens == {f"Bearer {CANARY}"}
    # And what was decided last arrives before the process ends
    sidecar.decide(question(100))
    sidecar.stop()
    assert sidecar.exit_status == 0
    assert sorted(event["input"]["user"]["id"] for event in service.events) == [f"user-{n:05}" for n in range(101)]
    assert len({event["decision_id"] for event in service.events}) == 101
    assert CANARY not in sidecar.log.read_text(encoding="utf-8")


def test_a_service_that_hangs_costs_events_but_no_request(start_sidecar: StartSidecar, service: LogService):
    service.holds.clear()
    sidecar = start_sidecar(
        feature_flags={**NEW, "rollout_percentage": 100},
        decision_logs={"service": {"url": service.url, "min_delay": "100ms"}, "buffer_bytes": 65_536},
    )
    # Far more than there is room for
    for number in range(400):
        assert sidecar.decide({**question(number), "note": "x" * 500})[0] == 200
    eventually(lambda: sidecar.metric("sark_decision_log_dropped_total", reason="buffer") > 0, what="lost ones", seconds=20)
    assert sidecar.get("/v1/status")["decision_logs"]["lost"]["buffer"] > 0
    assert sidecar.metric("sark_requests_total", implementation="rust", result="error") == 0


def test_secrets_are_nowhere(start_sidecar: StartSidecar, policies: Path, service: LogService, tmp_path: Path):
    # Given secrets in the configuration, and masks for those in the input
    token = tmp_path / "token"
    token.write_text(f"{CANARY}-token", encoding="utf-8")
    sidecar = start_sidecar(
        feature_flags={**NEW, "rollout_percentage": 50, "shadow_percentage": 100},
        cache={"redis_url": f"redis://user:{CANARY}-redis@127.0.0.1:1/0"},
        decision_logs={
            "console": True,
            "service": {"url": service.url, "token_file": str(token), "min_delay": "100ms"},
            "erase": ["/input/password", "/input/user/email"],
            "replace": [{"path": "/input/card", "value": "****"}],
        },
    )
    # When decisions, errors and refusals come about with secrets in them
    secret = {"password": f"{CANARY}-password", "card": f"{CANARY}-card"}
    bodies = []
    for number in range(20):
        given = {**question(number), **secret}
        given["user"] = {**given["user"], "email": f"{CANARY}-email"}
        bodies.append(sidecar.decide(given))
        bodies.append(request(f"{sidecar.data}/v1/data/{DECISION}?explain=full&metrics", {"input": given})[:1])
        bodies.append(request(f"{sidecar.data}/v1/data/{DECISION}", json.dumps({"input": given}).encode()[:-3]))
    service.status = 500
    sidecar.decide({**question(), **secret})
    eventually(lambda: len(logged(sidecar.log)) >= 41, what="the decisions", seconds=30)
    shown = [json.dumps(bodies)]
    shown += [
        json.dumps(sidecar.get(path))
        for path in ("/v1/status", "/flags", "/metrics", "/policies", "/ready", "/health", "/none")
    ]
    shown += [json.dumps(request(f"{sidecar.data}/v1/{path}")[1]) for path in ("status", "config", "nothing")]
    sidecar.stop()
    # Then they are neither in what it wrote, nor in what it showed, nor in what it sent
    for text in [sidecar.log.read_text(encoding="utf-8"), json.dumps(service.events), *shown]:
        assert CANARY not in text
    assert any(event["input"].get("card") == "****" for event in service.events)


def test_a_configuration_that_makes_no_sense_is_refused(start_sidecar: StartSidecar):
    sidecar = _refused(start_sidecar, {"console": True, "erase": ["/password"]})
    assert "decision_logs.erase" in sidecar.tail()
    assert "/input/password" in sidecar.tail()


def _refused(start_sidecar: StartSidecar, decision_logs: dict[str, Any]) -> RunningSidecar:
    sidecar = start_sidecar(decision_logs=decision_logs, wait=False, name="refused")
    assert sidecar.wait(seconds=30) == 1
    return sidecar
