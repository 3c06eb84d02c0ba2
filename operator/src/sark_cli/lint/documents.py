"""YAML files with the line of every member kept, within limits, so that a complaint can name its place."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any, Final

import yaml

from sark_cli.failure import CommandError

from .finding import Path
from .scalars import GoConstructor, GoLoader

MAX_BYTES: Final = 1_048_576
MAX_DEPTH: Final = 64
MAX_PLACES: Final = 100_000
"""Members the documents of a file may have, those that aliases repeat counted wherever they stand: a few lines of aliases of
aliases are millions of members to whoever goes through them."""
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
        allowance = _Allowance()
        found = [_document(file, node, allowance) for node in yaml.compose_all(raw.decode(), Loader=GoLoader)]
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


@dataclass(slots=True)
class _Allowance:
    """How much a file may still hold, written out without aliases."""

    places: int = MAX_PLACES
    letters: int = MAX_BYTES

    def take(self, letters: int) -> None:
        """Count one place, and the letters of its key and its text."""
        self.places -= 1
        self.letters -= letters
        if self.places < 0 or self.letters < 0:
            raise ValueError("too many members, or too long ones")


def _document(file: str, node: yaml.Node, allowance: _Allowance) -> Document:
    lines: dict[Path, int] = {}
    doubled: list[Path] = []
    for path, line, again in _places(node, (), 0, allowance):
        if again:
            doubled.append(path)
        lines[path] = line
    return Document(file, GoConstructor().construct_document(node), lines, tuple(doubled))


def _places(node: yaml.Node, path: Path, depth: int, allowance: _Allowance) -> Iterator[tuple[Path, int, bool]]:
    """Yield each member's path, its line, and whether the same member stood there before.

    An alias is followed wherever it stands, as whoever reads the values does.
    """
    if depth > MAX_DEPTH:
        raise ValueError("nested too deeply")
    allowance.take(len(node.value) if isinstance(node, yaml.ScalarNode) else 0)
    if not path:
        yield path, node.start_mark.line + 1, False
    seen: set[str] = set()
    if isinstance(node, yaml.MappingNode):
        for key, member in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(None, None, "a key must be text", key.start_mark)
            name = str(key.value)
            yield (*path, name), key.start_mark.line + 1, name in seen
            seen.add(name)
            allowance.take(len(name))
            yield from _places(member, (*path, name), depth + 1, allowance)
    elif isinstance(node, yaml.SequenceNode):
        for index, member in enumerate(node.value):
            yield (*path, index), member.start_mark.line + 1, False
            yield from _places(member, (*path, index), depth + 1, allowance)
