"""`kubectl_complete-sark_rollout`: what kubectl asks when the tabulator is pressed behind `kubectl sark-rollout`.

kubectl looks for a program of this name on PATH and calls it with the words that were typed, the last being the one that is not
complete. The answer is a line for each word that fits, with its meaning behind a tabulator, and a last line with a number that
says whether files fit as well. argparse tells its options in private attributes only; shtab reads the same ones.
"""
# ruff: noqa: SLF001

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from .arguments import build
from .exit_code import ExitCode

FILES: Final = 0
NO_FILES: Final = 4
"""What cobra, by which kubectl completes, calls ShellCompDirectiveDefault and ShellCompDirectiveNoFileComp."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the command line the word stands that is to be completed."""

    parser: argparse.ArgumentParser
    takes: argparse.Action | None
    """What the word is a value of: an option before it, or the next argument. None where nothing more is taken."""
    after_option: bool = False
    only_arguments: bool = False
    """Whether `--` has ended the options."""


def main() -> int:
    """Print what fits."""
    *before, last = sys.argv[1:] or [""]
    found, directive = completed(before, last)
    sys.stdout.write("".join(f"{line}\n" for line in [*found, f":{directive}"]))
    return ExitCode.DONE


def completed(before: Sequence[str], last: str) -> tuple[list[str], int]:
    """Return a line for each word that `last` may become, and whether files are among them."""
    place = _place(build(), before)
    if place is None:
        return [], NO_FILES
    if last.startswith("-") and not place.after_option and not place.only_arguments:
        option, equals, value = last.partition("=")
        if not equals:
            return [line for line in _options(place.parser) if line.startswith(last)], NO_FILES
        taken = place.parser._option_string_actions.get(option)
        return [f"{option}={line}" for line in _values(taken) if line.startswith(value)], _directive(taken)
    return [line for line in _values(place.takes) if line.startswith(last)], _directive(place.takes)


def _place(parser: argparse.ArgumentParser, before: Sequence[str]) -> Place | None:
    """Return where the words `before` have led to; None where there is no such command."""
    awaited: argparse.Action | None = None
    arguments, only_arguments = _arguments(parser), False
    for word in before:
        if awaited is not None:
            awaited = None
        elif word == "--" and not only_arguments:
            only_arguments = True
        elif word.startswith("-") and not only_arguments:
            option = parser._option_string_actions.get(word)
            awaited = option if option is not None and option.nargs != 0 else None
        elif arguments and isinstance(arguments[0], argparse._SubParsersAction):
            if word not in arguments[0].choices:
                return None
            parser = arguments[0].choices[word]
            arguments = _arguments(parser)
        elif arguments and arguments[0].nargs != "+":
            arguments = arguments[1:]
    if awaited is not None:
        return Place(parser, awaited, after_option=True)
    return Place(parser, arguments[0] if arguments else None, only_arguments=only_arguments)


def _arguments(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    return [action for action in parser._actions if not action.option_strings]


def _options(parser: argparse.ArgumentParser) -> Iterator[str]:
    for action in parser._actions:
        yield from _meant((option, action.help) for option in action.option_strings)


def _values(action: argparse.Action | None) -> list[str]:
    if isinstance(action, argparse._SubParsersAction):
        return list(_meant((each.dest, each.help) for each in action._choices_actions))
    return [str(choice) for choice in action.choices or ()] if action is not None else []


def _meant(words: Iterable[tuple[str, str | None]]) -> Iterator[str]:
    """Yield each word with its meaning."""
    return (f"{word}\t{meaning}" if meaning else word for word, meaning in words)


def _directive(action: argparse.Action | None) -> int:
    return FILES if action is not None and action.metavar == "FILE" else NO_FILES


if __name__ == "__main__":
    sys.exit(main())
