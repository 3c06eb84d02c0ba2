"""YAML files with the line of every member kept, within limits, so that a complaint can name its place."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any, ClassVar, Final

import yaml

from sark_cli.failure import CommandError

from .finding import Path

MAX_BYTES: Final = 1_048_576
MAX_DEPTH: Final = 64
MAX_PLACES: Final = 20_000
"""Members a document may have, those that aliases repeat included."""
STDIN: Final = "-"


@dataclass(frozen=True, slots=True)
class Document:
    """One document of a file."""

    file: str
    value: Any
    lines: Mapping[Path, int] = field(repr=False)
    """Line of each member, from 1."""
    doubled: tuple[Path, ...] = ()
    """Members that stand there twice: YAML keeps the last, and nobody notices."""

    def line(self, path: Path) -> int:
        """Return the line of `path`, or of what is nearest to it when it is missing."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


def read(file: str) -> list[Document]:
    """Return the documents of `file`, or of standard input for `-`. Raises CommandError."""
    try:
        raw = sys.stdin.buffer.read(MAX_BYTES + 1) if file == STDIN else _bytes(file)
        if len(raw) > MAX_BYTES:
            raise CommandError(f"{file}: it is larger than 1 MiB, which no SarkRollout is")
        found = [_document(file, node) for node in yaml.compose_all(raw.decode(), Loader=yaml.SafeLoader)]
    except OSError as error:
        raise CommandError(f"cannot read {file}: {(error.strerror or str(error)).lower()}") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{file}:{mark.line + 1}" if mark else file
        raise CommandError(f"{where}: not YAML: {getattr(error, 'problem', None) or 'it cannot be parsed'}") from error
    except (UnicodeDecodeError, RecursionError, ValueError) as error:
        raise CommandError(f"{file}: not YAML in UTF-8 of a reasonable size and depth") from error
    return [document for document in found if document.value is not None]


def _bytes(file: str) -> bytes:
    with FilePath(file).open("rb") as stream:
        return stream.read(MAX_BYTES + 1)


def _document(file: str, node: yaml.Node) -> Document:
    lines: dict[Path, int] = {}
    doubled: list[Path] = []
    for path, line, again in _places(node, (), 0):
        if again:
            doubled.append(path)
        lines[path] = line
        if len(lines) > MAX_PLACES:
            raise ValueError("too many members")
    return Document(file, _value(node), lines, tuple(doubled))


def _value(node: yaml.Node) -> Any:
    """Return the node as plain values; dates stay the strings they are in JSON."""
    constructor = _JsonConstructor()
    return constructor.construct_document(node)


class _JsonConstructor(yaml.constructor.SafeConstructor):
    """Knows the types JSON knows."""

    yaml_constructors: ClassVar[dict[Any, Any]] = {
        **yaml.constructor.SafeConstructor.yaml_constructors,
        "tag:yaml.org,2002:timestamp": yaml.constructor.SafeConstructor.construct_yaml_str,
    }


def _places(node: yaml.Node, path: Path, depth: int) -> Iterator[tuple[Path, int, bool]]:
    """Yield each member's path, its line, and whether the same member stood there before. An alias is not followed twice."""
    if depth > MAX_DEPTH:
        raise ValueError("nested too deeply")
    if not path:
        yield path, node.start_mark.line + 1, False
    seen: set[str] = set()
    if isinstance(node, yaml.MappingNode):
        for key, member in node.value:
            name = str(key.value)
            yield (*path, name), key.start_mark.line + 1, name in seen
            seen.add(name)
            yield from _places(member, (*path, name), depth + 1)
    elif isinstance(node, yaml.SequenceNode):
        for index, member in enumerate(node.value):
            yield (*path, index), member.start_mark.line + 1, False
            yield from _places(member, (*path, index), depth + 1)
