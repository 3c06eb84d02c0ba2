"""Which credentials belong to which Prometheus: the file, and what a rollout gets of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from sark_api.spec import Prometheus
from sark_operator.core.observation import Missing
from sark_operator.shell.credential_files import AccessError, AccessFileError
from sark_operator.shell.prometheus_access import OPEN, Access, PrometheusServers
from sark_operator.shell.prometheus_file import PrometheusFile

ADDRESS = "https://thanos.example/api"
Load = Callable[..., PrometheusServers]


@pytest.fixture
def load(written: Callable[[object], Path]) -> Load:
    return lambda *servers: PrometheusServers.load(written({"servers": list(servers)}))


def wanted(address: str = ADDRESS, tenant: str = "") -> Prometheus:
    return Prometheus(address=address, tenant=tenant)


def spoken(access: Access | Missing) -> requests.Session:
    assert isinstance(access, Access), access
    session = requests.Session()
    access.apply(session)
    return session


def test_an_address_without_entry_is_asked_openly_and_as_the_tenant_named(load: Load, token: Path):
    servers = load({"address": ADDRESS, "authorization": {"credentials_file": str(token)}})
    assert servers.access(wanted("https://elsewhere.example"), "shop") == OPEN
    session = spoken(servers.access(wanted("https://elsewhere.example", "team-a"), "shop"))
    assert session.headers["X-Scope-OrgID"] == "team-a"
    assert "Authorization" not in session.headers


@pytest.mark.parametrize("spelling", [f"{ADDRESS}/", "https://THANOS.example:443/api"])
def test_credentials_follow_the_address_however_it_is_spelt(load: Load, token: Path, spelling: str):
    servers = load({"address": ADDRESS, "authorization": {"credentials_file": str(token)}})
    assert spoken(servers.access(wanted(spelling), "shop")).headers["Authorization"] == "Bearer hush-1"


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://thanos.example",
        "https://thanos.example/api/more",
        "http://thanos.example/api",
        "https://thanos.example:8443/api",
    ],
)
def test_credentials_do_not_go_to_another_address(load: Load, token: Path, elsewhere: str):
    servers = load({"address": ADDRESS, "authorization": {"credentials_file": str(token)}})
    assert servers.access(wanted(elsewhere), "shop") == OPEN


def test_a_rotated_secret_counts_from_the_next_question(load: Load, token: Path):
    access = load({"address": ADDRESS, "basic_auth": {"username": "sark", "password_file": str(token)}}).access(
        wanted(), "shop"
    )
    assert spoken(access).auth == ("sark", "hush-1")
    token.write_text("hush-2")
    assert spoken(access).auth == ("sark", "hush-2")


def test_an_edited_file_counts_at_once_and_a_broken_one_leaves_what_was_read(tmp_path: Path, token: Path):
    # Given a file that knows no credentials for the address
    path = tmp_path / "prometheus.yaml"
    path.write_text("servers: []")
    file = PrometheusFile(path)
    assert file.access(wanted(), "shop") == OPEN

    # When it is written anew, in place or by turning the link of a mount, then it counts from the next question
    path.write_text(yaml.safe_dump({"servers": [{"address": ADDRESS, "authorization": {"credentials_file": str(token)}}]}))
    assert spoken(file.access(wanted(), "shop")).headers["Authorization"] == "Bearer hush-1"
    (tmp_path / "next").write_text(yaml.safe_dump({"servers": [{"address": ADDRESS, "namespaces": ["billing"]}]}))
    (tmp_path / "next").replace(path)
    assert isinstance(file.access(wanted(), "shop"), Missing)

    # And one that cannot be used changes nothing, nor does one that is gone
    path.write_text("servers: [hush")
    assert isinstance(file.access(wanted(), "shop"), Missing)
    path.unlink()
    assert isinstance(file.access(wanted(), "shop"), Missing)


def test_an_edit_that_cannot_be_used_yet_counts_as_soon_as_it_can(
    tmp_path: Path, token: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    # Given a file that lets two namespaces in
    monkeypatch.setattr("sark_operator.shell.prometheus_file.RETRY_SECONDS", 0.0)
    path, later = tmp_path / "prometheus.yaml", tmp_path / "later"
    entry = {"address": ADDRESS, "authorization": {"credentials_file": str(token)}}
    path.write_text(yaml.safe_dump({"servers": [{**entry, "namespaces": ["shop", "billing"]}]}))
    file = PrometheusFile(path)

    # When one edit shuts one of them out and names a Secret that is mounted a moment later, then it is complained of once
    new = {"address": "http://new:9090", "authorization": {"credentials_file": str(later)}}
    path.write_text(yaml.safe_dump({"servers": [{**entry, "namespaces": ["shop"]}, new]}))
    for _ in range(3):
        assert spoken(file.access(wanted(), "billing"))
    assert capsys.readouterr().out.count("stays as it was") == 1

    # And it counts as soon as the Secret is there, though nobody touches the file
    later.write_text("hush-2")
    assert isinstance(file.access(wanted(), "billing"), Missing)
    assert spoken(file.access(wanted("http://new:9090"), "shop")).headers["Authorization"] == "Bearer hush-2"


def test_an_edit_that_cannot_be_used_is_not_read_for_each_question(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    # Given an edit that cannot be used, and that was tried
    path, tries = tmp_path / "prometheus.yaml", []
    path.write_text("servers: []")
    file, load = PrometheusFile(path), PrometheusServers.load
    monkeypatch.setattr(PrometheusServers, "load", lambda path: tries.append(path) or load(path))
    path.write_text("servers: [hush")
    assert file.access(wanted(), "shop") == OPEN

    # When more is asked at once, then it is left alone, until it is edited again
    assert file.access(wanted(), "shop") == OPEN
    assert len(tries) == 1
    path.write_text(yaml.safe_dump({"servers": [{"address": ADDRESS, "namespaces": ["billing"]}]}))
    assert isinstance(file.access(wanted(), "shop"), Missing)


def test_a_namespace_that_is_not_named_is_shut_out(load: Load, token: Path):
    entry = {"address": ADDRESS, "namespaces": ["shop"], "authorization": {"credentials_file": str(token)}}
    servers = load(entry)
    assert spoken(servers.access(wanted(), "shop"))
    refused = servers.access(wanted(), "other")
    assert isinstance(refused, Missing)
    assert "not open to namespace other" in refused.message


MIMIR = "http://mimir:8080/prometheus"


@pytest.mark.parametrize(
    "spelling",
    [
        MIMIR,
        f"{MIMIR}/.",
        f"{MIMIR}//",
        "http://mimir:8080/x/../prometheus",
        "http://mimir:8080/x/%2e%2e/prometheus",
        "http://mimir:8080/%70rometheus",
        "http://mimir:8080//prometheus",
        "http://mimir.:8080/prometheus",
        "http://MIMIR.:8080/./prometheus",
        "http://m%69mir:8080/prometheus",
        "http://mimir%2e:8080/prometheus",
        "http://mimir:8080",
        "http://mimir:8080/prometheus/more",
        "http://mimir:8080\\@elsewhere:1/../prometheus",
        "https://mimir:8080/prometheus",
    ],
)
@pytest.mark.parametrize("lists", [{"namespaces": ["shop"]}, {"tenants": ["team-shop"]}])
def test_no_spelling_goes_around_a_list_where_there_are_no_credentials(load: Load, spelling: str, lists: dict[str, Any]):
    servers = load({"address": MIMIR, **lists})
    assert isinstance(servers.access(wanted(spelling, "team-other"), "other"), Missing)


def test_what_is_let_in_is_so_at_what_is_asked(load: Load):
    servers = load({"address": MIMIR, "namespaces": ["shop"]})
    for spelling in (MIMIR, f"{MIMIR}/.", "http://mimir:8080/x/../prometheus"):
        assert servers.access(wanted(spelling), "shop") == OPEN
    assert servers.access(wanted("http://mimir:9090/prometheus"), "other") == OPEN


@pytest.mark.parametrize(
    "spelling", ["https://thanos.example./api", "https://elsewhere\\@thanos.example/api", "https://thanos.example/x/%2e%2e/api"]
)
def test_credentials_do_not_go_where_a_name_may_lead_elsewhere(load: Load, token: Path, spelling: str):
    # A name with a dot at its end is not looked for in the cluster's domains: it may be somebody else's
    servers = load({"address": ADDRESS, "authorization": {"credentials_file": str(token)}})
    assert servers.access(wanted(spelling), "shop") == OPEN


def test_a_rollout_chooses_only_among_the_tenants_that_are_listed(load: Load, token: Path):
    servers = load(
        {
            "address": ADDRESS,
            "tenants": ["team-a", "team-b"],
            "tenant_header": "THANOS-TENANT",
            "authorization": {"credentials_file": str(token)},
        }
    )
    assert spoken(servers.access(wanted(), "shop")).headers["THANOS-TENANT"] == "team-a"
    assert spoken(servers.access(wanted(tenant="team-b"), "shop")).headers["THANOS-TENANT"] == "team-b"
    assert isinstance(servers.access(wanted(tenant="team-c"), "shop"), Missing)


def test_credentials_without_tenants_lend_themselves_to_none(load: Load, token: Path):
    servers = load({"address": ADDRESS, "authorization": {"credentials_file": str(token)}})
    assert isinstance(servers.access(wanted(tenant="team-a"), "shop"), Missing)


def test_tenants_are_part_of_what_is_shared():
    assert Access(tenant="a", tenant_header="X-Scope-OrgID") != Access(tenant="b", tenant_header="X-Scope-OrgID")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is empty"),
        ("one\ntwo", "white space"),
        ("h\u00e4", "outside ASCII"),
        ("x" * 20_000, "larger than 16 KiB"),
        (None, "no such file"),
    ],
)
def test_a_secret_that_cannot_be_used_is_named_by_its_file_alone(load: Load, token: Path, text: str | None, says: str):
    access = load({"address": ADDRESS, "authorization": {"credentials_file": str(token)}}).access(wanted(), "shop")
    assert isinstance(access, Access)
    if text is None:
        token.unlink()
    else:
        token.write_text(text)
    with pytest.raises(AccessError) as raised:
        access.apply(requests.Session())
    assert says in str(raised.value)
    assert str(token) in str(raised.value)
    assert text is None or not text or text not in str(raised.value)


@pytest.mark.parametrize(
    ("servers", "says"),
    [
        ([{"address": ADDRESS}, {"address": f"{ADDRESS}/"}], "stands there twice"),
        ([{"address": "https://me:hush@thanos.example"}], "servers.0.address"),
        ([{"address": ADDRESS, "bearer_token": "hush"}], "servers.0.bearer_token: Extra inputs are not permitted"),
        ([{"address": ADDRESS, "authorization": {"credentials_file": "token"}}], "servers.0.authorization.credentials_file"),
        ([{"address": ADDRESS, "authorization": {"credentials_file": "/no/such/file"}}], "/no/such/file cannot be read"),
        ([{"address": ADDRESS, "tls_config": {"cert_file": "/a"}}], "give cert_file and key_file together"),
        ([{"address": ADDRESS, "tls_config": {"insecure_skip_verify": True}}], "insecure_skip_verify"),
        ([{"address": ADDRESS, "tenants": ["a b"]}], "servers.0.tenants.0"),
    ],
)
def test_a_bad_file_is_refused_with_its_place_and_without_what_stands_there(
    load: Load, servers: list[dict[str, Any]], says: str
):
    with pytest.raises(AccessFileError) as raised:
        load(*servers)
    assert says in str(raised.value)
    assert "hush" not in str(raised.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("servers: [", "found '<stream end>', line 1, column 11"),
        ("- hush", "the document"),
        (None, "cannot be read"),
    ],
)
def test_a_file_that_is_none_is_refused(tmp_path: Path, text: str | None, says: str):
    path = tmp_path / "prometheus.yaml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(AccessFileError) as raised:
        PrometheusServers.load(path)
    assert says in str(raised.value)
    assert "hush" not in str(raised.value)


def test_a_password_is_kept_out_of_texts_also_in_the_form_in_which_it_is_sent(load: Load, token: Path):
    # Given a server with a user, that repeats the header it was sent
    servers = load({"address": ADDRESS, "basic_auth": {"username": "sark", "password_file": str(token)}})
    access = servers.access(wanted(), "shop")
    assert isinstance(access, Access)
    session = requests.Session()
    secrets = access.apply(session)
    sent = session.prepare_request(requests.Request("GET", ADDRESS)).headers["Authorization"]

    # Then what is to be taken out of it leaves nothing to read the password from
    for secret in secrets:
        sent = sent.replace(secret, "[secret]")
    assert sent == "Basic [secret]"
