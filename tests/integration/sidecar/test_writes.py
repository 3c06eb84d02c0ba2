"""Documents that clients write: answered as by OPA, in force in both arms with the answer, and never in one of them alone."""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sark_e2e import binaries
from sark_e2e.deadline import eventually
from sark_e2e.loopback import LoopbackNetwork
from sark_e2e.opa import OpaServer

from .conftest import RunningSidecar, StartSidecar
from .rest_cases import Case
from .test_rest_api import Told, ask

POLICY = """package site

default allow := false

allow if data.users[input.user.id].role == "admin"

seen := data.users
"""
TOKEN = "hush-4711"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
JSON = {"Content-Type": "application/json"}
SHARES = {"python": 0, "rust": 100}
Make = Callable[..., "Site"]


@pytest.fixture
def policies(tmp_path: Path) -> Path:
    folder = tmp_path / "policies"
    folder.mkdir()
    (folder / "site.rego").write_text(POLICY, encoding="utf-8")
    (folder / "data.json").write_text('{"settings": {"open": false}}', encoding="utf-8")
    return folder


@dataclass
class Site:
    """A sidecar that takes writes of data.users."""

    sidecar: RunningSidecar

    def send(self, method: str, path: str, value: object = None, **headers: str) -> Told:
        body = None if value is None else value if isinstance(value, bytes) else json.dumps(value).encode()
        return ask(self.sidecar.data, Case(method, f"/v1/data{path}", body, {**JSON, **BEARER, **headers}))

    def allows(self, user: str) -> bool | None:
        """Return the decision; None when there is none."""
        told = self.send("POST", "/site/allow", {"input": {"user": {"id": user}}})
        return bool(told.body["result"]) if told.status == 200 else None

    @property
    def status(self) -> Any:
        return self.sidecar.get("/v1/status")

    def is_open(self) -> bool:
        return self.status["writes"]["engine_set_aside"] == ""


@pytest.fixture
def make(start_sidecar: StartSidecar, tmp_path: Path) -> Make:
    tokens = tmp_path / "tokens"
    tokens.write_text(f"{TOKEN}\n", encoding="utf-8")

    def made(arm: str = "rust", *, name: str = "sidecar", opens: bool = True, **sections: dict[str, Any]) -> Site:
        usual: dict[str, dict[str, Any]] = {
            "feature_flags": {"rollout_percentage": SHARES[arm], "rust_opa_enabled": True, "rust_cache_enabled": True},
            "data": {"authentication": "token", "token_file": str(tokens)},
            "writes": {"documents": ["users"]},
            "opa": {"timeout": "2s"},
        }
        site = Site(start_sidecar(name=name, **{**usual, **sections}))
        if opens:
            eventually(site.is_open, what="the engine decides", seconds=30)
        return site

    return made


@pytest.fixture
def other_opa(network: LoopbackNetwork, tmp_path: Path, policies: Path) -> Iterator[OpaServer]:
    """OPA by itself, to compare with."""
    with OpaServer(binaries.program("opa"), network=network, folder=tmp_path / "other", policies=policies) as running:
        yield running


def story() -> list[Case]:
    """Writes one after the other, of which each finds what those before have left."""

    def case(method: str, path: str, value: object = None, **headers: str) -> Case:
        return Case(method, f"/v1/data{path}", None if value is None else json.dumps(value).encode(), {**JSON, **headers})

    patches: list[object] = [
        [{"op": "add", "path": "/bob", "value": {"role": "admin"}}],
        [{"op": "replace", "path": "/bob/role", "value": "guest"}],
        [{"op": "add", "path": "/list/-", "value": 3}],
        [{"op": "add", "path": "/list/0", "value": 0}],
        [{"op": "remove", "path": "/bob"}],
        [{"op": "remove", "path": "/bob"}],
        [{"op": "replace", "path": "/nobody/role", "value": 1}],
        [{"op": "move", "from": "/list", "path": "/copy"}],
        [{"op": "add", "path": "/x~1y", "value": 1}, {"op": "add", "path": "/z", "value": None}],
        [{"op": "add", "path": "bad", "value": 1}],
        [],
        {},
        "text",
    ]
    return [
        case("DELETE", "/users/nobody"),
        case("PUT", "/users/alice", {"role": "admin"}),
        case("PUT", "/users/alice", {"role": "guest"}, **{"If-None-Match": "*"}),
        case("PUT", "/users/carol", {"role": "guest"}, **{"If-None-Match": "*"}),
        case("PUT", "/users/deep/down/here", 1),
        case("PUT", "/users/deep/down/here/further", 1),
        case("PUT", "/users/list", [1, 2]),
        case("PUT", "/users/list/0", "one"),
        case("PUT", "/users/list/9", "none"),
        case("PUT", "/users/big", {"n": 12345678901234567890123, "f": 0.5, "t": "ü"}),
        *(case("PATCH", "/users", patch) for patch in patches),
        case("PATCH", "/users/alice", [{"op": "add", "path": "/team", "value": "a"}]),
        case("PATCH", "/users/none/such", [{"op": "add", "path": "/team", "value": "a"}]),
        case("DELETE", "/users/carol"),
        case("DELETE", "/users/carol"),
        case("PUT", "/users?metrics", {"alice": {"role": "admin"}}),
        case("PATCH", "/users?pretty", [{"op": "remove", "path": "/none"}]),
        case("DELETE", "/users"),
        case("DELETE", "/users"),
    ]


