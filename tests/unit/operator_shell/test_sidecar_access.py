"""How sidecars are spoken to: the file, whom it concerns, and real TLS with tokens."""

from __future__ import annotations

import asyncio
import json
import os
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web

from sark_e2e.certificates import Authority
from sark_operator.core.observation import PodReport
from sark_operator.shell.api import ReadyPod
from sark_operator.shell.credential_files import AccessError, AccessFileError
from sark_operator.shell.sidecar_access import PLAIN, SidecarAccess
from sark_operator.shell.sidecars import SidecarDirectory, open_session

from .test_sidecars import REPORT

Load = Callable[..., SidecarAccess]
ServeTls = Callable[..., Awaitable[int]]


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "authority")


@pytest.fixture
def load(written: Callable[[object], Path]) -> Load:
    return lambda *entries: SidecarAccess.load(written({"sidecars": list(entries)}))


@pytest_asyncio.fixture
async def serve_tls() -> AsyncIterator[ServeTls]:
    """Serves /flags over TLS to whoever shows the token, and a certificate if an authority of clients is given."""
    async with AsyncExitStack() as stack:

        async def start(pair: tuple[Path, Path], clients: Path | None = None) -> int:
            async def flags(request: web.Request) -> web.Response:
                shown = request.headers.get("Authorization", "")
                return web.Response(status=200 if shown == "Bearer hush-1" else 401, body=json.dumps(REPORT).encode())

            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*pair)
            if clients is not None:
                context.verify_mode = ssl.CERT_REQUIRED
                context.load_verify_locations(clients)
            application = web.Application()
            application.add_routes([web.get("/flags", flags)])
            runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
            await runner.setup()
            stack.push_async_callback(runner.cleanup)
            await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
            port: int = runner.addresses[0][1]
            return port

        yield start


async def asked(access: SidecarAccess, port: int, namespace: str = "shop") -> PodReport:
    async with open_session() as session:
        pods = [ReadyPod("gateway-0", "127.0.0.1")]
        (report,) = await SidecarDirectory(session, access).reports(pods, port, namespace)
        # aiohttp ends the TLS of what was kept open a moment later.
        await asyncio.sleep(0)
    return report


def test_credentials_go_to_the_namespaces_they_are_for_and_nowhere_else(load: Load, token: Path):
    entry = {"authorization": {"credentials_file": str(token)}}
    access = load({"namespaces": ["shop", "billing"], **entry})
    assert access.way("shop").headers == access.way("billing").headers == {"Authorization": "Bearer hush-1"}
    assert access.way("other") is PLAIN
    assert SidecarAccess().way("shop") is PLAIN
    # And an entry for all others does not reach those that are named
    access = load({"namespaces": ["shop"]}, entry)
    assert access.way("other").headers == {"Authorization": "Bearer hush-1"}
    assert access.way("shop").headers == {}
    assert "hush" not in repr(access.way("other"))


def test_what_changes_in_a_file_counts_from_the_next_question_and_connections_are_kept_until_then(
    load: Load, token: Path, authority: Authority, tmp_path: Path
):
    ca = tmp_path / "ca.crt"
    ca.write_bytes(authority.certificate.read_bytes())
    entry = {"authorization": {"credentials_file": str(token)}, "tls_config": {"ca_file": str(ca)}}
    access = load(entry)
    before = access.way("shop")
    assert access.way("shop").tls is before.tls
    token.write_text("hush-2")
    ca.write_bytes(Authority(tmp_path / "other").certificate.read_bytes())
    after = access.way("shop")
    assert after.headers == {"Authorization": "Bearer hush-2"}
    assert after.tls is not before.tls
    # And what can no longer be read is not asked without it
    token.unlink()
    with pytest.raises(AccessError, match=r"token cannot be read: no such file"):
        access.way("shop")


