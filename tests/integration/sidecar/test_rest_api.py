"""The sidecar is an OPA to its clients: the same requests to OPA and to the sidecar on each arm, every difference listed."""

from __future__ import annotations

import gzip
import http.client
import json
import os
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from sark_e2e.opa import OpaServer

from .conftest import RunningSidecar, StartSidecar
from .rest_cases import ADMIN, DATA, HEALTH, MAIN, POLICY, Case, cases
from .rest_differences import DIFFERENCES, explained

ARMS = {"python": 0, "rust": 100}
HEADERS = ("content-type", "content-encoding", "allow")
_TRIES = 50


@dataclass(frozen=True)
class Told:
    """An answer, as far as it is compared."""

    status: int
    headers: dict[str, str]
    body: Any

    def differences(self, other: Told) -> set[str]:
        """Return what differs."""
        found = {name for name in HEADERS if self.headers.get(name) != other.headers.get(name)}
        if self.status != other.status:
            found.add("status")
        if self.body != other.body:
            found.add("body")
        return found


def ask_opa(base: str, case: Case) -> Told:
    """As `ask`, for OPA, which may lose its answer; it is asked again. The sidecar is asked once: a lost answer is a fault.

    OPA may close before it has read a body that it refuses. And its reader of packed bodies, when it is a new one, panics at a
    body that is not packed: it is given a packed one to read before. That reader is kept by the processor it was made on, until
    the collector comes, and the next question may come to another: so it is asked many times.
    """
    for _ in range(_TRIES):
        told = ask(base, case)
        if told.status:
            break
        if case.headers.get("Content-Encoding") == "gzip":
            ask(base, replace(case, body=gzip.compress(b"{}")))
    return told


def test_opa_that_loses_answers_is_asked_until_it_gives_one(opa: OpaServer):
    # Given a body that is said to be packed, and is not
    case = next(case for case in cases() if case.note == "not packed")

    # When OPA is asked often, then each time it answers in the end
    assert {ask_opa(opa.url, case).status for _ in range(20)} == {400}


def ask(base: str, case: Case) -> Told:
    """Send the request byte for byte as the case has it."""
    where = urlsplit(base)
    connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=20)
    try:
        connection.putrequest(case.method, case.target, skip_accept_encoding=True)
        for name, value in case.headers.items():
            connection.putheader(name, value)
        if case.body is not None:
            connection.putheader("Content-Length", str(len(case.body)))
        connection.endheaders(case.body)
        answer = connection.getresponse()
        raw = answer.read()
    except (http.client.HTTPException, ConnectionError) as error:
        return Told(0, {}, type(error).__name__)
    finally:
        connection.close()
    headers = {name: value for name in HEADERS if (value := answer.headers.get(name)) is not None}
    if headers.get("content-encoding") == "gzip":
        raw = gzip.decompress(raw)
    return Told(answer.status, headers, normalised(raw, case.target))


def normalised(raw: bytes, target: str) -> Any:
    """Return the JSON document without what differs from one request to the next; text where it is none."""
    try:
        document = json.loads(raw)
    except ValueError:
        return raw.decode("utf-8", "replace")
    if isinstance(document, dict):
        # Times and counts of this very request, and a trace of its evaluation with its own numbers.
        for member in ("metrics", "explanation"):
            if member in document:
                document[member] = "present"
        # An error's text says where the reader stood; its beginning says what was wrong.
        if isinstance(document.get("message"), str):
            document["message"] = document["message"].partition(":")[0]
        if isinstance(found := document.get("result"), list) and "/policies" in target:
            # In no order.
            found.sort(key=lambda policy: str(policy["id"]))
    return (document, raw.count(b"\n")) if "pretty" in target and "present" not in str(document) else document


@pytest.fixture
def policies(tmp_path: Path) -> Path:
    folder = tmp_path / "policies"
    folder.mkdir()
    for name, text in {"probe.rego": POLICY, "health.rego": HEALTH, "main.rego": MAIN, "data.json": json.dumps(DATA)}.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def in_arm(start_sidecar: StartSidecar, arm: str) -> RunningSidecar:
    flags = {"rollout_percentage": ARMS[arm], "rust_opa_enabled": True, "rust_cache_enabled": True}
    # A trace of everything takes OPA seconds on a busy machine; what is compared here are its answers.
    return start_sidecar(name=arm, feature_flags=flags, opa={"timeout": "15s"})


