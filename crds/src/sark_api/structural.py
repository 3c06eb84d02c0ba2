"""From a pydantic JSON schema to the structural schema Kubernetes accepts.

Kubernetes refuses much of what pydantic writes: references, `anyOf` with null, `title`, `const`, and
`additionalProperties: false` beside properties. This module rewrites those and refuses, rather than passes on, anything it
does not know: a keyword that slipped through would be dropped by the API server without a word, and with it the check it
stood for.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

JsonSchema = dict[str, Any]

_KEPT = frozenset(
    {
        "default",
        "description",
        "enum",
        "format",
        "items",
        "maxItems",
        "maxLength",
        "maxProperties",
        "maximum",
        "minItems",
        "minLength",
        "minProperties",
        "minimum",
        "pattern",
        "properties",
        "additionalProperties",
        "required",
        "type",
    }
)
_DROPPED = frozenset({"title", "propertyNames"})


class UnsupportedSchemaError(ValueError):
    """The model uses a JSON schema feature that a structural schema cannot express; the message says which and where."""


def structural(schema: Mapping[str, Any]) -> JsonSchema:
    """Return `schema` (a pydantic model's JSON schema, validation mode, by alias) as a structural schema.

    Raises:
        UnsupportedSchemaError: it holds a keyword or a union that Kubernetes would refuse or ignore.
    """
    return _node(schema, schema.get("$defs", {}), "$")


def _node(schema: Mapping[str, Any], definitions: Mapping[str, Any], where: str) -> JsonSchema:
    merged = _resolved(schema, definitions, where)
    result: JsonSchema = {}
    for keyword, value in merged.items():
        if keyword in _DROPPED:
            continue
        if keyword == "properties":
            result[keyword] = {name: _node(member, definitions, f"{where}.{name}") for name, member in value.items()}
        elif keyword in {"items", "additionalProperties"}:
            if not isinstance(value, Mapping):
                raise UnsupportedSchemaError(f"{where}: {keyword} must be a schema")
            result[keyword] = _node(value, definitions, f"{where}.{keyword}")
        elif keyword == "description":
            result[keyword] = " ".join(value.split())
        elif keyword in _KEPT or keyword.startswith("x-kubernetes-"):
            result[keyword] = value
        else:
            raise UnsupportedSchemaError(f"{where}: keyword {keyword!r} has no structural form")
    if "default" in result:
        result["default"] = _present(result["default"])
        if result["default"] is None:
            del result["default"]
    return result


def _present(default: Any) -> Any:
    """Return a default without its members that are null: an optional member is absent, and null has no type."""
    if isinstance(default, Mapping):
        return {name: _present(member) for name, member in default.items() if member is not None}
    return default


def _resolved(schema: Mapping[str, Any], definitions: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Follow references and drop the null branch of an optional; members beside the reference win over the definition's."""
    own = {keyword: value for keyword, value in schema.items() if keyword not in {"$ref", "anyOf", "$defs"}}
    branches = [branch for branch in schema.get("anyOf", []) if branch.get("type") != "null"]
    if len(branches) > 1:
        raise UnsupportedSchemaError(f"{where}: a union of {len(branches)} types; use optional members and a CEL rule")
    if branches:
        return {**_resolved(branches[0], definitions, where), **own}
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[-1]
        return {**_resolved(definitions[name], definitions, where), **own}
    return own
