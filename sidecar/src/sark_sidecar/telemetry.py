"""The sidecar's own metrics, by name, in one place. Requests, evaluations and caches are counted by the data plane."""

from __future__ import annotations

from typing import Protocol

from sark_api.report import FlagState

from .breaker import BreakerState
from .flags.state import Flags

_BREAKER_STATES = {BreakerState.CLOSED: 0, BreakerState.HALF_OPEN: 1, BreakerState.OPEN: 2}
_FLAG_STATES = {
    state: number
    for number, state in enumerate(
        (FlagState.NONE, FlagState.STATIC, FlagState.WATCHING, FlagState.FILE, FlagState.STALE, FlagState.EXPIRED)
    )
}


class MetricSink(Protocol):
    """What the data plane's registry offers for series of the sidecar's own."""

    def set_gauge(self, name: str, help: str, value: float) -> None:  # noqa: A002 - the registry's word
        """Set a gauge."""

    def inc_counter(self, name: str, help: str, amount: int = 1) -> None:  # noqa: A002 - the registry's word
        """Add to a counter."""


_COUNTERS = {
    "sark_flag_documents_refused_total": "Flag documents refused: broken, or contradicting the one in force.",
    "sark_flag_documents_ignored_total": "Flag documents with a revision below the one in force.",
    "sark_flag_state_file_failures_total": "Times the last good flag document could not be kept on disk.",
    "sark_policy_load_failures_total": "Times the source of the policies could not be read or was refused; the old set served.",
    "sark_bundle_persist_failures_total": "Times the last good bundle could not be kept on disk.",
    "sark_credential_failures_total": "Times certificates or tokens were refused; the last good ones stayed in use.",
    "sark_passed_on_total": "Requests of OPA's REST API that only OPA can answer; they are in no arm.",
    "sark_passed_on_failures_total": "Those of them that OPA answered with an error of its own, or not at all.",
    "sark_data_writes_total": "Writes of data that were handed to OPA, or refused for want of room.",
    "sark_data_write_failures_total": "Writes of data that were handed to OPA or refused, and ended with 4xx or 5xx.",
    "sark_opa_skipped_total": "Questions not sent to OPA because it had failed; answered 503.",
    "sark_opa_breaker_opened_total": "Times OPA failed so often that it was left alone.",
    "sark_redis_skipped_total": "Redis commands not sent because Redis had failed.",
    "sark_redis_breaker_opened_total": "Times Redis failed so often that it was left alone.",
}
_GAUGES = {
    "sark_flags_state": "0: no flag document yet; 1: static; 2: watching; 3: from a file alone; 4: stale; 5: expired.",
    "sark_flags_stale": "1 while the source of the flags cannot be read and the last good document is followed.",
    "sark_flags_expired": "1 while the flag document is past its validity and the sidecar is on baseline.",
    "sark_policies_stale": "1 while the source of the policies cannot be read or holds a set that was refused.",
    "sark_policies_match": "1 while OPA serves the policies the embedded engine serves, 0 when not or unknown.",
    "sark_opa_up": "1 while OPA answers when asked for its policies.",
    "sark_opa_breaker_state": "0: OPA is asked; 1: one question at a time is a try; 2: it is left alone.",
    "sark_redis_breaker_state": "0: Redis is used; 1: one command at a time is a try; 2: it is left alone.",
    "sark_credentials_stale": "1 while certificates or tokens in use are not those that the files hold.",
    "sark_engine_set_aside": "1 while baseline answers everybody, for it is not known that the engine has what was written.",
    "sark_start_seconds": "Seconds from the start of the process until it was ready.",
    "sark_ready": "1 while the sidecar takes requests and is ready.",
    "sark_fault_injection_enabled": "1 when fault injection is enabled by configuration.",
}


_CERTIFICATE_LEFT = "Seconds until the certificate of the {} port is no longer valid; negative when it no longer is."


