"""How the two listeners use certificates and tokens, and which tokens others could read."""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from sark_engine import Server

from sark_sidecar.admin.server import AdminServer
from sark_sidecar.bearer import tokens_in
from sark_sidecar.credentials import Credential, Credentials
from sark_sidecar.settings import AdminSettings, DataSettings, Settings, TlsSettings
from sark_sidecar.settings.fields import is_loopback

_VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


def tokens_in_clear(settings: Settings) -> Iterator[str]:
    """Yield the settings whose tokens leave this host over HTTP, where everybody on the way can read them."""
    for name, section in (
        ("policies.bundle", settings.policies.bundle),
        ("decision_logs.service", settings.decision_logs.service),
    ):
        if section.token_file is None or section.url is None:
            continue
        address = urlsplit(section.url)
        if address.scheme == "http" and not is_loopback(address.hostname or ""):
            yield f"{name}.token_file"


async def secure_data_port(credentials: Credentials, settings: DataSettings, server: Server) -> None:
    """Let the data port speak TLS and ask for tokens, as far as it is told to; call it before the server starts.

    Raises:
        CredentialError: what the files hold cannot be used.
    """

    async def use_tls(contents: Mapping[str, bytes]) -> None:
        server.set_tls(
            contents["cert_file"],
            contents["key_file"],
            client_authorities=contents.get("ca_file"),
            min_version=settings.tls.min_version,
        )

    async def use_tokens(contents: Mapping[str, bytes]) -> None:
        server.set_tokens(tokens_in(contents["token_file"]))

    if files := _tls_files(settings.tls):
        await credentials.begin(Credential("data.tls", files, use_tls, certificate="cert_file"))
    if settings.token_file is not None:
        await credentials.begin(Credential("data", {"token_file": settings.token_file}, use_tokens))


async def secure_admin_port(credentials: Credentials, settings: AdminSettings, admin: AdminServer) -> None:
    """Do the same for the admin port; call it before it listens.

    Raises:
        CredentialError: what the files hold cannot be used.
    """

    async def use_tls(_: Mapping[str, bytes]) -> None:
        admin.use_tls(server_context(settings.tls))

    async def use_tokens(contents: Mapping[str, bytes]) -> None:
        admin.use_tokens(tokens_in(contents["token_file"]))

    if files := _tls_files(settings.tls):
        await credentials.begin(Credential("admin.tls", files, use_tls, certificate="cert_file"))
    if settings.token_file is not None:
        await credentials.begin(Credential("admin", {"token_file": settings.token_file}, use_tokens))


def server_context(settings: TlsSettings) -> ssl.SSLContext:
    """Return what a listener in Python needs for TLS.

    Raises:
        ValueError: certificate and key do not belong together, or are none.
        OSError: a file cannot be read.
    """
    assert settings.cert_file is not None  # noqa: S101 - who calls this has looked
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = _VERSIONS[settings.min_version]
    # Without a password OpenSSL would ask at the terminal for that of an encrypted key.
    context.load_cert_chain(settings.cert_file, settings.key_file, password="")
    if settings.ca_file is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(settings.ca_file)
    return context


def _tls_files(settings: TlsSettings) -> dict[str, Path]:
    named = {"cert_file": settings.cert_file, "key_file": settings.key_file, "ca_file": settings.ca_file}
    return {name: path for name, path in named.items() if path is not None} if settings.cert_file is not None else {}
