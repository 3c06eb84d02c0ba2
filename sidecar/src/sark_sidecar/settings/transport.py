"""Settings of a listener's security: TLS, and who may ask."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Literal, Self

from pydantic import model_validator

from .fields import Section


class Authentication(StrEnum):
    """What a client must show; the words of OPA's flag."""

    OFF = "off"
    TOKEN = "token"  # noqa: S105 - a word, no secret
    TLS = "tls"


class TlsSettings(Section):
    """Certificate and key of a listener, and the authorities of its clients; used when `cert_file` is set."""

    cert_file: Path | None = None
    """PEM: the certificate and those between it and its authority."""
    key_file: Path | None = None
    """PEM: the certificate's private key."""
    ca_file: Path | None = None
    """PEM: authorities of clients; for `authentication: tls`."""
    min_version: Literal["1.2", "1.3"] = "1.2"
    """Oldest version of TLS that is spoken."""

    @model_validator(mode="after")
    def _pair(self) -> Self:
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("cert_file and key_file belong together; set both or neither")
        if self.ca_file is not None and self.cert_file is None:
            raise ValueError("ca_file needs cert_file and key_file: only a listener with TLS sees certificates of clients")
        return self


class SecuredSection(Section):
    """A listener that may speak TLS and ask its clients who they are."""

    tls: TlsSettings = TlsSettings()
    authentication: Authentication = Authentication.OFF
    """What a client must show: nothing, a bearer token, or a certificate."""
    token_file: Path | None = None
    """Bearer tokens, one a line; any of them lets in."""

    @model_validator(mode="after")
    def _authenticates(self) -> Self:
        wants_tls, wants_token = (self.authentication is kind for kind in (Authentication.TLS, Authentication.TOKEN))
        if wants_tls != (self.tls.ca_file is not None):
            raise ValueError("authentication: tls and tls.ca_file belong together; set both or neither")
        if wants_token != (self.token_file is not None):
            raise ValueError("authentication: token and token_file belong together; set both or neither")
        return self
