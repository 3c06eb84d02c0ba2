"""Settings of the source of the policies: a folder, a bundle file, or a bundle over HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from sark_sidecar.seconds import Seconds, format_seconds
from sark_sidecar.shell_pattern import file_pattern

from .fields import Section

SignatureAlgorithm = Literal[
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "HS256", "HS384", "HS512"
]


def _bundle_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("it must be an address such as https://bundles.example.com/authz.tar.gz")
    if parts.username or parts.password:
        raise ValueError("it must not contain a user name or password; a bearer token is read from token_file")
    return value


def _file_pattern(value: str) -> str:
    file_pattern(value)
    return value


FilePattern = Annotated[str, Field(max_length=1024), AfterValidator(_file_pattern)]


class SigningKey(Section):
    """One key that bundles may be signed with."""

    key_file: Path
    """A public key or certificate in PEM; for HS* the secret, every byte of the file."""
    algorithm: SignatureAlgorithm = "RS256"
    """The token's algorithm must be this one."""
    scope: str = Field(default="", max_length=256)
    """The scope that a signature by this key must name; empty: any."""


class SigningSettings(Section):
    """With a key in it, bundles must be signed."""

    keys: dict[str, SigningKey] = Field(default={}, max_length=64)
    """By id."""
    key_id: str = Field(default="", max_length=256)
    """The key to use whatever the signature says; empty: the one it names."""
    scope: str = Field(default="", max_length=256)
    """The scope the signature must name; empty: the key's."""
    exclude_files: tuple[FilePattern, ...] = Field(default=(), max_length=256)
    """Shell patterns of files that are not verified."""

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.key_id and self.key_id not in self.keys:
            raise ValueError(f"key_id {self.key_id!r} is not among keys")
        if not self.keys and (self.scope or self.exclude_files):
            raise ValueError("scope and exclude_files need keys, the keys to verify with")
        return self


class BundleSettings(Section):
    """An OPA bundle; it is used when `file` or `url` is set."""

    file: Path | None = None
    """Bundle file; replace it by renaming another one over it."""
    url: Annotated[str, AfterValidator(_bundle_url)] | None = None
    """Bundle over HTTP or HTTPS, without user name, password and query."""
    name: str = Field(default="policies", min_length=1, max_length=128)
    """What decision logs and the status call it."""
    signing: SigningSettings = SigningSettings()
    max_compressed_bytes: int = Field(default=16_777_216, ge=1024, le=1_073_741_824)
    """Most bytes of a bundle as it comes."""
    min_delay: Seconds = Field(default=60.0, ge=0.1, le=3600)
    """Between two requests; each pause is drawn from min_delay to max_delay."""
    max_delay: Seconds = Field(default=120.0, ge=0.1, le=86_400)
    """Also the longest pause after failures."""
    long_polling_timeout: Seconds | None = Field(default=None, ge=1, le=3600)
    """How long a server that can is asked to wait for news; whole seconds."""
    timeout: Seconds = Field(default=30.0, gt=0, le=600)
    """For one request, without the wait of long polling."""
    token_file: Path | None = None
    """Bearer token, read for each request."""
    ca_file: Path | None = None
    """Authorities to trust instead of the system's, read for each request."""
    persist_file: Path | None = None
    """Where the last good bundle is kept over restarts."""

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.min_delay > self.max_delay:
            raise ValueError(
                f"min_delay {format_seconds(self.min_delay)} is above max_delay {format_seconds(self.max_delay)}; set both"
            )
        if self.url is None and (lone := [name for name in _FOR_A_URL if getattr(self, name) is not None]):
            raise ValueError(f"{lone[0]} needs url: it is about a bundle over HTTP")
        if self.file is None and self.url is None and self.signing.keys:
            raise ValueError("signing needs file or url: only bundles are signed")
        return self


_FOR_A_URL = ("long_polling_timeout", "token_file", "ca_file", "persist_file")


class PolicySettings(Section):
    """The policies of the embedded engine; they must be those OPA serves."""

    directory: Path | None = None
    """Folder of Rego modules and data."""
    bundle: BundleSettings = BundleSettings()
    poll_interval: Seconds = Field(default=2.0, ge=0.1, le=60)
    """How often a folder or a bundle file is looked at."""
    max_files: int = Field(default=1000, ge=1, le=100_000)
    """Most files that are read."""
    max_bytes: int = Field(default=33_554_432, ge=1, le=1_073_741_824)
    """Of all files together; of a bundle after inflating."""
    max_memory_bytes: int = Field(default=1_073_741_824, ge=1_048_576, le=68_719_476_736)
    """Of one set of policies when compiled, its data included. One above it is refused, and the one before goes on serving."""

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        chosen = self._chosen()
        if len(chosen) != 1:
            raise ValueError(
                "set exactly one of directory, bundle.file and bundle.url"
                + (f"; set are {' and '.join(chosen)}" if chosen else "; none is set")
            )
        return self

    @property
    def source(self) -> str:
        """The key of the source that is set, as in `policies.directory`."""
        return f"policies.{self._chosen()[0]}"

    def _chosen(self) -> list[str]:
        places = {"directory": self.directory, "bundle.file": self.bundle.file, "bundle.url": self.bundle.url}
        return [key for key, place in places.items() if place is not None]
