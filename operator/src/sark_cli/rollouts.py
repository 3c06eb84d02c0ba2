"""The door to the rollouts of a cluster. Every failure that can be expected is one sentence."""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from sark_api.names import GROUP, KIND, PLURAL, VERSION

from .connection import AGENT, Connection
from .exit_code import ExitCode
from .failure import CommandError, StaleError, UnavailableError
from .whole import EndlessError, within

_NOT_TRUSTED: Final = "CERTIFICATE_VERIFY_FAILED"

CALL_SECONDS: Final = (5.0, 20.0)
"""Deadlines of one request: to connect, and for each part of the answer."""
WHOLE_SECONDS: Final = 60.0
"""Deadline of one request as a whole, with its answer: long enough for a page of the largest rollouts over a slow line."""
PAGE: Final = 500

Change = list[dict[str, Any]]
"""A JSON patch (RFC 6902)."""


class Rollouts:
    """SarkRollouts, read and patched."""

    def __init__(self, connection: Connection) -> None:
        from kubernetes import client

        self.connection = connection
        self._objects = client.CustomObjectsApi(connection.api)

    def get(self, namespace: str, name: str) -> dict[str, Any]:
        """Return one object. Raises CommandError; NOT_FOUND names the nearest that exists."""
        try:
            found: dict[str, Any] = self._ask(
                f"get SarkRollout {name} in namespace {namespace}",
                lambda: self._objects.get_namespaced_custom_object(
                    GROUP, VERSION, namespace, PLURAL, name, _request_timeout=CALL_SECONDS
                ),
            )
        except CommandError as error:
            if error.code is ExitCode.NOT_FOUND:
                raise CommandError(self._nearest(namespace, name), ExitCode.NOT_FOUND) from error
            raise
        return found

    def all(self, namespace: str) -> list[dict[str, Any]]:
        """Return the objects of one namespace, or of all when `namespace` is empty, by namespace and name.

        There is no limit: one that is left out would not be taken back with the others, and nobody would know.
        """
        items: list[dict[str, Any]] = []
        token = ""
        while True:
            page = self._ask(f"list SarkRollouts in {_place(namespace)}", partial(self._page, namespace, token))
            items += page["items"]
            token = (page.get("metadata") or {}).get("continue") or ""
            if not token:
                return sorted(items, key=lambda body: (body["metadata"]["namespace"], body["metadata"]["name"]))

    def patch(self, namespace: str, name: str, change: Change) -> dict[str, Any]:
        """Apply a JSON patch whose tests are its preconditions. Raises StaleError when one of them does not hold any more."""
        changed: dict[str, Any] = self._ask(
            f"change SarkRollout {name} in namespace {namespace}",
            lambda: self._objects.patch_namespaced_custom_object(
                GROUP,
                VERSION,
                namespace,
                PLURAL,
                name,
                change,
                field_manager=AGENT,
                field_validation="Strict",
                _content_type="application/json-patch+json",
                _request_timeout=CALL_SECONDS,
            ),
        )
        return changed

    def _page(self, namespace: str, token: str) -> Any:
        paging: dict[str, Any] = {"limit": PAGE, "_request_timeout": CALL_SECONDS} | ({"_continue": token} if token else {})
        if namespace:
            return self._objects.list_namespaced_custom_object(GROUP, VERSION, namespace, PLURAL, **paging)
        return self._objects.list_cluster_custom_object(GROUP, VERSION, PLURAL, **paging)

    def _nearest(self, namespace: str, name: str) -> str:
        names = [body["metadata"]["name"] for body in self.all(namespace)]
        near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
        if near:
            hint = f"did you mean {near[0]}?"
        elif names:
            hint = f"there are {', '.join(names[:5])}{', ...' if len(names) > 5 else ''}"  # noqa: PLR2004
        else:
            hint = "there is none at all; give another with -n"
        return f"there is no SarkRollout {name} in namespace {namespace}: {hint}"

    def _ask(self, what: str, call: Callable[[], Any]) -> Any:
        return asked(self.connection.server, what, call)


def asked(server: str, what: str, call: Callable[[], Any]) -> Any:
    """Return what `call` returns; turn the client's errors into sentences."""
    from kubernetes.client.exceptions import ApiException
    from urllib3.exceptions import HTTPError

    try:
        return within(WHOLE_SECONDS, call)
    except EndlessError as error:
        said = f"does not come to an end of its answer within {WHOLE_SECONDS:g} s"
        raise UnavailableError(f"cannot {what}: the API server at {server} {said}") from error
    except ApiException as error:
        if not error.status:  # nobody answered: so the client tells of a TLS handshake that failed, in its reason alone
            said = f"cannot {what}: the API server at {server} cannot be reached: {_said(error.reason)}"
            # A server that is being restarted breaks the handshake off; a certificate does not become good by waiting.
            is_final = _NOT_TRUSTED in str(error.reason)
            raise (CommandError if is_final else UnavailableError)(said) from error
        raise translated(what, error.status, error.body) from error
    except (HTTPError, OSError) as error:
        raise UnavailableError(f"cannot {what}: the API server at {server} cannot be reached: {_cause(error)}") from error


def translated(what: str, status: int, body: object) -> CommandError:
    """Return the error that says what the API server's answer means."""
    document = _document(body)
    said = " ".join(str(document.get("message") or body or "no reason given").split())[:600]
    if status == 401:  # noqa: PLR2004 - HTTP's own numbers say more than names would
        said = "the API server does not know who you are: log in again, or choose a --context"
    elif status == 403:  # noqa: PLR2004
        said = f"you may not: {said}"
    elif status == 404 and not (document.get("details") or {}).get("name"):  # noqa: PLR2004
        said = f"this cluster has no {KIND}: install it with kubectl apply -f crds/"
    elif status == 404:  # noqa: PLR2004
        return CommandError(f"cannot {what}: {said}", ExitCode.NOT_FOUND)
    elif status == 409 or (status == 422 and not (document.get("details") or {}).get("causes")):  # noqa: PLR2004
        # A JSON patch whose test fails is answered with a bare 422; a body the schema refuses comes with its causes.
        return StaleError(f"cannot {what}: it was changed meanwhile")
    elif status == 429 or status >= 500:  # noqa: PLR2004
        return UnavailableError(f"cannot {what}: {said} (HTTP {status})")
    else:
        said = f"{said} (HTTP {status})"
    return CommandError(f"cannot {what}: {said}")


def _document(body: object) -> dict[str, Any]:
    try:
        found = json.loads(body if isinstance(body, str | bytes) else "")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _place(namespace: str) -> str:
    return f"namespace {namespace}" if namespace else "all namespaces"


def _said(reason: object) -> str:
    """Return the client's reason without the name of its exception."""
    return " ".join(str(reason or "no reason given").removeprefix("SSLError\n").split())[:200]


def _cause(error: BaseException) -> str:
    """Return the innermost words for a failed connection."""
    seen: BaseException | None = error
    words = ""
    while seen is not None:
        words = getattr(seen, "strerror", None) or str(seen) or words
        reason = getattr(seen, "reason", None)
        seen = reason if isinstance(reason, BaseException) else seen.__cause__ or seen.__context__
    return " ".join(words.split())[:200].lower() or type(error).__name__
