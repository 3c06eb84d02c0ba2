"""The entry point: parse, run one command, and turn every expected failure into one sentence and an exit status."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module

from .arguments import RUNNERS, parse, plain
from .exit_code import ExitCode
from .failure import CommandError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    options = parse(sys.argv[1:] if arguments is None else arguments)
    from .out import Out
    from .printable import printable

    out = Out(plain=plain(), data_format=getattr(options, "output", ""))
    try:
        code: int = import_module(RUNNERS[options.command]).run(options, out)
        sys.stdout.flush()
    except CommandError as error:
        sys.stderr.write(f"error: {printable(str(error))}\n")
        return error.code
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        # The reader has gone (`| head`): nobody is left to tell, and the interpreter must not try at its end either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.FAILED
    return code


if __name__ == "__main__":
    sys.exit(main())
