"""The form of a spec: what the CRD's schema would refuse, as sentences that say what to write instead.

The models the CRD is made from are the judge: strictly, and with no member they do not know, as `kubectl apply` has it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from sark_api.crd import schema
from sark_api.names import API_VERSION
from sark_api.spec import SarkRolloutSpec

from .finding import Finding, Level, Path
from .metadata import check_metadata
from .wording import near, shown


def check_form(body: Mapping[str, Any]) -> tuple[SarkRolloutSpec | None, list[Finding]]:
    """Return the spec, if it has a form that can be read, and every error of form."""
    findings = [*_envelope(body)]
    spec = body.get("spec")
    if not isinstance(spec, dict):
        return None, [
            *findings,
            _error(("spec",), "spec is missing: write what shall be rolled out"),
        ]
    try:
        text = json.dumps(spec)
    except (TypeError, ValueError):
        return None, [*findings, _error(("spec",), "spec holds a value that JSON does not know: write text, numbers, lists")]
    try:
        found = SarkRolloutSpec.model_validate_json(text, strict=True, extra="forbid")
    except ValidationError as error:
        details = error.errors(include_url=False)
        return None, findings + [_said(detail) for detail in details]
    return found, [*findings, *_doubles(spec, schema()["properties"]["spec"], ("spec",))]


def _envelope(body: Mapping[str, Any]) -> Iterator[Finding]:
    if body.get("apiVersion") != API_VERSION:
        yield _error(("apiVersion",), f"apiVersion is {shown(body.get('apiVersion'))}: write {API_VERSION}")
    yield from check_metadata(body.get("metadata"))
    known = {"apiVersion", "kind", "metadata", "spec", "status"}
    for member in body:
        if member not in known:
            yield _error((member,), f"unknown field {member}{near(str(member), known)}")


def _said(detail: ErrorDetails) -> Finding:
    path: Path = ("spec", *detail["loc"])
    kind, field = detail["type"], str(path[-1])
    if kind == "extra_forbidden":
        return _error(path, f"unknown field {field}{near(field, _siblings(path))}")
    if kind == "missing":
        return _error(path, f"{field} is missing and has no default: write it")
    if kind == "string_pattern_mismatch":
        wanted = f"it must match {(detail.get('ctx') or {}).get('pattern')}"
        return _error(path, f"{field} is {shown(detail['input'])}: {wanted}. {_meaning(path)}".rstrip())
    sentence = _SENTENCES.get(kind)
    given = shown(detail["input"])
    if sentence is not None:
        return _error(path, f"{field} is {given}: {sentence(detail.get('ctx') or {})}")
    message = detail["msg"].removeprefix("Value error, ")
    return _error(
        path, f"{field} is wrong: {message[0].lower()}{message[1:]}" if kind != "value_error" else f"{field}: {message}"
    )


_SENTENCES: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "int_type": lambda _: "write a whole number, without quotes",
    "int_from_float": lambda _: "write a whole number",
    "string_type": lambda _: "write text; put quotes around it if it looks like a number",
    "list_type": lambda _: "write a list",
    "dict_type": lambda _: "write a mapping of names to values",
    "model_type": lambda _: "write a mapping of fields",
    "model_attributes_type": lambda _: "write a mapping of fields",
    "enum": lambda ctx: f"write one of {ctx.get('expected')}",
    "time_delta_type": lambda _: "write hours, minutes and seconds, as in 48h, 5m or 1h30m",
    "greater_than_equal": lambda ctx: f"write {ctx.get('ge')} or more",
    "less_than_equal": lambda ctx: f"write {ctx.get('le')} or less",
    "string_too_long": lambda ctx: f"write at most {ctx.get('max_length')} characters",
    "string_too_short": lambda ctx: f"write at least {ctx.get('min_length')} characters",
    "too_long": lambda ctx: f"give at most {ctx.get('max_length')}",
    "too_short": lambda ctx: f"give at least {ctx.get('min_length')}",
}


def _doubles(value: Any, node: Mapping[str, Any], path: Path) -> Iterator[Finding]:
    """Yield what stands twice in a list that the schema calls a set, or a map by some of its members' fields."""
    if isinstance(value, dict):
        for name, member in value.items():
            yield from _doubles(member, (node.get("properties") or {}).get(name, {}), (*path, name))
    elif isinstance(value, list):
        yield from _taken(value, node, path)
        for index, member in enumerate(value):
            yield from _doubles(member, node.get("items") or {}, (*path, index))


def _taken(members: Sequence[Any], node: Mapping[str, Any], path: Path) -> Iterator[Finding]:
    kind, keys = node.get("x-kubernetes-list-type"), node.get("x-kubernetes-list-map-keys") or []
    seen: set[str] = set()
    for index, member in enumerate(members):
        if kind not in ("set", "map"):
            return
        identity = json.dumps([member.get(key) for key in keys] if kind == "map" else member)
        if identity in seen and kind == "set":
            yield _error((*path, index), f"{path[-1]} holds {shown(member)} twice: take one away")
        elif identity in seen:
            named = ", ".join(f"{key} {member.get(key)}" for key in keys)
            yield _error((*path, index, keys[0]), f"{named} is taken by another one of {path[-1]}: choose another")
        seen.add(identity)


def _siblings(path: Path) -> set[str]:
    """Return the fields that may stand where `path` points."""
    return set(_node(path[:-1]).get("properties") or {})


def _meaning(path: Path) -> str:
    """Return the first sentence of the field's description, which is what `kubectl explain` prints."""
    description = str(_node(path).get("description") or "")
    first, full_stop, _ = " ".join(description.split()).partition(". ")
    return first + full_stop.strip()


def _node(path: Path) -> Any:
    """Return the schema of what `path` points to; an empty one where there is none."""
    node: Any = schema()
    for part in path:
        node = node.get("items", {}) if isinstance(part, int) else (node.get("properties") or {}).get(part, {})
    return node


def _error(path: Path, message: str) -> Finding:
    return Finding(Level.ERROR, path, message)
