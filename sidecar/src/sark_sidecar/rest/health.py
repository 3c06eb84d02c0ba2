"""`/health` with its parameters, and health rules, by OPA's rules and with the sidecar's own parts as plugins."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol
from urllib.parse import unquote

import orjson
from sark_engine import EngineError

from .answer import RestAnswer, document
from .request import RestRequest

BUNDLE = "bundle"
"""The plugin that `bundles` asks about: the source of the policies."""
_OK = "OK"


class HealthEngine(Protocol):
    """Decides in process, and counts it as no request."""

    def evaluate_aside(self, path: str, input: bytes | None = None) -> bytes | None:  # noqa: A002 - the engine's word
        """Return the decision as JSON; None when undefined. Raise EngineError."""


def health(request: RestRequest, plugins: Mapping[str, str]) -> RestAnswer:
    """Return the answer of `GET /health`; `plugins` gives the state of each part, `OK` or why it is not."""
    if (request.is_on("bundles") or request.is_on("bundle")) and plugins.get(BUNDLE, _OK) != _OK:
        return _failed("one or more bundles are not activated")
    excluded = set(request.parameters().get("exclude-plugin", []))
    if request.is_on("plugins") and any(state != _OK for name, state in plugins.items() if name not in excluded):
        return _failed("one or more plugins are not up")
    return document({})


def health_rule(request: RestRequest, plugins: Mapping[str, str], engine: HealthEngine) -> RestAnswer:
    """Return the answer of `GET /health/<rule>`: healthy exactly when `data.system.health.<rule>` is true."""
    rule = unquote(request.path.removeprefix("/health/")).strip("/")
    name = "data.system.health" + "".join(f".{segment}" for segment in rule.split("/") if segment)
    state = {"plugin_state": dict(plugins), "plugins_ready": all(state == _OK for state in plugins.values())}
    try:
        result = engine.evaluate_aside(f"system/health/{rule}", orjson.dumps(state))
    except (EngineError, ValueError) as error:
        return _failed(f"health check ({name}) failed: {error}")
    if result is None:
        return _failed(f"health check ({name}) was undefined")
    return document({}) if result == b"true" else _failed(f"health check ({name}) returned unexpected value")


def _failed(reason: str) -> RestAnswer:
    return document({"error": reason}, status=500)
