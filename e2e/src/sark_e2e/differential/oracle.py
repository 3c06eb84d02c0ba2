"""The reference: a real OPA server. Many questions travel in one request."""

from __future__ import annotations

import http.client
import json
import urllib.parse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from .case import Case, Text
from .outcome import Answer, Failed, Outcome, Refused, Undefined, read

TIMEOUT_SECONDS: Final = 5.0
_OK: Final = 200
_GONE: Final = 404
_HTTP_ERROR: Final = 500
_LATE: Final = "ran out of time"
_ENDED: Final = "ended as a process"


class OracleError(RuntimeError):
    """OPA cannot be asked, or answered with something that is no answer: nothing can be compared."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why OPA does not serve a case, and where: pairs of module number and row from 1."""

    reason: str
    places: tuple[tuple[int, int], ...] = ()


class Oracle:
    """Loads one case at a time into an OPA server and asks it.

    There are policies at which OPA ends as a process. `revive` starts it again; what was to be asked of that case is refused.
    """

    def __init__(self, url: str, revive: Callable[[], object] | None = None) -> None:
        address = urllib.parse.urlsplit(url)
        self._connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=TIMEOUT_SECONDS)
        self._modules: list[str] = []
        self._data: Text | None = None
        self._revive = revive
        self._lost = False
        """Whether the server has ended since the case was loaded, and what was loaded with it."""

    def close(self) -> None:
        """End the connection; the next question makes a new one."""
        self._connection.close()

    def load(self, case: Case) -> Refusal | None:
        """Replace all modules and data by those of `case`; return why OPA refuses them, None when it serves them."""
        self._lost = False
        self._unload()
        refusal = self._put_data(case.data)
        refusal = self._put_modules(case) if refusal is None else refusal
        return Refusal(f"OPA {_ENDED}") if self._lost else refusal

    def ask(self, paths: Sequence[str], inputs: Sequence[Text | None], *, apart: bool = False) -> list[list[Outcome]]:
        """Return, for each input, the outcome of each path. One failure fails a batch, which is then asked in smaller parts."""
        if apart:
            return [[self.ask_one(path, text) for path in paths] for text in inputs]
        rows: list[list[Outcome]] = [[] for _ in inputs]
        given = [(number, text) for number, text in enumerate(inputs) if text is not None]
        for number, text in enumerate(inputs):
            if text is None:
                rows[number] = [self.ask_one(path, None) for path in paths]
        for (number, _), row in zip(given, self._ask_given(paths, [text for _, text in given]), strict=True):
            rows[number] = row
        return rows

    def ask_one(self, path: str, given: Text | None) -> Outcome:
        """Ask through the data API, as an application does."""
        if self._lost:
            return Refused(f"OPA {_ENDED}")
        body = "{}" if given is None else f'{{"input": {given}}}'
        route = "/".join(urllib.parse.quote(segment, safe="") for segment in path.split("/"))
        status, reply = self._request("POST", f"/v1/data/{route}", body)
        if status is None:
            return Refused(f"OPA {reply}")
        if status == _OK:
            return Answer(reply["result"]) if "result" in reply else Undefined()
        reason = _reason(reply)
        # OPA keeps a number as it was spelt, and then cannot write one like to_number("+1") as JSON. It evaluates some closures
        # before what they read. And a path into a value that its types know to have no such part is an error to it, where
        # nothing is there either: errors of its own, which no policy means.
        own = (
            "MarshalJSON" in reason
            or ("eval_internal_error" in reason and "requires evaluation" in reason)
            or "rego_type_error: undefined ref" in reason
        )
        return Refused(f"OPA: {reason}") if status != _HTTP_ERROR or own else Failed(reason)

    def _ask_given(self, paths: Sequence[str], inputs: list[Text]) -> list[list[Outcome]]:
        if not inputs or self._lost:
            return [[Refused(f"OPA {_ENDED}") for _ in paths] for _ in inputs]
        if len(paths) == 1 and len(inputs) == 1:
            return [[self.ask_one(paths[0], inputs[0])]]
        rows = self._batch(paths, inputs)
        if isinstance(rows, list):
            return rows
        if len(paths) > 1:
            columns = [self._ask_given([path], inputs) for path in paths]
            return [[column[number][0] for column in columns] for number in range(len(inputs))]
        if rows == _LATE:
            return [[Refused(f"OPA {rows}")] for _ in inputs]
        half = len(inputs) // 2
        return self._ask_given(paths, inputs[:half]) + self._ask_given(paths, inputs[half:])

    def _batch(self, paths: Sequence[str], inputs: list[Text]) -> list[list[Outcome]] | str:
        """Ask everything at once; return the rows, or why there are none."""
        # A comprehension turns undefined into an empty array, so that every input keeps its place.
        columns = ", ".join(f"[v | v := {_reference(path)}]" for path in paths)
        query = f"rows := [row | given := input[_]; row := [{columns}] with input as given]"
        status, reply = self._request("POST", "/v1/query", f'{{"query": {json.dumps(query)}, "input": [{",".join(inputs)}]}}')
        if status != _OK:
            return str(reply) if status is None else _reason(reply)
        return [[Answer(cell[0]) if cell else Undefined() for cell in row] for row in reply["result"][0]["rows"]]

    def _unload(self) -> None:
        for name in reversed(self._modules):  # What was put later may use what was put earlier.
            status, reply = self._request("DELETE", f"/v1/policies/{name}")
            if status is None and self._revive is not None:
                self._revive()  # There are packages at which its writers wait for each other for ever.
                self._data = None
                break
            if status not in {_OK, _GONE}:
                raise OracleError(f"OPA did not delete module {name}: {reply if status is None else f'HTTP {status}'}")
        self._modules = []

    def _put_data(self, data: Text) -> Refusal | None:
        if data == self._data:
            return None
        self._data = None
        status, reply = self._request("PUT", "/v1/data", data)
        if status not in {_OK, 204}:
            return Refusal(_reason(reply))
        self._data = data
        return None

    def _put_modules(self, case: Case) -> Refusal | None:
        """Put the modules in any order that OPA takes: each step must compile, and a function must stand before its use."""
        left = [(f"m{number}", source) for number, (_, source) in enumerate(case.modules)]
        while left:
            refused = [(name, source, reason) for name, source in left if (reason := self._put_module(name, source))]
            if len(refused) == len(left):
                return refused[0][2]
            left = [(name, source) for name, source, _ in refused]
        return None

    def _put_module(self, name: str, source: str) -> Refusal | None:
        status, reply = self._request("PUT", f"/v1/policies/{name}", source)
        if status == _OK:
            self._modules.append(name)
            return None
        return Refusal(f"OPA {reply} while compiling") if status is None else Refusal(_reason(reply), _places(reply))

    def _request(self, method: str, route: str, body: str | None = None) -> tuple[int | None, Any]:
        """Return status and parsed body; without a status, why there is no answer."""
        try:
            self._connection.request(method, route, body.encode() if body is not None else None)
            answer = self._connection.getresponse()
            text = answer.read()
        except TimeoutError:
            self._connection.close()  # OPA gives up a query when its client has gone.
            return None, _LATE
        except http.client.RemoteDisconnected:
            self._connection.close()
            return None, "closed the connection (it does so when a builtin of its own panics)"
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            if self._revive is not None and isinstance(error, ConnectionError):
                self._revive()
                self._modules, self._data, self._lost = [], None, True
                return None, _ENDED
            raise OracleError(f"OPA cannot be asked ({method} {route}): {error}") from error
        try:
            return answer.status, read(text or b"{}")
        except ValueError as error:
            raise OracleError(f"OPA's answer to {method} {route} is not JSON: {text[:200]!r}") from error


def _reference(path: str) -> str:
    return "data" + "".join(f"[{json.dumps(segment)}]" for segment in path.split("/"))


def _places(reply: Any) -> tuple[tuple[int, int], ...]:
    locations = [error.get("location") or {} for error in reply.get("errors") or []]
    return tuple((int(at["file"][1:]), at["row"]) for at in locations if at.get("file", "")[:1] == "m")


def _reason(reply: Any) -> str:
    """Return OPA's own words, the innermost first: `eval_conflict_error: ...`."""
    if not isinstance(reply, dict):
        return str(reply)
    errors = reply.get("errors") or [reply]
    first = errors[0]
    return f"{first.get('code', 'error')}: {first.get('message', '')}"
