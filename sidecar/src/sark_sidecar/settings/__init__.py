"""The sidecar's configuration: one YAML file, and environment variables over it.

Keys keep the words of the performance report (`opa.url`, `cache.ttl`, `feature_flags.rollout_percentage`). In the environment
the key `opa.url` is `SARK_SIDECAR_OPA__URL`. What is not a key is refused with the nearest one that is.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from sark_sidecar.seconds import Seconds

from .breaker import OpaBreakerSettings, RedisBreakerSettings
from .cache import CacheBackend, CacheSettings, ClassSettings
from .decision_logs import DecisionLogSettings, LogServiceSettings
from .fields import FileMode, HttpUrl, Pointer, Port, Section, SocketPath, is_loopback
from .flags import Assignment, FlagMode, FlagSettings
from .policies import BundleSettings, PolicySettings, SigningKey, SigningSettings
from .shadow import ShadowSettings
from .transport import Authentication, SecuredSection, TlsSettings
from .writes import WriteSettings

__all__ = [
    "ENVIRONMENT_PREFIX",
    "AdminSettings",
    "Assignment",
    "Authentication",
    "BundleSettings",
    "CacheBackend",
    "CacheSettings",
    "ClassSettings",
    "DataSettings",
    "DecisionLogSettings",
    "FaultSettings",
    "FlagMode",
    "FlagSettings",
    "LimitSettings",
    "LogLevel",
    "LogServiceSettings",
    "LogSettings",
    "OpaBreakerSettings",
    "OpaSettings",
    "PolicySettings",
    "RedisBreakerSettings",
    "Settings",
    "ShadowSettings",
    "SigningKey",
    "SigningSettings",
    "StaticFlags",
    "TlsSettings",
    "WriteSettings",
]

ENVIRONMENT_PREFIX = "SARK_SIDECAR_"


class OpaSettings(Section):
    """The OPA server of the baseline arm."""

    url: HttpUrl = "http://localhost:8181"
    """Its base address."""
    timeout: Seconds = Field(default=10.0, gt=0, le=60)
    """For one decision, connecting included."""
    max_connections: int = Field(default=64, ge=1, le=1024)
    """Pooled connections to it."""
    poll_interval: Seconds = Field(default=3.0, ge=0.1, le=60)
    """How often OPA is asked which policies it serves; slower by itself when that takes long."""
    breaker: OpaBreakerSettings = OpaBreakerSettings()


class StaticFlags(Section):
    """Flags used only with `flags.mode: static`."""

    rust_opa_enabled: bool = False
    """Whether the new arm evaluates in the embedded engine."""
    rust_cache_enabled: bool = False
    """Whether the new arm keeps decisions in the in-process cache."""
    rollout_percentage: int = Field(default=0, ge=0, le=100)
    """Share of the subjects in the new arm."""
    shadow_percentage: int = Field(default=0, ge=0, le=100)
    """Share of the requests whose decisions are compared with the other arm's."""


