"""What `--help` says, of the command and of each of its parts."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable

import pytest

from sark_cli.arguments import RUNNERS, build

WIDTH = "100"


def _commands(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    found = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    return dict(found[0].choices)


@pytest.fixture
def parser(monkeypatch: pytest.MonkeyPatch) -> argparse.ArgumentParser:
    """The command's own, as wide as the golden files, and called by its first name."""
    monkeypatch.setenv("COLUMNS", WIDTH)
    monkeypatch.setattr(sys, "argv", ["sark-rollout"])
    return build()


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="argparse writes options otherwise from 3.13 on")
def test_help_of_all_commands(parser: argparse.ArgumentParser, golden: Callable[[str, str], None]):
    texts = [parser.format_help(), *(command.format_help() for command in _commands(parser).values())]
    golden("help.txt", f"{'-' * 3}\n".join(texts))


def test_every_command_says_what_it_does(parser: argparse.ArgumentParser):
    # Given all commands there are
    commands = _commands(parser)
    assert list(commands) == list(RUNNERS)

    # Then each begins with how it is called, and says what it does before it names its options
    for name, command in commands.items():
        usage, purpose = command.format_help().split("\n\n")[:2]
        assert usage.startswith(f"usage: sark-rollout {name}")
        assert re.match(r"[A-Z].*\S", purpose), name