@pytest.mark.timeout(300)
def test_every_request_is_answered_as_by_opa(start_sidecar: StartSidecar, opa: OpaServer):
    # Given a sidecar with everybody on baseline, and one with everybody in the new arm
    sidecars = {arm: in_arm(start_sidecar, arm) for arm in ARMS}
    table = [case for case in cases() if "a write" not in case.note]
    assert len(table) >= 100

    # When each request is sent to OPA and to both
    rows = []
    for case in table:
        expected = ask_opa(opa.url, case)
        found = {arm: ask(sidecar.data, case) for arm, sidecar in sidecars.items()}
        rows.append((case, expected, found))

    # Then what differs is listed with its reason, and both arms differ in the same way
    used = Counter[str]()
    unexplained: list[tuple[object, ...]] = []
    lines = []
    for case, expected, found in rows:
        differs = {arm: expected.differences(told) for arm, told in found.items()}
        reason = explained(case) if any(differs.values()) else None
        if any(differs.values()):
            used[reason.name if reason else "?"] += 1
            permitted = reason.fields if reason else frozenset[str]()
            if any(not fields <= permitted for fields in differs.values()):
                unexplained.append((case.name, differs, expected, found))
        if found["python"].differences(found["rust"]) and not (reason and reason.arms_differ):
            unexplained.append((case.name, "the arms differ", found["python"], found["rust"]))
        lines.append(f"| {case.name} | {expected.status} | {found['python'].status} | {found['rust'].status} | "
                     f"{reason.name if reason else ''} |")  # fmt: skip
    if target := os.environ.get("SARK_REST_TABLE"):
        Path(target).write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"{len(rows)} requests, {sum(used.values())} with a listed difference: {dict(used)}")  # noqa: T201 - the figures of the page
    assert not unexplained, "\n".join(str(each) for each in unexplained)

    # And the list has nothing on it that no longer differs
    assert {each.name for each in DIFFERENCES} == set(used)

    # And a parameter that only OPA understands is no failure of the new arm
    assert sidecars["rust"].metric("implementation_fallback_total", error_type="unsupported_parameter") == 0
    assert sidecars["rust"].metric("sark_passed_on_total") > 0


@pytest.mark.parametrize("arm", list(ARMS))
def test_writes_are_refused_and_change_nothing(start_sidecar: StartSidecar, opa: OpaServer, arm: str):
    sidecar = in_arm(start_sidecar, arm)
    before = ask_opa(opa.url, Case("GET", "/v1/data")), ask_opa(opa.url, Case("GET", "/v1/policies"))
    for case in (case for case in cases() if "a write" in case.note):
        told = ask(sidecar.data, case)
        assert (told.status, told.body["code"]) == (403, "invalid_operation"), case.name
    assert (ask_opa(opa.url, Case("GET", "/v1/data")), ask_opa(opa.url, Case("GET", "/v1/policies"))) == before


@pytest.mark.parametrize("arm", list(ARMS))
def test_a_batch_is_answered_input_by_input(start_sidecar: StartSidecar, arm: str):
    sidecar = in_arm(start_sidecar, arm)

    def batch(path: str, document: object) -> tuple[int, Any]:
        told = ask(sidecar.data, Case("POST", f"/v1/batch/data/{path}", json.dumps(document).encode()))
        return told.status, told.body

    # Given inputs of which one is allowed by what is common to all
    inputs = {"a": {"user": {"role": "admin"}}, "b": {"user": {"role": "guest"}}, "c": {}}
    common = {"user": {"role": "admin", "id": "u"}}
    expected = {"a": {"result": True}, "b": {"result": False}, "c": {"result": True}}
    assert batch("probe/allow", {"inputs": inputs, "common_input": common}) == (200, {"responses": expected})

    # When some cannot be decided, then each says so, and nobody is let in
    status, mixed = batch("probe/conflict", {"inputs": {"bad": {"both": True}, "none": {}}})
    assert status == 207
    assert mixed["responses"]["bad"]["http_status_code"] == "500"
    assert mixed["responses"]["none"] == {"http_status_code": "200"}
    assert batch("probe/conflict", {"inputs": {"bad": {"both": True}}})[0] == 500

    # And what is no batch, or too many, is refused
    assert batch("probe/allow", {"inputs": {str(number): ADMIN for number in range(257)}})[0] == 400
    for wrong in ({}, [], {"inputs": []}):
        assert batch("probe/allow", wrong)[0] == 400

    # And each input was counted in the arm
    assert sidecar.metric("sark_requests_total", implementation=arm) == 3 + 2 + 1


@pytest.mark.parametrize("arm", list(ARMS))
def test_a_bomb_is_refused(start_sidecar: StartSidecar, arm: str):
    sidecar = in_arm(start_sidecar, arm)
    body = gzip.compress(b'{"input": "' + b"0" * 50_000_000 + b'"}')
    case = Case("POST", "/v1/data/probe/allow", body, {"Content-Encoding": "gzip"})
    assert ask(sidecar.data, case).status == 413