class DataSettings(SecuredSection):
    """The listener the application asks."""

    host: str | None = "127.0.0.1"
    """None: no TCP listener; then unix_path is needed."""
    port: Port = 8180
    """TCP port."""
    unix_path: SocketPath | None = None
    """A Unix-domain socket to listen on as well."""
    unix_mode: FileMode = 0o660
    """Permissions of its file: who may connect."""
    subject_pointer: Pointer = "/user/id"
    """JSON pointer into the input: whose request it is."""
    subject_fallbacks: tuple[Pointer, ...] = Field(
        default=("/agent/id", "/source_agent/id", "/subject", "/user"), max_length=16
    )
    """JSON pointers tried in this order when there is nothing at subject_pointer."""
    subject_header: str | None = Field(default=None, max_length=128, pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")
    """A request header that names the subject and comes first."""

    @model_validator(mode="after")
    def _listens(self) -> Self:
        if self.host is None and self.unix_path is None:
            raise ValueError("without host it needs unix_path: somewhere the application must be able to ask")
        if self.host is None and self.tls.cert_file is not None:
            raise ValueError("tls needs host: a Unix-domain socket speaks no TLS")
        if self.unix_path is not None and self.authentication is Authentication.TLS:
            raise ValueError(
                "authentication: tls and unix_path exclude each other: on the socket nobody could show a certificate"
            )
        return self

    def listeners(self) -> str:
        """Return where it listens, for people."""
        tcp = [f"data.host {self.host}, data.port {self.port}"] if self.host is not None else []
        unix = [f"data.unix_path {self.unix_path}"] if self.unix_path is not None else []
        return "; ".join(tcp + unix)


class AdminSettings(SecuredSection):
    """The read-only listener for the operator, Prometheus and probes; in a pod set host to the pod's IP."""

    host: str = "127.0.0.1"
    """Address to listen on."""
    port: Port = 8182
    """TCP port."""
    max_connections: int = Field(default=64, ge=4, le=1024)
    """Open connections; more are closed."""


class FaultSettings(Section):
    """The fault-injection hook, for rehearsals; off unless enabled here."""

    enabled: bool = False
    """Whether the file is read at all."""
    file: Path | None = None
    """JSON file that names the faults, read five times a second."""

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.enabled and self.file is None:
            raise ValueError("enabled needs file, the path of the JSON file that names the faults")
        return self


class LimitSettings(Section):
    """Bounds on everything that comes from outside."""

    workers: int = Field(default=1, ge=1, le=64)
    """Threads that serve the data port."""
    max_body_bytes: int = Field(default=1_048_576, ge=1024, le=67_108_864)
    """Longest body of a request, unpacked."""
    max_header_bytes: int = Field(default=16_384, ge=1024, le=1_048_576)
    """Longest head of a request."""
    idle_timeout: Seconds = Field(default=60.0, gt=0, le=3600)
    """For the next request of a connection."""
    header_timeout: Seconds = Field(default=5.0, gt=0, le=60)
    """To receive the head, from the first byte on, and for a TLS handshake."""
    body_timeout: Seconds = Field(default=5.0, gt=0, le=60)
    """To receive the body."""
    write_timeout: Seconds = Field(default=5.0, gt=0, le=60)
    """For a client to take its answer."""
    max_connections: int = Field(default=1024, ge=1, le=65_536)
    """Open connections to the data port."""
    baseline_queue: int = Field(default=1024, ge=1, le=65_536)
    """Baseline requests that wait; more are answered 503."""
    baseline_concurrency: int = Field(default=256, ge=1, le=4096)
    """Baseline requests under way at a time."""
    max_decision_bytes: int = Field(default=4_194_304, ge=1024, le=67_108_864)
    """Longest answer of OPA."""
    evaluation_timeout: Seconds = Field(default=1.0, gt=0, le=60)
    """For one evaluation by the embedded engine."""
    max_evaluation_bytes: int = Field(default=268_435_456, ge=33_554_432, le=68_719_476_736)
    """Memory that the values of one evaluation by the embedded engine may take."""
    inline_evaluation: Seconds = Field(default=0.002, gt=0, le=60)
    """For one evaluation on a serving thread; a longer one goes to an evaluation thread."""
    evaluation_threads: int = Field(default=2, ge=1, le=64)
    """Threads for evaluations that take longer than inline_evaluation."""
    evaluation_queue: int = Field(default=256, ge=1, le=65_536)
    """Evaluations that wait for such a thread; more are answered 503."""
    drain_timeout: Seconds = Field(default=25.0, gt=0, le=600)
    """How long requests under way may take after SIGTERM."""


class LogLevel(StrEnum):
    """Least important level that is logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class LogSettings(Section):
    """Logs go to standard error, one JSON object a line."""

    level: LogLevel = LogLevel.INFO
    """Least important level that is logged."""


class Settings(BaseSettings):
    """All of the configuration."""

    model_config = SettingsConfigDict(
        env_prefix=ENVIRONMENT_PREFIX,
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
    )

    policies: PolicySettings
    opa: OpaSettings = OpaSettings()
    cache: CacheSettings = CacheSettings()
    feature_flags: StaticFlags = StaticFlags()
    flags: FlagSettings = FlagSettings()
    data: DataSettings = DataSettings()
    admin: AdminSettings = AdminSettings()
    fault_injection: FaultSettings = FaultSettings()
    limits: LimitSettings = LimitSettings()
    shadow: ShadowSettings = ShadowSettings()
    decision_logs: DecisionLogSettings = DecisionLogSettings()
    writes: WriteSettings = WriteSettings()
    log: LogSettings = LogSettings()

    @model_validator(mode="after")
    def _writes_are_safe(self) -> Self:
        if not self.writes.documents:
            return self
        if not is_loopback(urlsplit(self.opa.url).hostname or ""):
            raise ValueError(
                "writes.documents needs an OPA of this pod's own: set opa.url to localhost; others that write to it, or ask "
                "it, would not know of each other"
            )
        if self.data.authentication is Authentication.OFF and self.data.host is not None:
            raise ValueError(
                "writes.documents needs data.authentication token or tls, or data.host null with data.unix_path: "
                "whoever can write decides who may do what"
            )
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Environment first, then the file (which comes in as arguments); nothing else is read."""
        del settings_cls, dotenv_settings, file_secret_settings
        return env_settings, init_settings