class Telemetry:
    """Writes them. All but those of certificates exist from the start: an absent series means an absent sidecar."""

    def __init__(self, sink: MetricSink) -> None:
        """Register every series at zero."""
        self._sink = sink
        self._refused = 0
        self._ignored = 0
        for name in _COUNTERS:
            self._count(name, 0)
        for name in _GAUGES:
            self._gauge(name, 0)

    def flags(self, flags: Flags) -> None:
        """Show the state of the flags."""
        self._count("sark_flag_documents_refused_total", flags.refused - self._refused)
        self._count("sark_flag_documents_ignored_total", flags.ignored - self._ignored)
        self._refused, self._ignored = flags.refused, flags.ignored
        self._gauge("sark_flags_state", _FLAG_STATES[flags.state])
        self._gauge("sark_flags_stale", flags.state is FlagState.STALE)
        self._gauge("sark_flags_expired", flags.state is FlagState.EXPIRED)

    def state_file_failed(self) -> None:
        """Count a document that could not be kept."""
        self._count("sark_flag_state_file_failures_total", 1)

    def policies_refused(self) -> None:
        """Count a policy set that was refused."""
        self._count("sark_policy_load_failures_total", 1)

    def policies_stale(self, stale: bool) -> None:
        """Show whether the last good policies serve because their source has no better ones."""
        self._gauge("sark_policies_stale", stale)

    def bundle_not_kept(self) -> None:
        """Count a bundle that could not be kept on disk."""
        self._count("sark_bundle_persist_failures_total", 1)

    def policies_match(self, match: bool, *, opa_up: bool) -> None:
        """Show whether both arms serve the same policies."""
        self._gauge("sark_policies_match", match)
        self._gauge("sark_opa_up", opa_up)

    def breaker_state(self, name: str, state: BreakerState) -> None:
        """Show the state of the breaker of `opa` or `redis`."""
        self._gauge(f"sark_{name}_breaker_state", _BREAKER_STATES[state])

    def breaker_opened(self, name: str) -> None:
        """Count an opening."""
        self._count(f"sark_{name}_breaker_opened_total", 1)

    def calls_skipped(self, name: str, calls: int) -> None:
        """Count calls that were not made."""
        self._count(f"sark_{name}_skipped_total", calls)

    def passed_on(self, *, failed: bool) -> None:
        """Count a request that only OPA can answer."""
        self._count("sark_passed_on_total", 1)
        self._count("sark_passed_on_failures_total", int(failed))

    def written(self, *, failed: bool) -> None:
        """Count a write of data."""
        self._count("sark_data_writes_total", 1)
        self._count("sark_data_write_failures_total", int(failed))

    def engine_set_aside(self, is_aside: bool) -> None:
        """Show whether the engine is kept from deciding."""
        self._gauge("sark_engine_set_aside", is_aside)

    def credentials_refused(self) -> None:
        """Count certificates or tokens that cannot be used."""
        self._count("sark_credential_failures_total", 1)

    def credentials_stale(self, stale: bool) -> None:
        """Show whether the files hold others than are in use."""
        self._gauge("sark_credentials_stale", stale)

    def certificate_left(self, listener: str, seconds: float) -> None:
        """Show how long the certificate of `data` or `admin` is valid from now on."""
        self._sink.set_gauge(f"sark_{listener}_certificate_left_seconds", _CERTIFICATE_LEFT.format(listener), seconds)

    def started(self, seconds: float) -> None:
        """Show how long the start took."""
        self._gauge("sark_start_seconds", seconds)

    def ready(self, ready: bool) -> None:
        """Show readiness."""
        self._gauge("sark_ready", ready)

    def fault_injection(self, enabled: bool) -> None:
        """Show whether faults can be injected."""
        self._gauge("sark_fault_injection_enabled", enabled)

    def _count(self, name: str, amount: int) -> None:
        self._sink.inc_counter(name, _COUNTERS[name], amount)

    def _gauge(self, name: str, value: float) -> None:
        self._sink.set_gauge(name, _GAUGES[name], float(value))
