"""Which parts of OPA's data are base documents, so that they can be read back and compared.

`GET /v1/data` mixes base documents with what rules derive. From the rules' paths one can tell them apart: below a path where
no rule lies, everything is base data. Read back are all our own top-level documents, split further where packages share their
name, and every base document a rule names by a constant path, loaded by us or not. Not seen: a document that OPA has and we
lack, and that no rule names at all, or only through a variable at the top (`data[x]`), or that sits directly beside rules under
a name we do not have. No answer that could come from one is kept.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .rule_graph import DataPath, RuleGraph

MAX_PATHS = 256


class DataTooScattered(ValueError):  # noqa: N818 - a verdict on the data
    """The base data lies in too many places to be compared."""


def base_paths(ours: dict[str, Any], graph: RuleGraph) -> list[DataPath]:
    """Return the paths to read back, none of which lies below another.

    Raises:
        DataTooScattered: there are more than 256.
    """
    paths = set(_own_paths(ours, (), graph))
    for path in sorted(graph.base_references(), key=len):
        if not graph.has_rules_below(path) and not any(path[: len(known)] == known for known in paths):
            paths.add(path)
    if len(paths) > MAX_PATHS:
        raise DataTooScattered(f"base data lies in {len(paths)} places; at most {MAX_PATHS} are compared")
    return sorted(paths)


def assemble(ours: dict[str, Any], graph: RuleGraph, documents: Iterable[tuple[DataPath, Any]]) -> dict[str, Any]:
    """Return OPA's base data as one object: `documents` are pairs of a path and the value read there."""
    data = _skeleton(ours, (), graph)
    for path, value in documents:
        place = data
        for step in path[:-1]:
            place = place.setdefault(step, {})
        place[path[-1]] = value
    return data


def _own_paths(document: dict[str, Any], at: DataPath, graph: RuleGraph) -> Iterable[DataPath]:
    for key, value in document.items():
        path = (*at, key)
        if graph.is_virtual(path):
            continue
        if graph.has_rules_below(path):
            if isinstance(value, dict):
                yield from _own_paths(value, path, graph)
        else:
            yield path


def _skeleton(document: dict[str, Any], at: DataPath, graph: RuleGraph) -> dict[str, Any]:
    """The objects whose members are read one by one."""
    return {
        key: _skeleton(value, (*at, key), graph)
        for key, value in document.items()
        if isinstance(value, dict) and graph.has_rules_below((*at, key))
    }
