"""`completion`: a script for the shell, made from the parser."""

from __future__ import annotations

import argparse

import shtab

from sark_cli.arguments import build
from sark_cli.exit_code import ExitCode
from sark_cli.out import Out


def run(options: argparse.Namespace, out: Out) -> int:
    """Print the script: `source <(sark-rollout completion bash)`."""
    parser = build()
    parser.prog = "sark-rollout"
    out.lines(shtab.complete(parser, shell=options.shell))
    return ExitCode.DONE
