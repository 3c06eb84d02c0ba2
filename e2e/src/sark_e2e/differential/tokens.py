"""Rego as a list of tokens: enough to mine and to mutate a policy, without understanding it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

Kind = Literal["name", "string", "number", "sign", "break"]

_PATTERN: Final = re.compile(
    r"""
    (?P<skip>[ \t\r]+|\#[^\n]*)
    |(?P<break>\n)
    |(?P<string>"(?:[^"\\\n]|\\.)*"|`[^`]*`)
    |(?P<number>\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)
    |(?P<name>[A-Za-z_][A-Za-z0-9_]*)
    |(?P<sign>:=|==|!=|<=|>=|.)
    """,
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Token:
    """One word of a policy. A line end is one too: it ends a statement."""

    kind: Kind
    text: str
    spaced: bool = True
    """Whether white space stands before it: `f (x)` is no call, and `x [0]` no reference."""


def tokens(source: str) -> list[Token]:
    """Split `source`; comments and indentation are dropped."""
    found: list[Token] = []
    spaced = True
    for match in _PATTERN.finditer(source):
        kind = match.lastgroup
        if kind == "skip":
            spaced = True
        elif kind == "break":
            if found and found[-1].kind != "break":
                found.append(Token("break", "\n"))
            spaced = True
        else:
            found.append(Token(kind, match.group(), spaced))  # type: ignore[arg-type]  # the group names are the kinds
            spaced = False
    return found


def source_of(words: Iterable[Token]) -> str:
    """Return a policy of `words`, indented by its brackets."""
    lines: list[str] = []
    line = ""
    depth = 0
    for word in words:
        if word.kind == "break":
            if line:
                lines.append(line)
            line = ""
            continue
        if not line:
            line = "\t" * max(0, depth - (word.text in {"}", "]", ")"}))
            line += word.text
        else:
            line += (" " if word.spaced else "") + word.text
        depth += (word.text in {"{", "[", "("}) - (word.text in {"}", "]", ")"})
    return "\n".join([*lines, line] if line else lines) + "\n"


def glued(text: str) -> list[Token]:
    """Return the tokens of an expression to put into another; the first has a space before it."""
    return [word for word in tokens(text) if word.kind != "break"]