@pytest.mark.timeout(240)
@pytest.mark.parametrize("arm", list(SHARES))
def test_each_write_is_answered_as_by_opa_and_in_force_at_once(make: Make, other_opa: OpaServer, arm: str):
    site = make(arm)
    with_token = [Case(each.method, each.target, each.body, {**each.headers, **BEARER}) for each in story()]
    statuses = set()
    for number, (case, mine) in enumerate(zip(story(), with_token, strict=True)):
        # When the same is written to OPA alone and through the sidecar
        expected, found = ask(other_opa.url, case), ask(site.sidecar.data, mine)
        # Then status, headers and body are OPA's, and so is what both hold from then on
        assert (number, case.name, found) == (number, case.name, expected)
        statuses.add(found.status)
        for path in ("/v1/data/users", "/v1/data/site/seen"):
            read = ask(site.sidecar.data, Case("GET", path, None, BEARER))
            assert (number, read) == (number, ask(other_opa.url, Case("GET", path)))
    assert statuses >= {204, 304, 400, 404}
    # And the engine has it too: nothing was set aside, and both arms serve one revision
    report = site.sidecar.get("/flags")
    assert report["policy_revision"] == report["baseline_policy_revision"]
    assert site.is_open()
    if arm == "rust":
        assert site.sidecar.metric("opa_evaluation_total", implementation="rust") > 0
        assert site.sidecar.metric("implementation_fallback_total") == 0
    assert site.sidecar.metric("sark_data_writes_total") == len(with_token)


@pytest.mark.parametrize("arm", list(SHARES))
@pytest.mark.parametrize(("rust_opa", "rust_cache"), [(True, True), (True, False), (False, True)])
def test_a_right_that_was_taken_away_is_gone_with_the_answer(make: Make, arm: str, rust_opa: bool, rust_cache: bool):
    # Given decisions that every cache would keep for minutes
    site = make(
        arm, feature_flags={"rust_opa_enabled": rust_opa, "rust_cache_enabled": rust_cache, "rollout_percentage": SHARES[arm]}
    )
    for _ in range(6):
        assert site.send("PUT", "/users/alice", {"role": "admin"}).status == 204
        assert [site.allows("alice") for _ in range(3)] == [True] * 3
        # When it is taken away and given back, again and again, then each answer is that of the last write
        assert site.send("PUT", "/users/alice", {"role": "guest"}).status == 204
        assert [site.allows("alice") for _ in range(3)] == [False] * 3
    revisions = site.sidecar.get("/flags")
    assert revisions["policy_revision"] == revisions["baseline_policy_revision"]


@pytest.mark.timeout(120)
def test_readers_under_load_never_see_what_was_before_the_last_write(make: Make):
    # Given readers that never stop, half of them in each arm
    site = make("rust", feature_flags={"rollout_percentage": 50, "rust_opa_enabled": True, "rust_cache_enabled": True})
    site.send("PUT", "/users", {})
    ending = threading.Event()
    settled: list[tuple[float, bool | None]] = [(0.0, False)]
    wrong: list[str] = []
    asked = [0]

    def read(user: str) -> None:
        while not ending.is_set():
            since, expected = settled[-1]
            found = site.allows(user)
            # Only what was asked between two writes has one right answer.
            if expected is not None and settled[-1] == (since, expected) and found is not expected:
                wrong.append(f"{user}: {found} after {expected}")
            asked[0] += 1

    readers = [threading.Thread(target=read, args=(f"user-{number}",)) for number in range(6)]
    for reader in readers:
        reader.start()
    try:
        for number in range(30):
            role = "admin" if number % 2 else "guest"
            settled.append((time.monotonic(), None))
            written = site.send("PUT", "/users", {f"user-{each}": {"role": role} for each in range(6)})
            assert written.status == 204
            settled.append((time.monotonic(), role == "admin"))
            time.sleep(0.1)
    finally:
        ending.set()
        for reader in readers:
            reader.join()
    assert wrong == []
    assert asked[0] > 100


def test_an_opa_that_has_forgotten_is_followed(make: Make, opa: OpaServer):
    site = make()
    site.send("PUT", "/users/alice", {"role": "admin"})
    assert site.allows("alice") is True
    # When OPA starts again, with what its files hold
    opa.stop()
    opa.start()
    # Then the engine forgets too
    eventually(lambda: site.allows("alice") is False, what="the engine forgets", seconds=30)
    eventually(lambda: site.status["opa"]["matches"], what="both are alike", seconds=30)
    assert site.status["writes"]["bytes"] == len("{}")


