"""The API server's own opinion: a dry run of what `kubectl apply --server-side` would send."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from sark_api.names import GROUP, PLURAL, VERSION
from sark_api.reasons import shorten
from sark_cli.connection import AGENT, Connection
from sark_cli.rollouts import CALL_SECONDS, asked, translated

from .finding import Finding, Level, Path
from .rules import rules

_PART = re.compile(r"([^.\[\]]+)|\[(\d+)\]")
_UNTYPED = re.compile(r"failed to create typed patch object \(.*?\): (?P<field>\.\S+?): (?P<said>.+)", re.DOTALL)
"""What a server-side apply answers, with status 500, to a member of the wrong type or name."""
_REST_UNCHECKED = "some validation rules were not checked because the object was invalid"
MAX_SAID = 600
_APPLY = "application/apply-patch+yaml"


def ask_server(connection: Connection, body: Mapping[str, Any]) -> list[Finding]:
    """Return what the API server refuses of `body`; nothing is stored.

    Raises:
        CommandError: it could not be asked.
    """
    from kubernetes import client
    from kubernetes.client.exceptions import ApiException

    metadata = body.get("metadata") or {}
    namespace, name = str(metadata.get("namespace") or connection.namespace), str(metadata.get("name"))
    objects: Any = client.CustomObjectsApi(connection.api)
    refused: list[Finding] = []

    def apply() -> None:
        try:
            objects.patch_namespaced_custom_object(
                GROUP,
                VERSION,
                namespace,
                PLURAL,
                name,
                {**body, "metadata": {**metadata, "namespace": namespace}},
                dry_run="All",
                field_manager=AGENT,
                field_validation="Strict",
                force=True,
                _content_type=_APPLY,
                _request_timeout=CALL_SECONDS,
            )
        except ApiException as error:
            if error.status not in (400, 422) and _UNTYPED.search(_message(error)) is None:
                raise
            refused.extend(_findings(error))

    asked(connection.server, f"try SarkRollout {name} in namespace {namespace}", apply)
    return refused


def _findings(error: Any) -> list[Finding]:
    """Return one finding for each cause the server names, or one for its whole message."""
    untyped = _UNTYPED.search(_message(error))
    if untyped is not None:
        said = " ".join(untyped["said"].split())
        return [Finding(Level.ERROR, _path(untyped["field"]), f"the API server says: {said}")]
    causes = (_document(error).get("details") or {}).get("causes") or []
    told = [cause for cause in causes if _REST_UNCHECKED not in cause.get("message", "")]
    if not told:
        return [Finding(Level.ERROR, (), str(translated("apply it", error.status, error.body)))]
    return [Finding(Level.ERROR, _path(cause.get("field", "")), _sentence(cause)) for cause in told]


def _document(error: Any) -> dict[str, Any]:
    try:
        found = json.loads(error.body or "")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _message(error: Any) -> str:
    return str(_document(error).get("message") or "")


def _sentence(cause: Mapping[str, str]) -> str:
    """Return the message; of one that echoes the whole value before a rule's sentence, the sentence."""
    message = " ".join(cause.get("message", "refused").split())
    sentence = next((each for _, each in rules(edits=True) if message.endswith(each)), message)
    return f"the API server says: {shorten(sentence, MAX_SAID)}"


def _path(field: str) -> Path:
    """Return the place the server names; a member of a list that it names by key stays the list itself."""
    numbered = re.sub(r"\[[^\]\d][^\]]*\]", "", field)
    return tuple(int(index) if index else name for name, index in _PART.findall(numbered) if name != "<nil>")
