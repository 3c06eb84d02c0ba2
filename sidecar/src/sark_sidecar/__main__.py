"""The command `sark-sidecar`."""

from __future__ import annotations

import argparse
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from .aside import LAST_LINES_SECONDS, Aside
from .commands import replay, run
from .commands.refusal import Refused
from .configuration import CONFIG_VARIABLE, ConfigurationError
from .leaving import leave

_COMMANDS = {
    "run": (run, "answer requests (this is meant when no command is named)"),
    "replay": (replay, "put recorded requests to both arms and report where they differ"),
}
_HELP = ("-h", "--help")


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Do what the arguments say, and end the process with it, whatever a thread still compiles."""
    leave(outcome(arguments))


def outcome(arguments: Sequence[str] | None = None) -> int:
    """Do what the arguments say; return the exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if not given or (given[0].startswith("-") and given[0] not in _HELP):
        # `sark-sidecar --config X` is how it has always been started.
        given.insert(0, "run")
    options = _parser().parse_args(given)
    try:
        return int(options.command.run(options))
    except ConfigurationError as error:
        _say(f"configuration refused: {error}")
    except Refused as error:
        _say(str(error))
    except Exception:  # noqa: BLE001 - Python's own end would wait for every thread, and for whoever reads its last words
        _say(f"ended by a fault that nobody foresaw\n{traceback.format_exc()}")
    return 1


def _say(sentence: str) -> None:
    """Write it where the logs are written too; nobody may read there, and this is no reason not to end."""
    aside = Aside(sys.stderr)
    aside.write(f"sark-sidecar: {sentence}\n")
    aside.settle(LAST_LINES_SECONDS)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="sark-sidecar", description="Answers OPA's REST API for one application.")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for name, (command, sentence) in _COMMANDS.items():
        own = commands.add_parser(name, help=sentence, description=sentence)
        own.add_argument(
            "--config", type=Path, metavar="FILE", help=f"YAML configuration (default: what {CONFIG_VARIABLE} names)"
        )
        command.add_arguments(own)
        own.set_defaults(command=command)
    return parser


if __name__ == "__main__":
    main()
