"""Policies from bundles: followed without a restart, never replaced by worse ones, the same in both arms."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from sark_e2e import binaries
from sark_e2e.certificates import Authority
from sark_e2e.deadline import eventually
from sark_e2e.loopback import LoopbackNetwork
from sark_e2e.probe import http_ok
from sark_e2e.process import Process

from .bundle_server import LONG_POLLING, BundleHost
from .conftest import RunningSidecar, StartSidecar, request
from .signed_bundle import build, key_pair, members, pack

ALL_IN = {"rollout_percentage": 100, "rust_opa_enabled": True, "rust_cache_enabled": True}
QUICK = {"min_delay": "100ms", "max_delay": "200ms"}


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    folder = tmp_path / "sources"
    folder.mkdir()
    write(folder, "ann")
    return folder


def write(folder: Path, owner: str) -> None:
    (folder / "authz.rego").write_text("package authz\n\nallow if input.user == data.owner\n", encoding="utf-8")
    (folder / "data.json").write_text(json.dumps({"owner": owner}), encoding="utf-8")


@pytest.fixture
def host(network: LoopbackNetwork) -> Iterator[BundleHost]:
    with BundleHost(network.server) as running:
        yield running


def allowed(sidecar: RunningSidecar, user: str) -> bool:
    status, answer = sidecar.decide({"user": user}, "authz/allow")
    assert status == 200
    return bool(answer.get("result", False))


def source(sidecar: RunningSidecar) -> dict[str, Any]:
    found: dict[str, Any] = sidecar.get("/v1/status")["policies"]["source"]
    return found


def agree(sidecar: RunningSidecar) -> bool:
    report = sidecar.get("/flags")
    return bool(report["policy_revision"]) and report["policy_revision"] == report["baseline_policy_revision"]


def from_url(host: BundleHost, **settings: Any) -> dict[str, Any]:
    return {"directory": None, "bundle": {"url": f"{host.url}/bundle.tar.gz", **QUICK, **settings}}


@contextmanager
def opa_following(host: BundleHost, network: LoopbackNetwork, folder: Path, **source: Any) -> Iterator[str]:
    """An OPA server that follows the same bundle."""
    polling = {"min_delay_seconds": 1, "max_delay_seconds": 1}
    configuration: dict[str, Any] = {
        "services": {"host": {"url": host.url}},
        "bundles": {"policies": {"service": "host", "resource": "bundle.tar.gz", "polling": polling, **source}},
    }
    if "signing" in source:
        configuration["keys"] = source.pop("signing")
    folder.mkdir()
    (folder / "opa.yaml").write_text(yaml.safe_dump(configuration), encoding="utf-8")
    address = f"{network.server}:{network.port()}"
    process = Process(
        "opa",
        [binaries.program("opa"), "run", "--server", f"--addr={address}", "--config-file=opa.yaml", "--skip-version-check"],
        directory=folder,
        log=folder / "opa.log",
        ready=http_ok(f"http://{address}/health?bundles"),
    )
    with process:
        yield f"http://{address}"


def test_both_arms_follow_one_bundle(
    start_sidecar: StartSidecar, host: BundleHost, sources: Path, network: LoopbackNetwork, tmp_path: Path
):
    # Given an OPA and a sidecar that follow the same server
    host.bundle = build(sources, revision="one")
    with opa_following(host, network, tmp_path / "following") as url:
        sidecar = start_sidecar(policies=from_url(host), opa={"url": url}, feature_flags=ALL_IN)
        eventually(lambda: agree(sidecar), what="one revision in both arms", seconds=20)
        assert source(sidecar)["active_revision"] == "one"
        assert (allowed(sidecar, "ann"), allowed(sidecar, "eve")) == (True, False)
        before = sidecar.get("/flags")["policy_revision"]

        # When nothing changes, then nothing is sent again
        eventually(lambda: any(one.get("prefer") == "modes=snapshot" for one in host.seen), what="a request", seconds=10)
        ours = [one for one in host.seen if one.get("prefer") == "modes=snapshot"]
        eventually(lambda: host.answered(304) >= 3, what="three answers `not modified`", seconds=10)
        assert len([one for one in ours if one["answered"] == "200"]) == 1

        # When a new one is published, then both serve it, without a restart
        write(sources, "eve")
        host.bundle = build(sources, revision="two")
        eventually(lambda: allowed(sidecar, "eve"), what="the new bundle", seconds=10)
        eventually(lambda: agree(sidecar), what="one revision in both arms again", seconds=20)
        assert sidecar.get("/flags")["policy_revision"] != before
        assert (allowed(sidecar, "ann"), source(sidecar)["active_revision"]) == (False, "two")


def test_a_bundle_that_is_no_better_leaves_the_old_one_serving(start_sidecar: StartSidecar, host: BundleHost, sources: Path):
    good = host.bundle = build(sources)
    sidecar = start_sidecar(policies=from_url(host), feature_flags=ALL_IN)
    broken = {**members(good), "/authz.rego": b"package authz\n\nallow if {\n"}
    outside = {**members(good), "/.manifest": b'{"roots": ["other"]}'}
    for bad, reason in [
        (pack(broken), "authz.rego"),
        (pack(outside), "do not permit package authz"),
        (good[:-20], "not a whole gzip file"),
        (pack({"/data.json": b"{}"}), "holds no *.rego file"),
        (pack({"/patch.json": b'{"data": []}'}), "a delta bundle"),
    ]:
        # When something worse is published
        refusals = sidecar.metric("sark_policy_load_failures_total")
        host.bundle = bad
        eventually(lambda reason=reason: reason in sidecar.get("/v1/status")["policies"]["problem"], what=reason, seconds=10)
        # Then the old one serves, and it is said and counted
        assert allowed(sidecar, "ann")
        assert source(sidecar)["code"] == "bundle_error"
        assert sidecar.metric("sark_policies_stale") == 1
        assert sidecar.metric("sark_policy_load_failures_total") == refusals + 1
    # And the next good one serves at once
    write(sources, "eve")
    host.bundle = build(sources, revision="2")
    eventually(lambda: allowed(sidecar, "eve"), what="the good bundle", seconds=10)
    assert sidecar.get("/v1/status")["policies"]["problem"] == ""
    assert "code" not in source(sidecar)
    eventually(lambda: sidecar.metric("sark_policies_stale") == 0, what="fresh policies", seconds=10)


def test_a_server_that_fails_is_asked_again_later_and_later(start_sidecar: StartSidecar, host: BundleHost, sources: Path):
    host.bundle = build(sources)
    sidecar = start_sidecar(policies=from_url(host, max_delay="2s"), feature_flags=ALL_IN)
    host.status = 503
    eventually(lambda: source(sidecar).get("http_code") == "503", what="the failure", seconds=10)
    asked = len(host.seen)
    time.sleep(2)
    assert 2 <= len(host.seen) - asked < 12
    assert allowed(sidecar, "ann")
    host.status = 200
    eventually(lambda: "http_code" not in source(sidecar), what="the end of the failure", seconds=10)


def test_long_polling_brings_news_at_once_and_asks_rarely(start_sidecar: StartSidecar, host: BundleHost, sources: Path):
    # Given a server that holds requests back, and pauses so long that polling alone would not do
    host.content_type = LONG_POLLING
    host.bundle = build(sources)
    slow = {"min_delay": "60s", "max_delay": "60s", "long_polling_timeout": "2s"}
    sidecar = start_sidecar(policies=from_url(host, **slow), feature_flags=ALL_IN)
    eventually(lambda: host.seen[-1].get("prefer") == "modes=snapshot;wait=2", what="a long poll", seconds=10)
    write(sources, "eve")
    host.bundle = build(sources, revision="2")
    eventually(lambda: allowed(sidecar, "eve"), what="the news", seconds=5)
    asked = len(host.seen)
    time.sleep(3)
    assert len(host.seen) - asked <= 3


def test_token_and_authority_come_from_files(
    start_sidecar: StartSidecar, sources: Path, network: LoopbackNetwork, tmp_path: Path
):
    # Given a server with TLS that wants a token
    authority = Authority(tmp_path / "authority")
    token = tmp_path / "token"
    token.write_text("first-secret\n", encoding="utf-8")
    with BundleHost(network.server, certificate=authority.server("bundles", [network.server], [])) as host:
        host.token = "first-secret"
        host.bundle = build(sources)
        settings = {"token_file": str(token), "ca_file": str(authority.certificate), "max_delay": "500ms"}
        sidecar = start_sidecar(policies=from_url(host, **settings), feature_flags=ALL_IN)
        assert allowed(sidecar, "ann")

        # When the token is replaced, then so is what is sent
        host.token = "second-secret"
        eventually(lambda: source(sidecar).get("http_code") == "401", what="the refusal", seconds=10)
        token.write_text("second-secret\n", encoding="utf-8")
        eventually(lambda: "http_code" not in source(sidecar), what="the new token", seconds=10)

        # And no token goes where it is not meant to go
        with BundleHost(network.server) as elsewhere:
            elsewhere.bundle = host.bundle
            host.redirect = f"{elsewhere.url}/bundle.tar.gz"
            eventually(lambda: "from https to http" in source(sidecar).get("message", ""), what="the refusal", seconds=10)
            assert not elsewhere.seen
    text = json.dumps(sidecar.get("/v1/status")) + sidecar.log.read_text(encoding="utf-8")
    assert "first-secret" not in text
    assert "second-secret" not in text

    # And a server whose certificate nobody vouches for is not believed
    with BundleHost(network.server, certificate=authority.server("bundles", [network.server], [])) as host:
        host.bundle = build(sources)
        stranger = start_sidecar(policies=from_url(host), wait=False, name="stranger")
        eventually(lambda: "CERTIFICATE_VERIFY_FAILED" in stranger.tail(), what="the refusal", seconds=20)
        assert request(f"{stranger.admin}/ready")[0] == 503


def test_the_last_good_bundle_outlives_a_restart_and_a_server(
    start_sidecar: StartSidecar, host: BundleHost, sources: Path, tmp_path: Path
):
    keys = key_pair(tmp_path, "ES256")
    kept = tmp_path / "kept" / "bundle.tar.gz"
    kept.parent.mkdir()
    signing = {"keys": {"default": {"key_file": str(keys.verifying), "algorithm": "ES256"}}}
    policies = from_url(host, persist_file=str(kept), signing=signing)
    host.bundle = build(sources, revision="kept", keys=keys)
    sidecar = start_sidecar(policies=policies, feature_flags=ALL_IN)
    eventually(kept.exists, what="the copy", seconds=10)
    sidecar.kill()

    # When it starts again while the server is away, then it serves what it had
    host.status = 503
    restarted = start_sidecar(policies=policies, feature_flags=ALL_IN, name="restarted")
    assert allowed(restarted, "ann")
    eventually(lambda: source(restarted).get("http_code") == "503", what="the failure", seconds=10)
    assert source(restarted)["active_revision"] == "kept"
    restarted.kill()

    # When somebody has changed the copy, then it is not used
    kept.write_bytes(pack({**members(kept.read_bytes()), "/data.json": b'{"owner": "eve"}'}))
    refusing = start_sidecar(policies=policies, feature_flags=ALL_IN, name="refusing", wait=False)
    eventually(lambda: "the bundle kept on disk is not used" in refusing.tail(), what="the refusal", seconds=20)
    assert request(f"{refusing.admin}/ready")[0] == 503

    # And once the server is back it serves and is kept
    host.status = 200
    eventually(lambda: request(f"{refusing.admin}/ready")[0] == 200, what="readiness", seconds=20)
    assert allowed(refusing, "ann")
    eventually(lambda: kept.read_bytes() == host.bundle, what="the new copy", seconds=10)


def test_a_disk_that_takes_nothing_stops_nothing(start_sidecar: StartSidecar, host: BundleHost, sources: Path, tmp_path: Path):
    host.bundle = build(sources)
    policies = from_url(host, persist_file=str(tmp_path / "absent" / "bundle.tar.gz"))
    sidecar = start_sidecar(policies=policies, feature_flags=ALL_IN)
    assert allowed(sidecar, "ann")
    assert "No such file" in source(sidecar)["persist_problem"]
    assert sidecar.metric("sark_bundle_persist_failures_total") == 1
    write(sources, "eve")
    host.bundle = build(sources, revision="2")
    eventually(lambda: allowed(sidecar, "eve"), what="the new bundle", seconds=10)


def test_a_start_without_any_policies_waits_for_them_and_can_be_stopped(
    start_sidecar: StartSidecar, host: BundleHost, sources: Path
):
    host.status = 503
    sidecar = start_sidecar(policies=from_url(host), wait=False)
    eventually(lambda: "answered 503" in str(request_or_none(f"{sidecar.admin}/ready")), what="the reason", seconds=20)
    sidecar.send(signal.SIGTERM)
    assert sidecar.wait(seconds=20) == 0
    # And when the server comes, it serves
    again = start_sidecar(policies=from_url(host), wait=False, name="again", feature_flags=ALL_IN)
    eventually(lambda: "answered 503" in str(request_or_none(f"{again.admin}/ready")), what="the reason", seconds=20)
    host.bundle, host.status = build(sources), 200
    eventually(lambda: request(f"{again.admin}/ready")[0] == 200, what="readiness", seconds=20)
    assert allowed(again, "ann")


def request_or_none(url: str) -> tuple[int, Any] | None:
    try:
        return request(url)
    except OSError:
        return None


def test_a_bundle_file_is_followed_too(
    start_sidecar: StartSidecar, sources: Path, network: LoopbackNetwork, host: BundleHost, tmp_path: Path
):
    path = tmp_path / "bundle.tar.gz"
    host.bundle = build(sources, revision="one")
    path.write_bytes(host.bundle)
    with opa_following(host, network, tmp_path / "following") as url:
        policies = {"directory": None, "bundle": {"file": str(path)}}
        sidecar = start_sidecar(policies=policies, opa={"url": url}, feature_flags=ALL_IN)
        eventually(lambda: agree(sidecar), what="one revision in both arms", seconds=20)
        write(sources, "eve")
        fresh = tmp_path / "fresh.tar.gz"
        fresh.write_bytes(build(sources, revision="two"))
        fresh.rename(path)
        eventually(lambda: allowed(sidecar, "eve"), what="the new file", seconds=10)
        # The arms are not on the same revision until OPA follows, and a rollout does not start before
        assert not agree(sidecar)
        assert source(sidecar)["active_revision"] == "two"
        path.unlink()
        eventually(lambda: "No such file" in sidecar.get("/v1/status")["policies"]["problem"], what="the problem", seconds=10)
        assert allowed(sidecar, "eve")


def test_check_reads_a_bundle(start_sidecar: StartSidecar, tmp_path: Path):
    sidecar = start_sidecar(policies={"directory": None, "bundle": {"file": str(tmp_path / "absent")}}, wait=False)
    assert sidecar.wait(seconds=30) == 1
    assert sidecar.tail().splitlines()[-1].startswith("sark-sidecar: policies.bundle.file: ")
