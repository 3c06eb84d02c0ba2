"""What the sidecar says of itself in OPA's shapes: `/v1/config` and `/v1/status`. Nothing secret is in them."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit, urlunsplit

from sark_sidecar.admin import status
from sark_sidecar.admin.status import Parts
from sark_sidecar.settings import Settings


def config(settings: Settings) -> dict[str, Any]:
    """Return the active configuration: what OPA's clients look for, and the sidecar's own settings."""
    return {
        "default_decision": "/system/main",
        "default_authorization_decision": "/system/authz/allow",
        "labels": {"id": "sark-sidecar", "version": status.SIDECAR_VERSION},
        "sark": redacted(settings.model_dump(mode="json")),
    }


def opa_status(parts: Parts) -> dict[str, Any]:
    """Return the status: plugins as OPA lists them, and everything the admin port shows."""
    plugins = {name: {"state": state} for name, state in plugin_states(parts).items()}
    return {
        "labels": {"id": "sark-sidecar", "version": status.SIDECAR_VERSION},
        "plugins": plugins,
        "sark": redacted(status.status(parts)),
    }


def plugin_states(parts: Parts) -> dict[str, str]:
    """Return the state of each part that OPA would call a plugin."""
    ready = not parts.waiting
    return {
        "bundle": "OK" if parts.policies is not None else "NOT_READY",
        "flags": "OK" if ready or (parts.flags is not None and parts.flags.answered.is_set()) else "NOT_READY",
        "sidecar": "OK" if ready else "NOT_READY",
    }


def redacted(value: Any) -> Any:
    """Return a copy in which no address carries a user, a password or a query string."""
    if isinstance(value, dict):
        return {key: redacted(member) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return [redacted(member) for member in value]
    return _without_secrets(value) if isinstance(value, str) and "://" in value else value


def _without_secrets(text: str) -> str:
    try:
        parts = urlsplit(text)
    except ValueError:
        return "(hidden)"
    place = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, place, parts.path, "", ""))
