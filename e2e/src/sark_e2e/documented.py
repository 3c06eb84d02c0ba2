"""What the documentation tells people to type: every command in its blocks and in its sentences, with its place."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from .program import ROOT

PROGRAMS = frozenset(
    {"helm", "kubectl", "make", "promtool", "sark-operator", "sark-rollout", "sark-sidecar", ".venv/bin/python", "python"}
)
"""Programs whose commands are tested wherever they stand, in a block or in a sentence."""
SHELL_BLOCKS = frozenset({"sh", "bash", "shell", "console"})
_FENCE = re.compile(r"^ *```(\S*)\s*$")
_INLINE = re.compile(r"`([^`\n]+)`")


@dataclass(frozen=True)
class Block:
    """One block of code."""

    page: str
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


@dataclass(frozen=True)
class Command:
    """One command line. In a block it is complete; a sentence may only name it, as `sark-rollout status`."""

    page: str
    line: int
    text: str
    in_block: bool

    @property
    def words(self) -> list[str]:
        """Program and arguments, without comment, redirection and what two spaces set apart; of a pipe our part."""
        told = re.split(r" {2,}| > ", self.text, maxsplit=1)[0]
        part = next((part for part in told.split(" | ") if _is_known(part)), told)
        return shlex.split(part, comments=True)

    @property
    def program(self) -> str:
        """The program, or the module of one that is started with python -m."""
        words = self.words
        return words[2] if words[0].endswith("python") and words[1] == "-m" else words[0]

    @property
    def options(self) -> list[str]:
        """Names of the options given, without their values."""
        return [word.split("=")[0] for word in self.words if re.fullmatch(r"--?[a-z][a-z-]*(=.*)?", word)]

    def __str__(self) -> str:
        return f"{self.page}:{self.line} {self.text}"


def pages() -> list[Path]:
    """Return the pages people read: the documentation and the files beside it."""
    beside = ("README.md", "CONTRIBUTING.md", "engine-rs/README.md")
    return [*sorted((ROOT / "docs").rglob("*.md")), *(ROOT / name for name in beside)]


def blocks(chosen: Iterable[Path] | None = None) -> Iterator[Block]:
    """Yield every block of code."""
    for page in pages() if chosen is None else chosen:
        lines = page.read_text(encoding="utf-8").splitlines()
        start, language = 0, ""
        for number, line in enumerate(lines, 1):
            fence = _FENCE.match(line)
            if fence is None:
                continue
            if start:
                yield Block(str(page.relative_to(ROOT)), start, language, "\n".join(lines[start : number - 1]))
                start = 0
            else:
                start, language = number, fence[1]


def commands() -> Iterator[Command]:
    """Yield every command: each line of a shell's block, and what begins with one of PROGRAMS elsewhere."""
    for block in blocks():
        for offset, text in _joined(block.text):
            shown = text.removeprefix("$ ")
            if (block.language in SHELL_BLOCKS and shown) or (block.language == "" and any(map(_is_known, shown.split(" | ")))):
                yield Command(block.page, block.line + offset, shown, in_block=True)
    for page in pages():
        name = str(page.relative_to(ROOT))
        for number, line in _prose(page):
            for text in _INLINE.findall(line):
                if _is_known(text) and " " in text:
                    yield Command(name, number, text, in_block=False)


def _joined(text: str) -> Iterator[tuple[int, str]]:
    """Yield the lines, those that end with a backslash together with the next."""
    begun, held = 0, ""
    for offset, line in enumerate(text.splitlines(), 1):
        held, begun = (held + line.strip(), begun or offset)
        if held.endswith("\\"):
            held = held.removesuffix("\\").rstrip() + " "
            continue
        if held and not held.startswith("#"):
            yield begun, held
        begun, held = 0, ""


def _prose(page: Path) -> Iterator[tuple[int, str]]:
    inside = False
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        if _FENCE.match(line):
            inside = not inside
        elif not inside:
            yield number, line


def _is_known(text: str) -> bool:
    return text.split(" ", 1)[0] in PROGRAMS
