"""The part of Rego's queries that the command answers: a path into data."""

from __future__ import annotations

import json
import re

from sark_engine._errors import PathError

_STEP = re.compile(r"""\.(?P<name>[A-Za-z_][A-Za-z0-9_]*)|\[(?P<text>"(?:[^"\\]|\\.)*")\]|\[(?P<index>-?[0-9]+)\]""")

_NUMBER = re.compile(r"[+-]?(?=[0-9.])[0-9]*(?:\.0*)?")
"""What a segment of a decision path is taken for, whatever stood in the query."""


def path_of(query: str) -> str:
    """Return the decision path of `data.a["b"][0]`: `a/b/0`.

    Raises:
        PathError: it is anything else.
    """
    text = query.strip()
    if not re.match(r"data(?![A-Za-z0-9_])", text):
        raise _refused(query)
    steps: list[str] = []
    at = len("data")
    while at < len(text):
        step = _STEP.match(text, at)
        if step is None:
            raise _refused(query)
        steps.append(_name(step, query))
        at = step.end()
    return "/".join(steps)


def _name(step: re.Match[str], query: str) -> str:
    if step["text"] is None:
        return step["name"] or step["index"]
    try:
        name: str = json.loads(step["text"])
    except ValueError as error:
        raise _refused(query) from error
    if "/" in name or not name:
        raise PathError(f"the name {name!r} is empty or contains a slash: no decision path has such")
    if _NUMBER.fullmatch(name):
        raise PathError(f"the name {name!r} cannot be asked for: a text that looks like a number is read as an index")
    return name


def _refused(query: str) -> PathError:
    return PathError(f"{query!r} is not a path into data: whole queries are not answered, only paths such as data.authz.allow")
