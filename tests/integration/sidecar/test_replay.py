"""`sark-sidecar replay` on decision logs that a real OPA has written, uploaded or not."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from sark_e2e import binaries
from sark_e2e.loopback import LoopbackNetwork
from sark_e2e.opa import OpaServer
from sark_e2e.probe import http_ok
from sark_e2e.process import Process

from .conftest import request

LISTS = "package lists\n\nclosed := {}\n"
DOOR = """
package door

default decision := {"allow": false, "reason": "unknown list"}

decision := {"allow": data.lists[input.list].open, "reason": input.user}

clock := time.now_ns()

remote := http.send({"url": input.url, "method": "get"})
"""


@pytest.fixture
def policies(policies: Path) -> Path:
    """With a door whose lists OPA may know more of."""
    (policies / "lists.rego").write_text(LISTS, encoding="utf-8")
    (policies / "door.rego").write_text(DOOR, encoding="utf-8")
    return policies


@pytest.fixture
def recorded(network: LoopbackNetwork, tmp_path: Path, policies: Path) -> list[dict[str, Any]]:
    """What another OPA with the same policies was asked, as its console wrote it."""
    url = f"http://{network.server}:{network.port()}"
    log = tmp_path / "recording" / "opa.log"
    log.parent.mkdir()
    arguments = ["run", "--server", f"--addr={url.removeprefix('http://')}", "--skip-version-check"]
    recorder = Process(
        "opa-recorder",
        [binaries.program("opa"), *arguments, "--set=decision_logs.console=true", "."],
        directory=policies,
        log=log,
        ready=http_ok(f"{url}/health"),
    )
    with recorder:
        for number in range(30):
            request(f"{url}/v1/data/door/decision", {"input": {"list": "closed", "user": f"u{number}", "n": 2**64 + number}})
        request(f"{url}/v1/data/door/decision", {"input": {"list": "guests", "user": "carol"}})
        request(f"{url}/v1/data/door/clock", {"input": {}})
        request(f"{url}/v1/data/door/remote", {"input": {"url": "http://127.0.0.1:1/"}})
        request(f"{url}/v1/data/no/such/path", {})
        request(f"{url}/v1/query", {"query": "x = 1"})
    events = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines() if line.startswith("{")]
    assert len([event for event in events if "decision_id" in event]) == 35
    return events


def replay(tmp_path: Path, opa: OpaServer, policies: Path, *arguments: str) -> tuple[int, str, str]:
    configuration = tmp_path / "sidecar.yaml"
    settings = {"policies": {"directory": str(policies)}, "opa": {"url": opa.url}}
    configuration.write_text(yaml.safe_dump(settings), encoding="utf-8")
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-m", "sark_sidecar", "replay", "--config", str(configuration), *arguments],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    return ended.returncode, ended.stdout, ended.stderr


def test_recorded_requests_that_both_arms_decide_alike(
    tmp_path: Path, opa: OpaServer, policies: Path, recorded: list[dict[str, Any]]
):
    # Given the same decisions as console lines, and as OPA uploads them
    lines, uploaded = tmp_path / "opa.log", tmp_path / "upload.gz"
    lines.write_text("".join(json.dumps(event) + "\n" for event in recorded), encoding="utf-8")
    uploaded.write_bytes(gzip.compress(json.dumps([event for event in recorded if "decision_id" in event]).encode()))

    # When both are replayed
    code, out, said = replay(tmp_path, opa, policies, "-o", "json", "--recorded", str(lines), str(uploaded))

    # Then everything is in one count, and there is nothing to worry about
    assert code == 0, said
    report = json.loads(out)
    assert report["read"] == len(recorded) + 35
    assert sum(report["total"].values()) == report["read"]
    decision = report["paths"]["door/decision"]
    assert (decision["equal"], decision["mismatch"]) == (62, 0)
    assert decision["recorded"] == {"equal": 62, "mismatch": 0}
    assert report["paths"]["door/clock"]["skipped_reasons"] == {"nondeterministic": 2}
    assert report["paths"]["door/remote"]["skipped"] == 2
    assert report["paths"]["no/such/path"]["equal"] == 2
    assert report["unusable_reasons"]["query"] == 2


def test_mismatches_are_told_and_end_with_another_code(
    tmp_path: Path, opa: OpaServer, policies: Path, recorded: list[dict[str, Any]]
):
    # Given an OPA that knows a list the engine does not, which no comparison of policies can see
    file = tmp_path / "opa.log"
    file.write_text("".join(json.dumps(event) + "\n" for event in recorded), encoding="utf-8")
    assert request(f"{opa.url}/v1/data/lists/guests", {"open": True}, method="PUT")[0] == 204

    # When it is replayed, the difference is told in full
    code, out, _ = replay(tmp_path, opa, policies, str(file))
    assert code == 2
    assert "mismatch: door/decision" in out
    assert "allow, at /allow, /reason" in out
    assert '{"allow": true, "reason": "carol"}' in out
    # And without a value when told so
    code, out, _ = replay(tmp_path, opa, policies, "--redact", str(file))
    assert (code, "carol" in out, "mismatch: door/decision" in out) == (2, False, True)


def test_what_cannot_be_done_or_is_too_little_is_never_code_zero(tmp_path: Path, opa: OpaServer, policies: Path):
    few = tmp_path / "few.log"
    few.write_text('{"path": "door/decision", "input": {"list": "closed"}}\nnot json\n', encoding="utf-8")
    assert replay(tmp_path, opa, policies, str(few))[0] == 0
    code, _, said = replay(tmp_path, opa, policies, "--min-compared", "2", str(few))
    assert code == 3
    assert "1 requests compared" in said
    assert replay(tmp_path, opa, policies, str(tmp_path / "nowhere"))[0] == 1

    # Other policies in OPA than in the configuration
    (policies / "more.rego").write_text("package more\n\nanswer := 1\n", encoding="utf-8")
    code, out, said = replay(tmp_path, opa, policies, str(few))
    assert (code, out) == (1, "")
    assert "other policies" in said

    # No OPA
    opa.stop()
    code, out, said = replay(tmp_path, opa, policies, str(few))
    assert (code, out) == (1, "")
    assert "OPA cannot be reached" in said
