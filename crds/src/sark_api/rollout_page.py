"""The reference of a SarkRollout's fields: `python -m sark_api.rollout_page` prints docs/reference/sarkrollout.md."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any

from .crd import schema
from .duration import DURATION_PATTERN
from .structural import JsonSchema

_HEAD = """\
# SarkRollout: every field

Made by `make crds` from the models the CRD is made of. [The rollout](../rollout.md) says what they do together, and
[examples/gateway.yaml](../../examples/gateway.yaml) is one to begin with. `kubectl explain sarkrollout.spec` prints the same.

A duration is written in whole hours, minutes and seconds, as in `48h`, `5m` or `1h30m`. A time is RFC 3339 in UTC. `[]` marks
the members of a list. What the API server refuses it refuses with the sentences under *Rules*.
"""
_DEEPEST = 6
"""Deepest heading of Markdown."""


def render() -> str:
    """Return the page as Markdown."""
    members = schema()["properties"]
    return _HEAD + "".join(_section(name, members[name], required=name == "spec", depth=2) for name in ("spec", "status"))


def _section(path: str, node: JsonSchema, *, required: bool, depth: int) -> str:
    lines = [f"{'#' * min(depth, _DEEPEST)} `{path}`", "", _facts(node, required=required), "", _plain(node["description"]), ""]
    rules = [*_rules(node), *_rules(node.get("items", {}))]
    if rules:
        lines += ["Rules:", "", *(f"- {_plain(sentence)}" for sentence in rules), ""]
    return "\n" + "\n".join(lines).rstrip() + "\n" + "".join(_members(path, node, depth + 1))


def _members(path: str, node: JsonSchema, depth: int) -> Iterator[str]:
    holder, prefix = (node["items"], f"{path}[]") if node["type"] == "array" else (node, path)
    for name, member in holder.get("properties", {}).items():
        yield _section(f"{prefix}.{name}", member, required=_must(prefix, name, holder), depth=depth)


def _must(path: str, name: str, holder: JsonSchema) -> bool:
    """Return whether a user must write the member; the status is written by the operator."""
    return path.startswith("spec") and name in holder.get("required", ())


def _rules(node: JsonSchema) -> list[str]:
    return [rule["message"] for rule in node.get("x-kubernetes-validations", ())]


def _facts(node: JsonSchema, *, required: bool) -> str:
    facts = [_type(node)]
    if required:
        facts.append("required")
    if "default" in node and not node.get("properties"):
        facts.append(f"default {_value(node['default'])}")
    return "; ".join([*facts, *_bounds(node)])


def _value(value: Any) -> str:
    if value in ("", [], {}):
        return "empty"
    return f"`{value if isinstance(value, str) else json.dumps(value)}`"


def _type(node: JsonSchema) -> str:
    if node["type"] == "array":
        return f"list of {_type(node['items'])}"
    if "enum" in node:
        return "one of " + ", ".join(f"`{value}`" for value in node["enum"])
    if node.get("pattern") == DURATION_PATTERN:
        return "duration"
    if node.get("format") == "date-time":
        return "time"
    if node["type"] == "object" and "properties" not in node:
        return "map of strings"
    return str(node["type"])


def _bounds(node: JsonSchema) -> Iterator[str]:
    yield from _range(node, "minimum", "maximum", "")
    yield from _range(node, "minItems", "maxItems", " entries")
    yield from _range(node, "minProperties", "maxProperties", " entries")
    if _type(node) == "duration":
        return
    yield from _range(node, "minLength", "maxLength", " characters")
    if "pattern" in node:
        yield f"matches `{node['pattern']}`"


def _range(node: JsonSchema, least: str, most: str, what: str) -> Iterator[str]:
    low, high = node.get(least), node.get(most)
    if low is not None and high is not None:
        yield f"{low:,} to {high:,}{what}"
    elif low is not None:
        yield f"at least {low:,}{what}"
    elif high is not None:
        yield f"at most {high:,}{what}"


def _plain(text: Any) -> str:
    """Return a sentence so that Markdown shows it as it is."""
    return str(text).replace("<", "&lt;").replace("*", "\\*")


if __name__ == "__main__":
    sys.stdout.write(render())
