"""The API server's own opinion: a dry run of the object's creation, or of its update where it exists.

Not an apply: one who applies takes away only what he once gave, so what the file dropped would stay and be judged with the
rest. The spec of the file is put in place of the whole spec; labels and annotations of others stay.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from sark_api.names import GROUP, PLURAL, VERSION
from sark_api.reasons import shorten
from sark_cli.connection import AGENT, Connection
from sark_cli.rollouts import CALL_SECONDS, asked, translated

from .finding import Finding, Level, Path
from .rules import rules

_PART = re.compile(r"([^.\[\]]+)|\[(\d+)\]")
_UNKNOWN = re.compile(r"(?P<said>unknown|duplicate) field \"(?P<field>[^\"]+)\"")
"""How the server's strict decoder names each field it does not know; it gives no causes."""
_REST_UNCHECKED = "some validation rules were not checked because the object was invalid"
MAX_SAID = 600
_TRIES = 4
"""The operator writes the status meanwhile, and every write makes what was read stale."""


def ask_server(connection: Connection, body: Mapping[str, Any]) -> list[Finding]:
    """Return what the API server refuses of `body`; nothing is stored.

    Raises:
        CommandError: it could not be asked.
    """
    from kubernetes.client.exceptions import ApiException

    trial = _Trial(connection, body)

    def judged() -> list[Finding]:
        try:
            trial.run()
        except ApiException as error:
            if error.status not in (HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY):
                raise
            return _findings(error)
        return []

    found: list[Finding] = asked(connection.server, f"try SarkRollout {trial.name} in namespace {trial.namespace}", judged)
    return found


class _Trial:
    """A dry run of one object."""

    def __init__(self, connection: Connection, body: Mapping[str, Any]) -> None:
        from kubernetes import client

        metadata = body["metadata"] if isinstance(body.get("metadata"), dict) else {}
        self.namespace = str(metadata.get("namespace") or connection.namespace)
        self.name = metadata.get("name")
        self._wanted = {**body, "metadata": {**metadata, "namespace": self.namespace}}
        self._objects: Any = client.CustomObjectsApi(connection.api)
        self._place = {"group": GROUP, "version": VERSION, "namespace": self.namespace, "plural": PLURAL}

    def run(self) -> None:
        """Try it; one that was written to between reading and trying is read anew. Raises ApiException."""
        from kubernetes.client.exceptions import ApiException

        for left in reversed(range(_TRIES)):
            try:
                return self._try(self._existing())
            except ApiException as error:
                if error.status != HTTPStatus.CONFLICT or not left:
                    raise
        return None

    def _existing(self) -> dict[str, Any] | None:
        from kubernetes.client.exceptions import ApiException

        if not isinstance(self.name, str) or not self.name:
            return None
        try:
            found: dict[str, Any] = self._objects.get_namespaced_custom_object(
                **self._place, name=self.name, _request_timeout=CALL_SECONDS
            )
        except ApiException as error:
            if error.status == HTTPStatus.NOT_FOUND:  # or there is no such kind, which its creation tells
                return None
            raise
        return found

    def _try(self, existing: Mapping[str, Any] | None) -> None:
        options = {"dry_run": "All", "field_manager": AGENT, "field_validation": "Strict", "_request_timeout": CALL_SECONDS}
        if existing is None:
            self._objects.create_namespaced_custom_object(**self._place, body=self._wanted, **options)
        else:
            body = updated(existing, self._wanted)
            self._objects.replace_namespaced_custom_object(**self._place, name=self.name, body=body, **options)


def updated(existing: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Return the object that exists as it would be with all of the file's members, and with no other spec than the file's."""
    mine, theirs = wanted["metadata"], existing["metadata"]
    texts = {
        field: {**(theirs.get(field) or {}), **mine[field]} if isinstance(mine[field], Mapping) else mine[field]
        for field in ("labels", "annotations")
        if field in mine
    }
    kept = {name: member for name, member in existing.items() if name != "spec"}
    return {**kept, **wanted, "metadata": {**theirs, **mine, **texts, "resourceVersion": theirs["resourceVersion"]}}


def _findings(error: Any) -> list[Finding]:
    """Return one finding for each cause the server names, or one for its whole message."""
    strictly = [*_UNKNOWN.finditer(_message(error))]
    if strictly:
        return [
            Finding(Level.ERROR, _path(each["field"]), f"the API server says: {each['said']} field {each['field']}")
            for each in strictly
        ]
    causes = (_document(error).get("details") or {}).get("causes") or []
    told = [cause for cause in causes if _REST_UNCHECKED not in cause.get("message", "")]
    if not told:
        return [Finding(Level.ERROR, (), str(translated("try it", error.status, error.body)))]
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
