"""`version`: which command this is."""

from __future__ import annotations

import argparse
from importlib import metadata

from sark_api.names import API_VERSION
from sark_cli.exit_code import ExitCode
from sark_cli.out import Out


def run(options: argparse.Namespace, out: Out) -> int:  # noqa: ARG001 - all commands are called alike
    """Print the version of the distribution and of the API it speaks."""
    version = metadata.version("sark-rollout")
    if out.wants_data:
        out.data({"version": version, "apiVersion": API_VERSION})
    else:
        out.lines(f"sark-rollout {version} ({API_VERSION})")
    return ExitCode.DONE
