"""What the command prints: `opa eval`'s shapes and spelling, and the table of verdicts."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from sark_engine._records import Verdict

_INDENT = "  "
# OPA escapes what could end a script in HTML; outside of strings JSON has none of these.
_ESCAPES = {ord(character): f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"}


class Number(str):
    """A number as the engine has written it: read and written once more it would be spelled otherwise, as 1e-05 is 0.00001."""

    __slots__ = ()


def read_value(answer: bytes) -> Any:
    """Return the value in an answer of the engine."""
    return json.loads(answer, parse_int=Number, parse_float=Number)


def print_result(value: Any, query: str, form: str, *, defined: bool) -> None:
    """Print the decision for `query`; `value` means nothing unless it is `defined`."""
    if not defined:
        sys.stdout.write({"json": "{}\n", "pretty": "undefined\n"}.get(form, ""))
        return
    if form == "json":
        expression = {"value": value, "text": query.strip(), "location": {"row": 1, "col": 1}}
        sys.stdout.write(_indented({"result": [{"expressions": [expression]}]}))
    elif form == "values":
        sys.stdout.write(_indented([value]))
    elif form == "pretty":
        sys.stdout.write(_indented(value))
    else:
        is_text = isinstance(value, str) and not isinstance(value, Number)
        sys.stdout.write((value if is_text else _compact(value)) + "\n")


def print_error(message: str, code: str, form: str) -> None:
    """Print why there is no answer: as a document on standard output where one is expected, else on standard error."""
    if form == "json":
        sys.stdout.write(_indented({"errors": [{"message": message, "code": code}]}))
    else:
        sys.stderr.write(f"error: {message}\n")


def print_verdicts(verdicts: Mapping[str, Verdict], revision: str, form: str) -> None:
    """Print who answers for each path."""
    if form == "json":
        rules = {path: verdict._asdict() for path, verdict in verdicts.items()}
        sys.stdout.write(_indented({"revision": revision, "rules": rules}))
        return
    rows = [("RULE", "SERVED BY", "TIER", "REASON")]
    rows += [
        (f"data/{path}", verdict.served_by, verdict.tier or "-", "; ".join(verdict.reasons))
        for path, verdict in verdicts.items()
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        sys.stdout.write("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() + "\n")
    left = sum(verdict.served_by != "rust" for verdict in verdicts.values())
    sys.stdout.write(f"{len(verdicts) - left} of {len(verdicts)} rules are served by rust; policy revision {revision[:12]}\n")


def _indented(value: Any) -> str:
    return "".join(_pieces(value, "\n")).translate(_ESCAPES) + "\n"


def _compact(value: Any) -> str:
    return "".join(_pieces(value, "")).translate(_ESCAPES)


def _pieces(value: Any, line: str) -> Iterator[str]:
    """Yield the JSON text of a value; `line` begins the one it stands on, and is empty where all stands on one."""
    if isinstance(value, dict):
        colon = ": " if line else ":"
        members = ((json.dumps(key, ensure_ascii=False) + colon, member) for key, member in value.items())
        yield from _listed("{", members, "}", line)
    elif isinstance(value, list | tuple):
        yield from _listed("[", (("", element) for element in value), "]", line)
    else:
        yield value if isinstance(value, Number) else json.dumps(value, ensure_ascii=False)


def _listed(begin: str, members: Iterable[tuple[str, Any]], end: str, line: str) -> Iterator[str]:
    inner, before = line and line + _INDENT, ""
    yield begin
    for name, member in members:
        yield before + inner + name
        yield from _pieces(member, inner)
        before = ","
    yield (line if before else "") + end