@pytest.mark.asyncio
@pytest.mark.parametrize("named", ["by address", "by name"])
async def test_a_sidecar_with_tls_and_a_token_is_asked(
    load: Load, token: Path, authority: Authority, serve_tls: ServeTls, named: str
):
    by_name = named == "by name"
    pair = authority.server("sidecar", [] if by_name else ["127.0.0.1"], ["sidecar.sark"] if by_name else [])
    port = await serve_tls(pair, authority.certificate)
    certificate, key = authority.client("operator", "sark")
    tls = {"ca_file": str(authority.certificate), "cert_file": str(certificate), "key_file": str(key)}
    if by_name:
        tls["server_name"] = "sidecar.sark"
    report = await asked(load({"authorization": {"credentials_file": str(token)}, "tls_config": tls}), port)
    assert (report.error, report.percent) == ("", 25)


@pytest.mark.asyncio
async def test_a_sidecar_that_is_not_asked_as_it_wants_says_what_to_mend(
    load: Load, token: Path, authority: Authority, serve_tls: ServeTls, tmp_path: Path
):
    port = await serve_tls(authority.server("sidecar", ["127.0.0.1"], []))
    tls = {"ca_file": str(authority.certificate)}
    bearer = {"authorization": {"credentials_file": str(token)}}
    strange = {"ca_file": str(Authority(tmp_path / "other").certificate)}

    async def error(*entries: dict[str, Any]) -> str:
        return (await asked(load(*entries), port)).error.removeprefix(f"GET /flags on port {port}: ")

    assert await error({"tls_config": tls, **bearer}) == ""
    assert (await error({"tls_config": tls})).startswith("HTTP 401: it wants a token")
    assert (await error({"tls_config": strange, **bearer})).startswith("cannot speak TLS: ")
    assert (await error({"tls_config": tls | {"server_name": "other.sark"}, **bearer})).startswith("cannot speak TLS: ")
    assert "if it speaks TLS" in await error(bearer)


def test_a_token_of_two_words_is_refused_at_the_start(load: Load, token: Path):
    token.write_text("two words")
    with pytest.raises(AccessFileError, match="must hold one line"):
        load({"authorization": {"credentials_file": str(token)}})


@pytest.mark.asyncio
async def test_a_token_that_cannot_be_read_later_is_said_for_every_pod(load: Load, token: Path):
    access = load({"authorization": {"credentials_file": str(token)}})
    os.truncate(token, 0)
    report = await asked(access, 9)
    assert report.error.startswith("GET /flags on port 9: --sidecar-config of the operator: ")
    assert "is empty" in report.error


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ([{"namespaces": ["shop"]}, {"namespaces": ["shop"]}], "sidecars.1: namespace shop stands there twice"),
        ([{}, {}], "sidecars.1: all other namespaces stand there twice"),
        ([{"authorization": {"credentials_file": "/nowhere/token"}}], "sidecars.0: /nowhere/token cannot be read"),
        ([{"tls_config": {"ca_file": "/nowhere/ca"}}], "sidecars.0: /nowhere/ca cannot be read"),
        ([{"tls_config": {"cert_file": "/a"}}], "give cert_file and key_file together"),
        ([{"tls_config": {"insecure_skip_verify": True}}], "insecure_skip_verify"),
        ([{"token": "hush"}], "sidecars.0.token"),
    ],
)
def test_a_file_that_cannot_be_used_is_said_at_the_start(load: Load, entries: list[dict[str, Any]], said: str):
    with pytest.raises(AccessFileError) as caught:
        load(*entries)
    assert said in str(caught.value)
    assert "hush" not in str(caught.value)


def test_an_authority_that_is_none_is_said(load: Load, tmp_path: Path, authority: Authority):
    file = tmp_path / "ca"
    file.write_text("no certificate")
    with pytest.raises(AccessFileError, match="holds no certificates that can be used"):
        load({"tls_config": {"ca_file": str(file)}})
    certificate, _ = authority.client("one", "sark")
    _, key = authority.client("two", "sark")
    with pytest.raises(AccessFileError, match="are no certificate and its key"):
        load({"tls_config": {"cert_file": str(certificate), "key_file": str(key)}})
