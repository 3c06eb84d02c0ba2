"""`sark-sidecar replay`: recorded requests through both arms, before any rollout starts."""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import sys
import time

from sark_sidecar.aside import LAST_LINES_SECONDS
from sark_sidecar.configuration import load_settings
from sark_sidecar.settings import LogLevel

from .refusal import Refused

DESCRIPTION = """\
Puts recorded requests to both arms: the embedded engine with the configured policies, and OPA at opa.url, which must serve the
same. FILE is a decision log of OPA (JSON lines, or a JSON array as OPA uploads it) or plain lines such as
{"path": "authz/allow", "input": {}}, each also compressed with gzip; - is standard input.

Exit code 0: no mismatch, and at least --min-compared requests compared. 1: it could not be done. 2: mismatches.
3: too few requests compared.
"""
MISMATCHES = 2
TOO_FEW = 3
_PROGRESS_SECONDS = 2.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes beside the configuration."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description = DESCRIPTION
    parser.add_argument("files", nargs="+", metavar="FILE", help="recording, or - for standard input")
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text", help="form of the report")
    parser.add_argument("--redact", action="store_true", help="show types, lengths and hashes instead of values")
    parser.add_argument(
        "--recorded", action="store_true", help="compare the engine with the recorded decisions too; a difference is a mismatch"
    )
    parser.add_argument("--show", type=_count, default=10, metavar="N", help="differences shown in full (default: 10)")
    parser.add_argument(
        "--min-compared", type=_count, default=1, metavar="N", help="requests that must be compared (default: 1)"
    )
    parser.add_argument(
        "--concurrency", type=_concurrency, default=8, metavar="N", help="requests under way at a time (default: 8)"
    )


def run(options: argparse.Namespace) -> int:
    """Replay, print the report, and return the exit code.

    Raises:
        ConfigurationError: the configuration cannot be used.
        Refused: the replay could not be done.
    """
    from sark_sidecar.logs import configure_logs
    from sark_sidecar.replay.recording import RecordingError
    from sark_sidecar.replay.report import as_text
    from sark_sidecar.replay.running import ReplayError

    settings = load_settings(options.config)
    lines = configure_logs(LogLevel.ERROR)
    try:
        report, equal, mismatches = asyncio.run(_replay(settings, options))
    except (RecordingError, ReplayError) as error:
        raise Refused(str(error)) from error
    finally:
        lines.settle(LAST_LINES_SECONDS)
    sys.stdout.write(json.dumps(report, indent=2, ensure_ascii=False) + "\n" if options.output == "json" else as_text(report))
    if mismatches:
        return MISMATCHES
    if equal < options.min_compared:
        sys.stderr.write(f"sark-sidecar: {equal} requests compared; --min-compared asks for {options.min_compared}\n")
        return TOO_FEW
    return 0


async def _replay(settings: object, options: argparse.Namespace) -> tuple[dict[str, object], int, int]:
    from sark_sidecar.replay.recording import read_recording
    from sark_sidecar.replay.running import Replay
    from sark_sidecar.replay.tally import Printers, Tally
    from sark_sidecar.settings import Settings
    from sark_sidecar.shadow.redaction import PlainPrinter, Redactor, parse_pointer

    assert isinstance(settings, Settings)  # noqa: S101 - the import is late, not the type
    printers = Printers(PlainPrinter(), PlainPrinter())
    if options.redact:
        inputs, decisions = (
            Redactor([parse_pointer(text) for text in shown])
            for shown in (settings.shadow.show_input, settings.shadow.show_decision)
        )
        printers = Printers(inputs, decisions, with_sentences=False)
    tally = Tally(printers, most_shown=options.show, with_recorded=options.recorded)
    progress = _Progress()
    async with Replay(settings, concurrency=options.concurrency) as replay:
        records = itertools.chain.from_iterable(read_recording(file) for file in options.files)
        await replay.run(records, tally, lambda: progress.tell(tally.read, tally.equal, tally.mismatches))
    return tally.shown(), tally.equal, tally.mismatches


class _Progress:
    """A line on standard error now and then."""

    def __init__(self) -> None:
        self._began = self._told = time.monotonic()

    def tell(self, read: int, equal: int, mismatches: int) -> None:
        now = time.monotonic()
        if now - self._told < _PROGRESS_SECONDS:
            return
        self._told = now
        rate = read / (now - self._began)
        sys.stderr.write(f"sark-sidecar: {read} read, {equal} equal, {mismatches} mismatches, {rate:.0f} a second\n")


def _count(text: str) -> int:
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError(f"{text} is below 0")
    return number


def _concurrency(text: str) -> int:
    number = int(text)
    if not 1 <= number <= 256:  # noqa: PLR2004 - said in the message
        raise argparse.ArgumentTypeError(f"{text} is not 1 to 256")
    return number
