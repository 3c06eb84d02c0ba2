"""`sark-sidecar run`, which is meant when no command is named."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys

from sark_sidecar.aside import LAST_LINES_SECONDS
from sark_sidecar.configuration import describe, load_settings
from sark_sidecar.leaving import run_to_end
from sark_sidecar.settings import Settings

from .refusal import Refused


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes beside the configuration."""
    parser.add_argument(
        "--check", action="store_true", help="check configuration and policies, print what is in force, and exit"
    )


def run(options: argparse.Namespace) -> int:
    """Run the sidecar until it is told to stop, or check its configuration; return the exit code.

    Raises:
        ConfigurationError: the configuration cannot be used.
        Refused: the sidecar cannot start.
    """
    settings = load_settings(options.config)
    return _check(settings) if options.check else _serve(settings)


def _check(settings: Settings) -> int:
    from sark_sidecar.policies.source import policy_source
    from sark_sidecar.policies.sources import PolicySourceError

    try:
        compiled = asyncio.run(policy_source(settings.policies, lambda: None).load())
    except PolicySourceError as error:
        raise Refused(f"{settings.policies.source}: {error}") from error
    assert compiled is not None  # noqa: S101 - a source that was never asked has something new or fails
    sys.stdout.write(describe(settings))
    sys.stdout.write(f"# {len(compiled.sources.modules)} modules, policy revision {compiled.policies.revision}\n")
    for sentence in compiled.ignored:
        sys.stdout.write(f"# {sentence}\n")
    for path in compiled.verdicts.reported():
        sys.stdout.write(f"# {path.path} stays on baseline: {path.reason}\n")
    return 0


def _serve(settings: Settings) -> int:
    from sark_sidecar.logs import configure_logs
    from sark_sidecar.service import Service, StartError, TaskEnded

    async def serve() -> None:
        service = Service(settings)
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, service.stop)
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, service.read_again)
        await service.run()

    lines = configure_logs(settings.log.level)
    try:
        run_to_end(serve())
    except (StartError, TaskEnded) as error:
        raise Refused(str(error)) from error
    finally:
        lines.settle(LAST_LINES_SECONDS)
    return 0
