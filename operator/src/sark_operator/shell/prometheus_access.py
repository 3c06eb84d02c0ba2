"""Which credentials go to which Prometheus: a file of the operator's, for whoever runs the operator.

Credentials are bound to addresses here, and not named in a rollout, on purpose. Whoever may write a rollout could otherwise
send the operator's token, or any Secret of the namespace, to an address of their own. So a rollout names an address, and at
most a tenant; the file says what belongs to the address, and whose rollouts may use it.

The file holds paths, never secrets. What is in them is read for each question, so that a rotated token counts from the next.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Final, Protocol, Self

import requests
from pydantic import Field, StringConstraints, model_validator

from sark_api import reasons
from sark_api.spec import Prometheus
from sark_operator.core.observation import Missing
from sark_operator.shell.credential_files import (
    AccessError,
    AccessFileError,
    Authorization,
    FilePath,
    Name,
    Strict,
    Tls,
    read_document,
    read_limited,
    read_secret,
)
from sark_operator.shell.origin import origin, port, sent

ACCESS: Final = reasons.METRICS_ACCESS.name
"""Reason of what cannot be asked because of credentials or tenants."""
TENANT_HEADER: Final = "X-Scope-OrgID"
"""What Mimir, Loki and Cortex read; Thanos' own default is THANOS-TENANT."""

_Tenant = Annotated[str, StringConstraints(min_length=1, max_length=150, pattern=r"^[A-Za-z0-9!._*'()|-]+$")]


class _BasicAuth(Strict):
    username: Annotated[str, StringConstraints(min_length=1, max_length=256, pattern=r"^[^:\x00-\x1f\x7f]+$")]
    password_file: FilePath


class _Server(Strict):
    address: Annotated[str, StringConstraints(min_length=8, max_length=2048, pattern=r"^https?://[^\s/?#@]+(/[^\s?#]*)?$")]
    namespaces: list[Name] = Field(default=[], max_length=1000)
    authorization: Authorization | None = None
    basic_auth: _BasicAuth | None = None
    tls_config: Tls = Tls()
    tenant_header: Annotated[str, StringConstraints(max_length=64, pattern=r"^[A-Za-z][A-Za-z0-9-]*$")] = TENANT_HEADER
    tenants: list[_Tenant] = Field(default=[], max_length=1000)

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.authorization is not None and self.basic_auth is not None:
            raise ValueError("give either authorization or basic_auth")
        return self

    @property
    def has_credentials(self) -> bool:
        return bool(self.authorization or self.basic_auth or self.tls_config.cert_file)


class _File(Strict):
    servers: list[_Server] = Field(max_length=1000)


@dataclass(frozen=True, slots=True)
class Access:
    """How one server is spoken to, without the secrets themselves. Equal ones may share an answer."""

    token_file: str = ""
    user: str = ""
    password_file: str = ""
    ca_file: str = ""
    certificate: tuple[str, str] | None = None
    """Files of the client's certificate and key."""
    tenant_header: str = ""
    tenant: str = ""

    @property
    def has_credentials(self) -> bool:
        """Whether the server learns who asks."""
        return bool(self.token_file or self.user or self.certificate)

    def apply(self, session: requests.Session) -> tuple[str, ...]:
        """Let `session` speak this way, with the files as they are now, and return the secrets in it, to be kept out of texts.

        Raises:
            AccessError: a file cannot be read, or does not hold one line.
        """
        secrets: tuple[str, ...] = ()
        if self.tenant:
            session.headers[self.tenant_header] = self.tenant
        if self.token_file:
            token = read_secret(self.token_file)
            session.headers["Authorization"] = f"Bearer {token}"
            secrets = (token,)
        if self.user:
            password = read_secret(self.password_file)
            session.auth = (self.user, password)
            sent = b64encode(f"{self.user}:{password}".encode("latin1", "replace")).decode()
            secrets = (password, sent)
        if self.ca_file:
            read_limited(self.ca_file)
            session.verify = self.ca_file
        if self.certificate is not None:
            for path in self.certificate:
                read_limited(path)
            session.cert = self.certificate
        return secrets


OPEN: Final = Access()
"""No credentials, the system's own authorities, no tenant."""


class Servers(Protocol):
    """Who says how a server may be asked."""

    def access(self, wanted: Prometheus, namespace: str) -> Access | Missing:
        """Return how a rollout of `namespace` may ask the server it names."""
        ...


class PrometheusServers:
    """What the file says; without a file every address is asked openly."""

    def __init__(self, servers: Mapping[str, _Server] | None = None) -> None:
        self._servers = dict(servers or {})
        self._guarded = {_place(server.address) for server in self._servers.values() if server.namespaces or server.tenants}
        """Hosts and ports at which only what is listed is open, so that no other spelling goes around a list."""

    @classmethod
    def load(cls, path: Path) -> PrometheusServers:
        """Read the file at `path`, and every file it names once, so that a wrong path is found at the start.

        Raises:
            AccessFileError: it, or a file it names, cannot be used.
        """
        found = read_document(path, _File)
        servers: dict[str, _Server] = {}
        for server in found.servers:
            key = _normal(server.address)
            if key in servers:
                raise AccessFileError(f"{path}: {server.address} stands there twice: give each address once")
            servers[key] = server
            try:
                _access(server, server.tenants[0] if server.tenants else "").apply(requests.Session())
            except AccessError as error:
                raise AccessFileError(f"{path}: {server.address}: {error}") from error
        return cls(servers)

    def access(self, wanted: Prometheus, namespace: str) -> Access | Missing:
        """Return how a rollout of `namespace` may ask the server it names."""
        server = self._servers.get(_normal(wanted.address))
        if server is None and _place(wanted.address) in self._guarded:
            return Missing(
                ACCESS,
                f"Prometheus at {wanted.public_address()} is not open to rollouts, only what --prometheus-config lists of this "
                "host and port is: write the address as it stands there",
            )
        if server is None:
            return Access(tenant_header=TENANT_HEADER, tenant=wanted.tenant) if wanted.tenant else OPEN
        if server.namespaces and namespace not in server.namespaces:
            return Missing(
                ACCESS,
                f"Prometheus at {server.address} is not open to namespace {namespace}: "
                "whoever runs the operator can add it to namespaces in --prometheus-config",
            )
        tenant = wanted.tenant or (server.tenants[0] if server.tenants else "")
        if wanted.tenant and wanted.tenant not in server.tenants and (server.has_credentials or server.tenants):
            return Missing(
                ACCESS,
                f"tenant {wanted.tenant} of Prometheus at {server.address} is not open to rollouts: "
                "whoever runs the operator can add it to tenants in --prometheus-config",
            )
        return _access(server, tenant)


def _access(server: _Server, tenant: str) -> Access:
    tls, basic = server.tls_config, server.basic_auth
    return Access(
        token_file=server.authorization.credentials_file if server.authorization else "",
        user=basic.username if basic else "",
        password_file=basic.password_file if basic else "",
        ca_file=tls.ca_file or "",
        certificate=(tls.cert_file, tls.key_file) if tls.cert_file and tls.key_file else None,
        tenant_header=server.tenant_header if tenant else "",
        tenant=tenant,
    )


@lru_cache(maxsize=1024)
def _normal(address: str) -> str:
    """Return the address in the form in which two spellings of one server are equal, which is that in which it is asked."""
    try:
        parts = sent(address)
        return f"{parts.scheme}://{parts.hostname or ''}:{port(parts)}{parts.path.rstrip('/')}"
    except ValueError:
        return address


def _place(address: str) -> str:
    """Return host and port, whatever is asked there and how."""
    return origin(address).partition("://")[2]
