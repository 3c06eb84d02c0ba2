"""How the sidecars' admin ports are spoken to: a file of the operator's, by the namespace of the pods.

Without it, and in namespaces it does not name, they are asked in plain HTTP and without a token. A rollout cannot name
credentials, for the reason that `prometheus_access` gives; what an entry holds goes to pods of its namespaces alone.
"""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Final

from pydantic import Field, StringConstraints

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

_ServerName = Annotated[str, StringConstraints(max_length=253, pattern=r"^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$")]


class _Tls(Tls):
    server_name: _ServerName | None = None


class _Sidecars(Strict):
    namespaces: list[Name] = Field(default=[], max_length=1000)
    authorization: Authorization | None = None
    tls_config: _Tls | None = None


class _File(Strict):
    sidecars: list[_Sidecars] = Field(max_length=1000)


@dataclass(frozen=True, slots=True)
class Way:
    """How one question is put. Equal contexts share connections."""

    scheme: str = "http"
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    tls: ssl.SSLContext | None = None
    server_name: str | None = None
    """What the certificate must be for; None: the pod's address."""


PLAIN: Final = Way()


class _Entry:
    """One entry of the file, with the context that its files made last."""

    def __init__(self, sidecars: _Sidecars) -> None:
        self._sidecars = sidecars
        self._digest = b""
        self._context: ssl.SSLContext | None = None

    def way(self) -> Way:
        """Return the way with the files as they are now. Raises AccessError."""
        headers = {}
        if self._sidecars.authorization is not None:
            headers["Authorization"] = f"Bearer {read_secret(self._sidecars.authorization.credentials_file)}"
        if (tls := self._sidecars.tls_config) is None:
            return Way(headers=headers)
        return Way("https", headers, self._tls(tls), tls.server_name)

    def _tls(self, tls: _Tls) -> ssl.SSLContext:
        """Return the same context until a file changes: with a new one every connection would have to be made anew."""
        named: Sequence[FilePath | None] = (tls.ca_file, tls.cert_file, tls.key_file)
        contents = [read_limited(path) for path in named if path is not None]
        digest = hashlib.sha256(b"".join(hashlib.sha256(content).digest() for content in contents)).digest()
        if self._context is None or digest != self._digest:
            self._context, self._digest = _context(tls), digest
        return self._context


class SidecarAccess:
    """What the file says; without a file every sidecar is asked openly."""

    def __init__(self, entries: Mapping[str, _Entry] | None = None) -> None:
        self._entries = dict(entries or {})

    @classmethod
    def load(cls, path: Path) -> SidecarAccess:
        """Read the file at `path`, and every file it names once, so that a wrong path is found at the start.

        Raises:
            AccessFileError: it, or a file it names, cannot be used.
        """
        entries: dict[str, _Entry] = {}
        for number, sidecars in enumerate(read_document(path, _File).sidecars):
            entry = _Entry(sidecars)
            for namespace in sidecars.namespaces or [""]:
                if namespace in entries:
                    whose = f"namespace {namespace} stands" if namespace else "all other namespaces stand"
                    raise AccessFileError(f"{path}: sidecars.{number}: {whose} there twice: give each one once")
                entries[namespace] = entry
            try:
                entry.way()
            except AccessError as error:
                raise AccessFileError(f"{path}: sidecars.{number}: {error}") from error
        return cls(entries)

    def way(self, namespace: str) -> Way:
        """Return how the sidecars of `namespace` are asked.

        Raises:
            AccessError: a file cannot be used now; they must not be asked in another way then.
        """
        entry = self._entries.get(namespace) or self._entries.get("")
        return entry.way() if entry is not None else PLAIN


def _context(tls: _Tls) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=tls.ca_file)
    except (OSError, ValueError) as error:
        raise AccessError(f"{tls.ca_file} holds no certificates that can be used") from error
    if tls.cert_file is not None:
        try:
            # Without a password OpenSSL would ask at the terminal for that of an encrypted key.
            context.load_cert_chain(tls.cert_file, tls.key_file, password="")
        except (OSError, ValueError) as error:
            raise AccessError(f"{tls.cert_file} and {tls.key_file} are no certificate and its key") from error
    return context