def test_a_sidecar_that_starts_again_decides_by_what_opa_holds(make: Make):
    first = make(name="first")
    first.send("PUT", "/users/alice", {"role": "admin"})
    first.sidecar.kill()
    second = make(name="second")
    assert second.allows("alice") is True
    assert second.sidecar.metric("opa_evaluation_total", implementation="rust") == 1


def test_without_opa_nobody_knows_what_was_written_and_nobody_is_let_in(make: Make, opa: OpaServer):
    first = make(name="first")
    first.send("PUT", "/users/alice", {"role": "admin"})
    first.sidecar.kill()
    opa.send(signal.SIGSTOP)
    try:
        site = make(name="second", opens=False)
        assert site.allows("alice") is None
        assert "has not told yet" in site.status["writes"]["engine_set_aside"]
        assert site.sidecar.metric("sark_engine_set_aside") == 1
    finally:
        opa.send(signal.SIGCONT)
    eventually(lambda: site.allows("alice") is True, what="the engine decides", seconds=30)
    eventually(site.is_open, what="the gate opens", seconds=30)


def test_a_write_in_doubt_sets_the_engine_aside_until_both_are_alike(make: Make, opa: OpaServer):
    site = make()
    site.send("PUT", "/users/alice", {"role": "admin"})
    assert site.allows("alice") is True
    # When OPA hangs while a right is taken away
    opa.send(signal.SIGSTOP)
    try:
        told = site.send("PUT", "/users/alice", {"role": "guest"})
        assert told.status == 500
        assert "not known whether it was written" in told.body["message"]
        # Then nobody is let in by what was before
        assert site.allows("alice") is None
        assert site.sidecar.metric("sark_engine_set_aside") == 1
    finally:
        opa.send(signal.SIGCONT)
    # And when OPA goes on it decides by itself again, by what OPA made of it
    eventually(site.is_open, what="the gate opens", seconds=30)
    expected = site.send("GET", "/users/alice").body["result"]["role"] == "admin"
    assert site.allows("alice") is expected
    eventually(lambda: site.status["opa"]["matches"], what="both are alike", seconds=30)


def test_what_may_not_be_written_is_not(make: Make, opa: OpaServer, policies: Path):
    site = make()
    before = ask(opa.url, Case("GET", "/v1/data"))
    for path in ("", "/settings/open", "/site", "/system/authz", "/users/../settings", "//users", "/users/%2e%2e/settings"):
        assert site.send("PUT", path, {"x": 1}).status in {400, 403}, path
    assert site.send("PATCH", "", [{"op": "add", "path": "/settings/open", "value": True}]).status == 403
    # Not by a JSON pointer either
    assert site.send("PATCH", "/users", [{"op": "add", "path": "/../settings/open", "value": True}]).status in {400, 404}
    for method, path in (("PUT", "/v1/policies/x"), ("DELETE", "/v1/policies/site.rego")):
        told = ask(site.sidecar.data, Case(method, path, b"package x\n", BEARER))
        assert (told.status, told.body["code"]) == (403, "invalid_operation")
    assert ask(site.sidecar.data, Case("PUT", "/v1/data/users/alice", b"1", JSON)).status == 401
    assert site.send("PUT", "/users/alice", "x" * 1_048_576).status == 413
    assert site.send("PUT", "/users/alice", b"0.123456789012345678901234567890").status == 400
    assert ask(opa.url, Case("GET", "/v1/data")) == before

    # And a source that would take the place is refused, with the old one serving
    (policies / "users").mkdir()
    (policies / "users" / "data.json").write_text('{"alice": {"role": "admin"}}', encoding="utf-8")
    eventually(lambda: "data.users" in site.status["policies"]["problem"], what="the refusal", seconds=30)
    assert site.allows("alice") is False


@pytest.mark.parametrize(
    ("sections", "sentence"),
    [
        ({"data": {"authentication": "off", "token_file": None}}, "writes.documents needs data.authentication token or tls"),
        ({"opa": {"url": "http://opa.example.com:8181"}}, "writes.documents needs an OPA of this pod's own"),
        ({"writes": {"documents": ["settings"]}}, "it has data at data.settings"),
        ({"writes": {"documents": ["site"]}}, "it has a package at data.site"),
        ({"writes": {"documents": ["a/b"]}}, "writes.documents.0"),
        ({"writes": {"documents": ["system"]}}, "must not name system"),
    ],
)
def test_a_start_that_could_let_the_arms_differ_ends(
    start_sidecar: StartSidecar, tmp_path: Path, sections: dict[str, Any], sentence: str
):
    tokens = tmp_path / "tokens"
    tokens.write_text(f"{TOKEN}\n", encoding="utf-8")
    usual: dict[str, dict[str, Any]] = {
        "data": {"authentication": "token", "token_file": str(tokens)},
        "writes": {"documents": ["users"]},
    }
    for section, members in sections.items():
        usual.setdefault(section, {}).update(members)
    sidecar = start_sidecar(wait=False, **usual)
    assert sidecar.wait(seconds=120) == 1
    assert sentence in sidecar.tail()
