"""The command line: `eval` answers as `opa eval` does, `check` says who answers for each path."""

from __future__ import annotations

import argparse
import io
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from sark_engine._errors import EngineError, EvaluationError, InputError, PolicyError
from sark_engine._printing import print_error, print_result, print_verdicts, read_value
from sark_engine._query import path_of
from sark_engine._sark_engine import Engine, Policies, __version__, regorus_version

EXIT_OK, EXIT_FAILED, EXIT_ERROR = 0, 1, 2
_PYTHONS = signal.default_int_handler

_EVAL = """\
Evaluate a path and print its value, in the form that `opa eval` prints it.

Exit status: 0; 1 when --fail or --fail-defined says so; 2 when there is no genuine decision, for whatever reason.
"""
_EVAL_MORE = """\
examples:
  python -m sark_engine eval -d policies/ -i input.json data.authz.allow
  echo '{"user": "alice"}' | python -m sark_engine eval -d policies/ -I -f raw 'data.authz["any name"]'

Only paths into data are answered, not whole queries. A folder is searched for *.rego and *.json files.
"""
_CHECK = """\
Load policies and print, for each rule, who answers for it: rust (this engine) or baseline (HTTP OPA), and why.

Exit status: 0; 1 with --strict when a rule is left to the baseline; 2 when the policies are refused.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    options = _parser().parse_args(arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # JSON is UTF-8, whatever the locale; what is no Unicode is shown as JSON escapes it.
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    try:
        with _interruptible():
            return _evaluate(options) if options.command == "eval" else _check(options)
    except BrokenPipeError:
        # Whoever read the output has seen enough; what is left in the buffer has nowhere to go.
        sys.stdout = None
        return EXIT_ERROR
    except Exception as error:  # noqa: BLE001 - 1 is an answer
        print_error(f"{type(error).__name__}: {error}", "internal", options.format)
        return EXIT_ERROR


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let Ctrl-C end the process at once. Python's own handler would wait until the evaluation comes back."""
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGINT) is not _PYTHONS:
        # Another handler, or that it is ignored, is not ours to undo.
        yield
        return
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, _PYTHONS)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m sark_engine", description="Rego decisions by an embedded engine.")
    version = f"sark-engine {__version__} (regorus {regorus_version})"
    parser.add_argument("--version", action="version", version=version)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    plain = argparse.RawDescriptionHelpFormatter
    ask = commands.add_parser("eval", help="evaluate a path", description=_EVAL, epilog=_EVAL_MORE, formatter_class=plain)
    _add_data(ask)
    source = ask.add_mutually_exclusive_group()
    source.add_argument("-i", "--input", metavar="FILE", type=Path, help="input document, a JSON file (default: no input)")
    source.add_argument("-I", "--stdin-input", action="store_true", help="read the input document from standard input")
    ask.add_argument(
        "-f", "--format", choices=("json", "values", "pretty", "raw"), default="json", help="output format (default: json)"
    )
    failing = ask.add_mutually_exclusive_group()
    failing.add_argument("--fail", action="store_true", help="exit with 1 when the result is undefined")
    failing.add_argument("--fail-defined", action="store_true", help="exit with 1 when the result is defined")
    ask.add_argument(
        "--timeout", metavar="SECONDS", type=_seconds, default=30.0, help="longest an evaluation may run (default: 30)"
    )
    ask.add_argument("query", metavar="PATH", help="what to evaluate, as in data.authz.allow")
    check = commands.add_parser("check", help="say who answers for each rule", description=_CHECK, formatter_class=plain)
    _add_data(check)
    check.add_argument("-f", "--format", choices=("pretty", "json"), default="pretty", help="output format (default: pretty)")
    check.add_argument("--strict", action="store_true", help="exit with 1 when a rule is left to the baseline")
    return parser


def _add_data(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-d",
        "--data",
        metavar="PATH",
        type=Path,
        action="append",
        default=[],
        help="policy or data file, or folder of them; may be repeated",
    )


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 < value <= 86_400:  # noqa: PLR2004 - a day
        raise argparse.ArgumentTypeError(f"{text} is not a number of seconds between 0 and 86400")
    return value


def _evaluate(options: argparse.Namespace) -> int:
    try:
        path = path_of(options.query)
        document = _input(options.input, sys.stdin if options.stdin_input else None)
        engine = Engine(Policies.from_paths(options.data), evaluation_timeout_seconds=options.timeout)
        answer = engine.evaluate(path, document)
    except EngineError as error:
        print_error(str(error), _code(error), options.format)
        return EXIT_ERROR
    print_result(None if answer is None else read_value(answer), options.query, options.format, defined=answer is not None)
    failed = (options.fail and answer is None) or (options.fail_defined and answer is not None)
    return EXIT_FAILED if failed else EXIT_OK


def _input(file: Path | None, stdin: TextIO | None) -> bytes | None:
    try:
        if stdin is not None:
            return stdin.buffer.read()
        return None if file is None else file.read_bytes()
    except OSError as error:
        raise InputError(f"{file or 'standard input'}: {error.strerror}") from error


def _code(error: EngineError) -> str:
    if isinstance(error, EvaluationError):
        return error.kind
    return "policy" if isinstance(error, PolicyError) else "input"


def _check(options: argparse.Namespace) -> int:
    try:
        policies = Policies.from_paths(options.data)
    except PolicyError as error:
        print_error(str(error), "policy", options.format)
        return EXIT_ERROR
    verdicts = policies.verdicts()
    print_verdicts(verdicts, policies.revision, options.format)
    left = any(verdict.served_by != "rust" for verdict in verdicts.values())
    return EXIT_FAILED if options.strict and left else EXIT_OK
