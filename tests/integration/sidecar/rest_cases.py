"""Requests of OPA's REST API, as a table: what `test_rest_api` sends to OPA and to the sidecar."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass, field

POLICY = """
package probe

import rego.v1

default allow := false

allow if input.user.role == "admin"

decision := {"allow": allow, "reason": "by role", "echo": input}

echo := input

given if input

long := {"allow": allow, "text": concat("", [x | some _ in numbers.range(1, 300); x := "0123456789"])}

conflict := 1 if input.both

conflict := 2 if input.both

broken := 1 / input.zero

strings["a b"] := "spaced"

strings["ü"] := "letter"
"""
HEALTH = "package system.health\n\nimport rego.v1\n\nlive := true\n\nready := false\n\nnamed := input.plugins_ready\n"
MAIN = 'package system\n\nimport rego.v1\n\nmain := {"hello": input.name}\n'
DATA = {"list": ["zero", {"k": 1}], "numbers": {"1": "key", "big": 12345678901234567890123}, "a b": {"c/d": 1, "x": True}}

ADMIN = {"user": {"role": "admin", "id": "u1"}}
JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True)
class Case:
    """One request."""

    method: str
    target: str
    body: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)
    note: str = ""

    @property
    def name(self) -> str:
        """How the table shows it."""
        return f"{self.method} {self.target}" + (f" ({self.note})" if self.note else "")


def _json(value: object) -> bytes:
    return json.dumps(value).encode()


def _questions() -> Iterator[Case]:
    paths = ["probe/allow", "probe/decision", "probe/echo", "probe/given", "probe/long", "probe/none", "none/at/all"]
    inputs = {"admin": {"input": ADMIN}, "nobody": {"input": {"user": {}}}, "no input": {}, "null": {"input": None}}
    for path in paths:
        yield Case("GET", f"/v1/data/{path}")
        for note, body in inputs.items():
            yield Case("POST", f"/v1/data/{path}", _json(body), JSON, note)
        yield Case("POST", f"/v0/data/{path}", _json(ADMIN), JSON, "v0")
        for parameter in ("pretty", "metrics=true", "explain=full"):
            yield Case("POST", f"/v1/data/{path}?{parameter}", _json({"input": ADMIN}), JSON, "admin")


def _parameters() -> Iterator[Case]:
    body = _json({"input": ADMIN})
    for query in (
        "pretty=true", "pretty=TRUE", "pretty=false", "pretty=1", "pretty&pretty", "instrument", "provenance", "metrics=false",
        "explain=notes", "explain=off", "explain=nonsense", "strict-builtin-errors", "unknown=1", "", "&&", "pretty;x",
        "pretty=%zz", "input=1",
    ):  # fmt: skip
        yield Case("POST", f"/v1/data/probe/decision?{query}", body, JSON, "admin")
    for query in ("input=%7B%22user%22%3A%7B%22role%22%3A%22admin%22%7D%7D", "input=1&input=2", "input=", "input", "input=%7B",
                  "input=null", "input=1+2", "pretty&input=%22a+b%22"):  # fmt: skip
        yield Case("GET", f"/v1/data/probe/echo?{query}")
    yield Case("POST", "/v1/data/probe/broken", _json({"input": {"zero": 0}}), JSON, "division by zero")
    yield Case("POST", "/v1/data/probe/broken?strict-builtin-errors", _json({"input": {"zero": 0}}), JSON, "division by zero")
    yield Case("POST", "/v1/data/probe/conflict", _json({"input": {"both": True}}), JSON, "conflict")


def _paths() -> Iterator[Case]:
    for path in (
        "", "/", "/list", "/list/0", "/list/1/k", "/list/00", "/list/-1", "/list/9", "/list/x", "/numbers/1", "/numbers/big",
        "/a%20b/x", "/a%20b/c%2Fd", "/a+b/x", "/probe/strings/a%20b", "/probe/strings/%C3%BC", "/probe/", "/probe/allow/",
        "/probe/a%22b", "/probe/%ff", "/probe/%zz", "/probe/a%0Ab", "/probe/a%5Cb", "/v%31", "/probe/allow/x", "/probe/[0]",
        "/probe/a.b", "/probe/%2e", "/" + "/".join("a" * 40), "/" + "x" * 300,
    ):  # fmt: skip
        yield Case("GET", f"/v1/data{path}", note="whole document" if path in {"", "/"} else "")
    yield Case("POST", "/v1/data/list/0", _json({"input": {}}), JSON)
    yield Case("GET", "/v1/data//list//0")
    yield Case("GET", "/v1/data/probe/../list")
    yield Case("HEAD", "/v1/data/probe/allow")


def _bodies() -> Iterator[Case]:
    target = "/v1/data/probe/echo"
    for note, body in {
        "empty": b"", "space": b" \n ", "null": b"null", "array": b"[]", "number": b"1", "string": b'"x"',
        "cut off": b'{"input":', "two values": b'{"input": 1} {"input": 2}', "text behind": b'{"input": 1} x',
        "bare key": b"{input: 1}",
        "twice": b'{"input": 1, "input": 2}', "twice within": b'{"input": {"a": 1, "a": 2}}', "upper case": b'{"INPUT": 3}',
        "other members": b'{"x": 1, "input": 4}', "big": b'{"input": 12345678901234567890123}', "exponent": b'{"input": 1e2}',
        "fraction": b'{"input": 0.1}', "not UTF-8": b'{"input": "\xff"}', "surrogate": b'{"input": "\\ud800"}',
        "single quotes": b"{'input': 1}", "comma": b'{"input": [1,]}', "BOM": b'\xef\xbb\xbf{"input": 1}',
    }.items():  # fmt: skip
        yield Case("POST", target, body, JSON, note)
    for note, body in {"empty": b"", "null": b"null", "string": b'"x"', "cut off": b"{", "list": b"[1, 2]"}.items():
        yield Case("POST", "/v0/data/probe/echo", body, JSON, note)
    yield Case("POST", target, _json({"input": 1}), {}, "no content type")
    yield Case("POST", target, b"input: {a: yes, b: 012}\n", {"Content-Type": "application/yaml"}, "YAML")
    yield Case("POST", target, b"", {"Content-Type": "application/yaml"}, "empty YAML")
    yield Case("POST", target, b"input: [", {"Content-Type": "application/x-yaml"}, "broken YAML")
    yield Case("POST", "/v0/data/probe/echo", b"a: 1\n", {"Content-Type": "text/yaml"}, "YAML")


def _compression() -> Iterator[Case]:
    packed = gzip.compress(_json({"input": {**ADMIN, "pad": "x" * 5000}}), mtime=0)
    asks = {**JSON, "Accept-Encoding": "gzip"}
    for path in ("probe/allow", "probe/decision"):
        yield Case("POST", f"/v1/data/{path}", packed, {**JSON, "Content-Encoding": "gzip"}, "packed")
    yield Case("POST", "/v1/data/probe/allow", packed[:50], {**JSON, "Content-Encoding": "gzip"}, "packed, cut off")
    yield Case("POST", "/v1/data/probe/allow", _json({"input": 1}), {**JSON, "Content-Encoding": "gzip"}, "not packed")
    for version in ("v0", "v1"):
        for path in ("probe/long", "probe/allow"):
            body = _json(ADMIN if version == "v0" else {"input": ADMIN})
            yield Case("POST", f"/{version}/data/{path}", body, asks, "accepts gzip")
            yield Case("POST", f"/{version}/data/{path}?pretty", body, asks, "accepts gzip")
    yield Case("GET", "/v1/data/probe/long", None, {"Accept-Encoding": "gzip"}, "accepts gzip")
    yield Case("POST", "/v1/data/probe/long", _json({"input": 1}), {**JSON, "Accept-Encoding": "br"}, "accepts br")


def _others() -> Iterator[Case]:
    yield Case("POST", "/", _json({"name": "me"}), JSON, "default decision")
    yield Case("POST", "/", _json({}), JSON, "default decision, undefined")
    yield Case("GET", "/", note="query form")
    for target in ("/v1/policies", "/v1/policies/", "/v1/policies?pretty", "/v1/policies/none", "/v1/query?q=x%3D1",
                   "/v1/query?q=data.probe.allow&pretty", "/v1/query", "/v1/query?q=x+%3D", "/v1/query?q=x%3D1&metrics",
                   "/health", "/health?bundles", "/health?plugins", "/health?bundle=true&plugins&exclude-plugin=x",
                   "/health/live", "/health/ready", "/health/none", "/health/named", "/health/",
                   "/v1/config", "/v1/status", "/metrics", "/v2/data", "/v1", "/favicon.ico", "/v1/compile"):  # fmt: skip
        yield Case("GET", target)
    query = {"query": "input.x == data.list[i]", "input": {"x": "zero"}}
    yield Case("POST", "/v1/query", _json(query), JSON)
    yield Case("POST", "/v1/query", b"{", JSON, "cut off")
    yield Case("POST", "/v1/compile", _json({"query": "data.probe.allow == true", "unknowns": ["input"]}), JSON)
    yield Case("POST", "/v1/compile", _json({}), JSON, "no query")
    for method, target in (
        ("PUT", "/v0/data/a"), ("GET", "/v0/data/a"), ("POST", "/v1/policies/a"), ("PATCH", "/v1/policies/a"),
        ("PUT", "/v1/query"), ("DELETE", "/v1/query"), ("POST", "/health"), ("POST", "/v1/config"), ("PUT", "/"),
        ("OPTIONS", "/v1/data"),
    ):  # fmt: skip
        yield Case(method, target, b"" if method != "GET" else None)
    yield Case("PUT", "/v1/data/written", b"1", JSON, "a write")
    yield Case("PATCH", "/v1/data", b'[{"op": "add", "path": "/written2", "value": 1}]', JSON, "a write")
    yield Case("DELETE", "/v1/data/written", b"", {}, "a write")
    yield Case("PUT", "/v1/policies/written", b"package written\n", {"Content-Type": "text/plain"}, "a write")
    yield Case("DELETE", "/v1/policies/written", b"", {}, "a write")


def cases() -> list[Case]:
    """Return every request."""
    return [
        *_questions(),
        *_parameters(),
        *_paths(),
        *_bodies(),
        *_compression(),
        *_others(),
    ]
