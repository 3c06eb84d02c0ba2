"""What the sidecar says of itself on the admin port."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import sark_engine

from sark_api.instant import format_precise_instant
from sark_api.report import FlagReport
from sark_sidecar.credentials import Credentials
from sark_sidecar.decision_logs.follower import DecisionLogs
from sark_sidecar.faults import FaultHook
from sark_sidecar.flags.following import FlagFollower
from sark_sidecar.flags.state import report
from sark_sidecar.opa.view import OpaView
from sark_sidecar.policies.embedded import EmbeddedPolicies
from sark_sidecar.settings import Settings
from sark_sidecar.shadow.follower import Shadow

SIDECAR_VERSION = version("sark-rollout")
ENGINE_VERSION = sark_engine.__version__


@dataclass(slots=True)
class Parts:
    """What there is to report on; parts appear while the sidecar starts."""

    settings: Settings
    in_process: bool = False
    """Whether it decides inside an application and has no data port."""
    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    policies: EmbeddedPolicies | None = None
    opa: OpaView | None = None
    flags: FlagFollower | None = None
    faults: FaultHook | None = None
    shadow: Shadow | None = None
    decision_logs: DecisionLogs | None = None
    credentials: Credentials = field(default_factory=Credentials)
    start_seconds: float | None = None
    """From the start of the process until it was ready."""
    redis_problem: Callable[[], str] = lambda: ""
    redis_breaker: Callable[[], dict[str, Any]] = dict
    opa_breaker: Callable[[], dict[str, Any]] = dict
    writes: Callable[[], dict[str, Any]] = dict
    """What is known of documents that clients write; empty when nothing can be written."""
    metrics: Callable[[], bytes] | None = None
    data_port: int | None = None
    waiting: str = "starting"
    """Why the sidecar is not ready; empty when it is."""


def unready(parts: Parts) -> list[str]:
    """Return the reasons why no traffic should come yet, as sentences; empty when ready."""
    return [parts.waiting] if parts.waiting else []


def flags_state(parts: Parts) -> str:
    """Return the one word for where the flags in force come from, as in `GET /flags`; empty before they are followed."""
    return parts.flags.flags.state.value if parts.flags else ""


def flag_report(parts: Parts) -> FlagReport | None:
    """Return the answer of `GET /flags`; None before the flags are followed."""
    if parts.flags is None or parts.policies is None:
        return None
    verdicts = parts.policies.verdicts
    return report(
        parts.flags.flags,
        policy=parts.policies.policies.revision,
        baseline_policy=parts.opa.revision if parts.opa else "",
        baseline_only=verdicts.reported(),
        baseline_only_count=len(verdicts.left),
        sidecar=SIDECAR_VERSION,
        engine=ENGINE_VERSION,
    )


def policies(parts: Parts) -> dict[str, Any] | None:
    """Return the answer of `GET /policies`; None before any are served."""
    if parts.policies is None:
        return None
    return {"revision": parts.policies.policies.revision, **parts.policies.verdicts.shown()}


def status(parts: Parts) -> dict[str, Any]:
    """Return the answer of `GET /v1/status`."""
    return {
        "ready": not parts.waiting,
        "waiting": parts.waiting,
        "since": format_precise_instant(parts.started),
        "start_seconds": parts.start_seconds,
        "versions": {
            "sidecar": SIDECAR_VERSION,
            "engine": ENGINE_VERSION,
            "engine_build": sark_engine.build_profile,
            "regorus": sark_engine.regorus_version,
        },
        "data": _data(parts),
        "flags": _flags(parts),
        "policies": _policies(parts),
        "opa": _opa(parts),
        "cache": {
            "backend": parts.settings.cache.backend.value,
            "ttl_seconds": parts.settings.cache.ttl,
            "ttl_seconds_by_class": {
                name: min(seconds, parts.settings.cache.ttl) for name, seconds in parts.settings.cache.classes.table().items()
            },
            "redis_problem": parts.redis_problem(),
            "redis_breaker": parts.redis_breaker(),
        },
        "writes": parts.writes(),
        "shadow": parts.shadow.status() if parts.shadow else {},
        "decision_logs": parts.decision_logs.status() if parts.decision_logs else {},
        "credentials": parts.credentials.status(),
        "faults": _faults(parts.faults),
    }


def _data(parts: Parts) -> dict[str, Any]:
    if parts.in_process:
        return {"in_process": True}
    data = parts.settings.data
    return {
        "host": data.host,
        "port": parts.data_port,
        "unix_path": str(data.unix_path or ""),
        "tls": data.tls.cert_file is not None,
        "authentication": data.authentication.value,
    }


def _flags(parts: Parts) -> dict[str, Any]:
    applied = flag_report(parts)
    if parts.flags is None or applied is None:
        return {}
    flags = parts.flags.flags
    return {
        **applied.model_dump(mode="json"),
        "mode": parts.settings.flags.mode.value,
        "assignment": parts.settings.flags.assignment.value,
        "rust_opa_enabled": flags.share.rust_opa,
        "rust_cache_enabled": flags.share.rust_cache,
        "valid_until": format_precise_instant(flags.document.valid_until)
        if flags.document and flags.document.valid_until
        else None,
        "problem": parts.flags.problem,
        "state_file_problem": parts.flags.state_file_problem,
        "refused": flags.refused,
        "ignored": flags.ignored,
        "last_refusals": [
            {"origin": refusal.origin.value, "at": format_precise_instant(refusal.at), "reason": refusal.reason}
            for refusal in flags.last_refusals.values()
        ],
    }


def _policies(parts: Parts) -> dict[str, Any]:
    if parts.policies is None:
        return {}
    serving = parts.policies
    return {
        "revision": serving.policies.revision,
        "since": format_precise_instant(serving.since),
        "modules": len(serving.sources.modules),
        "memory_bytes": serving.policies.memory_bytes,
        "packages": serving.policies.packages[:200],
        "unsupported": serving.policies.unsupported,
        "rules": serving.verdicts.rules,
        "baseline_only_count": len(serving.verdicts.left),
        "problem": serving.problem,
        "source": serving.source_status(),
    }


def _opa(parts: Parts) -> dict[str, Any]:
    if parts.opa is None:
        return {}
    known = parts.opa.known
    return {
        "url": parts.settings.opa.url,
        "revision": parts.opa.revision,
        "matches": parts.opa.matches,
        "seen_at": format_precise_instant(known.at) if known else None,
        "problem": parts.opa.problem,
        "breaker": parts.opa_breaker(),
    }


def _faults(hook: FaultHook | None) -> dict[str, Any]:
    if hook is None:
        return {"enabled": False}
    first = hook.first_fault_at
    return {
        "enabled": True,
        **hook.faults.model_dump(mode="json"),
        "first_fault_at": format_precise_instant(datetime.fromtimestamp(first, UTC)) if first is not None else None,
        "problem": hook.problem,
    }
