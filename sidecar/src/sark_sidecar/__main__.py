"""The command `sark-sidecar`."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from .configuration import CONFIG_VARIABLE, ConfigurationError, describe, load_settings


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the sidecar, or check its configuration; return the exit code."""
    parser = argparse.ArgumentParser(prog="sark-sidecar", description="Answers OPA's REST API for one application.")
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help=f"YAML configuration (default: what {CONFIG_VARIABLE} names)"
    )
    parser.add_argument(
        "--check", action="store_true", help="check configuration and policies, print what is in force, and exit"
    )
    options = parser.parse_args(arguments)
    try:
        settings = load_settings(options.config)
    except ConfigurationError as error:
        return _refused(f"configuration refused: {error}")

    from .logs import configure_logs
    from .policies.source import policy_source
    from .policies.sources import PolicySourceError
    from .service import Service, StartError, TaskEnded

    if options.check:
        try:
            compiled = asyncio.run(policy_source(settings.policies, lambda: None).load())
        except PolicySourceError as error:
            return _refused(f"{settings.policies.source}: {error}")
        assert compiled is not None  # noqa: S101 - a source that was never asked has something new or fails
        sys.stdout.write(describe(settings))
        sys.stdout.write(f"# {len(compiled.sources.modules)} modules, policy revision {compiled.policies.revision}\n")
        for sentence in compiled.ignored:
            sys.stdout.write(f"# {sentence}\n")
        for path in compiled.verdicts.reported():
            sys.stdout.write(f"# {path.path} stays on baseline: {path.reason}\n")
        return 0
    configure_logs(settings.log.level)
    try:
        asyncio.run(_serve(Service, settings))
    except (StartError, TaskEnded) as error:
        return _refused(str(error))
    return 0


async def _serve(service: type, settings: object) -> None:
    await service(settings).run()


def _refused(sentence: str) -> int:
    sys.stderr.write(f"sark-sidecar: {sentence}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
