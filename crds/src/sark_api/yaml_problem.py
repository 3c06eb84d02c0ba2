"""What is wrong with a YAML file, without a word of what it holds: that may be a password or a token."""

from __future__ import annotations

import re

import yaml

_QUOTED = re.compile(r"""(?<!\w)(['"])(?:\\.|.)*?\1""", re.DOTALL)
_OF_YAML = re.compile(r"""(['"])(?:<[a-z ]+>|[^\w\s])\1""")
"""What a parser names and no file holds, as '<block end>', and single marks such as '%'."""
_WITHOUT_CONTEXT = {
    "but found another document": "it holds more than one document",
    "second occurrence": "it has an anchor twice",
}


def yaml_problem(error: Exception) -> str:
    """Return what a reader of YAML complains about, with line and column where it tells them.

    The reader's own text quotes the line, and the names of aliases and tags, which are what a password becomes that begins with
    `*` or `!`.
    """
    if isinstance(error, RecursionError):
        return "it nests too deeply"
    if isinstance(error, yaml.reader.ReaderError | UnicodeDecodeError):
        return f"{error.reason} (position {getattr(error, 'position', getattr(error, 'start', 0))})"
    if not isinstance(error, yaml.MarkedYAMLError):
        return f"a value in it cannot be read ({type(error).__name__})"
    problem = str(error.problem or "it cannot be parsed")
    said = _WITHOUT_CONTEXT.get(problem) or _QUOTED.sub(_unquoted, problem)
    mark = error.problem_mark
    return said if mark is None else f"{said}, line {mark.line + 1}, column {mark.column + 1}"


def _unquoted(found: re.Match[str]) -> str:
    return found[0] if _OF_YAML.fullmatch(found[0]) else "..."
