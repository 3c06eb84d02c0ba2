"""The command line. argparse, because nothing else starts as quickly: `--help` is what one types most.

Nothing heavy is imported here. `RUNNERS` names the function behind each command; it is imported when it is asked for.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import PurePath
from typing import Any, Final, NoReturn

from .exit_code import ExitCode

RUNNERS: Final = {
    "list": "sark_cli.commands.list",
    "status": "sark_cli.commands.status",
    "explain": "sark_cli.commands.explain",
    "history": "sark_cli.commands.history",
    "report": "sark_cli.commands.report",
    "pause": "sark_cli.commands.steer",
    "resume": "sark_cli.commands.steer",
    "retry": "sark_cli.commands.steer",
    "promote": "sark_cli.commands.steer",
    "skip": "sark_cli.commands.steer",
    "approve": "sark_cli.commands.steer",
    "rollback": "sark_cli.commands.rollback",
    "lint": "sark_cli.commands.lint",
    "simulate": "sark_cli.commands.simulate",
    "backtest": "sark_cli.commands.backtest",
    "completion": "sark_cli.commands.completion",
    "version": "sark_cli.commands.version",
}
"""By command: the module whose `run(options, out)` returns the exit status."""

_PLUGIN = "kubectl-sark_rollout"
_DURATION = re.compile(r"^(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,8})s)?$")
_EXIT_STATUSES = """exit status of status: 0 completed, 3 progressing, 4 held or paused, 5 reverting or reverted, 6 not found,
7 timed out; of every command: 1 failed, 2 wrong command line."""


class Parser(argparse.ArgumentParser):
    """A parser whose complaints are one sentence."""

    def error(self, message: str) -> NoReturn:
        """End the process with status 2."""
        self.exit(ExitCode.USAGE, f"error: {message}; see `{self.prog} --help`\n")


def program(name: str = "") -> str:
    """Return how the person called us: kubectl runs plugins by their own names."""
    called = PurePath(name or sys.argv[0]).name
    return "kubectl sark-rollout" if called.startswith(_PLUGIN) else "sark-rollout"


def seconds(text: str) -> float:
    """Return the seconds of a duration such as 90s, 5m, 1h30m or 0."""
    match = _DURATION.match(text)
    if text == "0":
        return 0.0
    if not text or match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a duration; write hours, minutes and seconds, as in 30s or 1h30m")
    hours, minutes, rest = (int(part or 0) for part in match.groups())
    return float(hours * 3600 + minutes * 60 + rest)


def natural(text: str) -> int:
    """Return a whole number from 1."""
    if not (text.isascii() and text.isdecimal() and 0 < len(text) <= 9 and int(text) > 0):  # noqa: PLR2004 - a billion is enough
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1")
    return int(text)


def percent(text: str) -> int:
    """Return a share such as 25 or 25%."""
    return _share(text, least=1)


def step_percent(text: str) -> int:
    """Return the share of a step; one of 0% compares decisions in the shadow."""
    return _share(text, least=0)


def _share(text: str, least: int) -> int:
    digits = text.removesuffix("%")
    known = digits.isascii() and digits.isdecimal() and len(digits) <= 3  # noqa: PLR2004 - per cent
    if not (known and least <= int(digits) <= 100):  # noqa: PLR2004 - per cent
        raise argparse.ArgumentTypeError(f"{text!r} is not a share; write a whole number from {least} to 100")
    return int(digits)


def positive(text: str) -> float:
    """Return a finite number above 0."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1e12:  # noqa: PLR2004 - NaN and infinity are refused by the comparison
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return value


def instant(text: str) -> datetime:
    """Return a point in time; one without a zone is in UTC."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time; write it as in 2026-01-01T12:00:00Z") from error
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def address(text: str) -> str:
    """Return the base URL of a Prometheus."""
    if re.fullmatch(r"https?://[^\s/?#]+(/[^\s?#]*)?", text) is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not the address of a Prometheus; write it as in http://127.0.0.1:9090")
    return text


def key(text: str) -> str:
    """Return namespace/name."""
    if re.fullmatch(r"[^/\s]+/[^/\s]+", text) is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAMESPACE/NAME, as in shop/gateway")
    return text


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Return the options in `arguments`; a wrong command line ends the process with status 2."""
    return build().parse_args(arguments)


def build() -> Parser:
    """Return the parser."""
    parser = Parser(
        prog=program(),
        description="See and steer SarkRollouts: rollouts of the embedded authorization engine.",
        epilog=_EXIT_STATUSES,
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True, parser_class=Parser)
    _reading(commands)
    _steering(commands)
    _planning(commands)
    _asking(commands)
    return parser


def _command(commands: Any, name: str, text: str, *parents: argparse.ArgumentParser) -> argparse.ArgumentParser:
    made: argparse.ArgumentParser = commands.add_parser(
        name, help=text, description=f"{text[0].upper()}{text[1:]}.", parents=parents, allow_abbrev=False
    )
    return made


def _reading(commands: Any) -> None:
    listing = _command(commands, "list", "list rollouts", _cluster(), _output())
    listing.add_argument("-A", "--all-namespaces", action="store_true", help="of all namespaces")
    listing.add_argument("-w", "--watch", action="store_true", help="go on showing changes until Ctrl-C")
    status = _command(commands, "status", "tell where a rollout is, why it is not further, and what you may do", _named())
    status.add_argument("-w", "--watch", action="store_true", help="go on until it is completed or reverted")
    _timeout(status, "0", "with --watch: give up after this long (default: never)")
    explain = _command(commands, "explain", "tell why, with the numbers of each decision", _named())
    explain.add_argument("--decision", type=natural, metavar="N", help="only this decision, by its number in history")
    history = _command(commands, "history", "list what happened to a rollout, oldest first", _cluster(), _output())
    history.add_argument("name", metavar="NAME", nargs="?", default="", help="name of the SarkRollout")
    history.add_argument("--all", action="store_true", help="all that is recorded, not the last 20 only; with -o an export")
    history.add_argument("--verify", action="store_true", help="check the chain of records, and say where it breaks")
    history.add_argument("--file", metavar="FILE", default="", help="read an export instead of the cluster")
    report = _command(
        commands, "report", "write the whole rollout on one page: every decision, and what Prometheus saw", _cluster()
    )
    report.add_argument("name", metavar="NAME", help="name of the SarkRollout")
    report.add_argument("--format", choices=("markdown", "html"), default="markdown", help="of the page (default: markdown)")
    report.add_argument(
        "--prometheus",
        type=address,
        metavar="URL",
        help="the rollout's Prometheus as it is reached from here (default: its own address)",
    )
    _prometheus_config(report)


def _steering(commands: Any) -> None:
    texts = {
        "pause": "stay at the present share; a breach still reverts",
        "resume": "go on after a pause",
        "retry": "start again from the first step, after a revert or a completion",
    }
    requests = {
        "promote": "go on now, without the rest of bake and hold",
        "skip": "go on to a later step, leaving out those in between",
        "approve": "let a step that needs an approval begin",
    }
    shares = {
        "promote": "share it is promoted from; refused when it is at another (default: the present one)",
        "approve": "share of the step, also ahead (default: the one that is waited for)",
    }
    for verb, text in (texts | requests).items():
        command = _command(commands, verb, text, _named())
        if verb in requests:
            command.add_argument("--by", metavar="WHO", default="", help="who asks, for the record (default: your user name)")
        if verb == "skip":
            command.add_argument("--to", type=percent, required=True, metavar="PERCENT", help="share of the step to go on to")
        if verb in shares:
            command.add_argument("--percent", type=step_percent, metavar="PERCENT", help=shares[verb])
        _timeout(command, "1m", "how long to wait for the operator's answer (default: 1m; 0 does not wait)")
    back = _command(commands, "rollback", "restore the baseline at once, and stay there", _cluster(), _output())
    back.add_argument("name", metavar="NAME", nargs="?", default="", help="name of the SarkRollout")
    back.add_argument("--all", action="store_true", help="every rollout of the namespace")
    back.add_argument("-A", "--all-namespaces", action="store_true", help="every rollout of the cluster")
    back.add_argument("-y", "--yes", action="store_true", help="do not ask")
    back.add_argument(
        "--ask",
        choices=("proxy", "direct", "none"),
        default="proxy",
        help="how each sidecar is asked what it applies: through the API server, at its own address, or not (default: proxy)",
    )
    back.add_argument(
        "--sidecar-config",
        metavar="FILE",
        default="",
        help="the operator's file of how sidecars with TLS or tokens are asked, with paths of this machine",
    )
    _timeout(back, "2m", "how long to wait until every sidecar has confirmed (default: 2m; 0 does not wait)")


def _planning(commands: Any) -> None:
    lint = _command(commands, "lint", "check files before they meet a cluster", _cluster(), _output())
    lint.add_argument("file", metavar="FILE", nargs="+", help="YAML file, or - for standard input")
    lint.add_argument(
        "--traffic", type=positive, metavar="REQ_PER_S", help="requests a second of the target: warns of too few samples"
    )
    _prometheus_config(lint)
    lint.add_argument("--server", action="store_true", help="ask the API server as well (a dry run; nothing is stored)")
    lint.add_argument("--strict", action="store_true", help="warnings fail too")
    simulate = _command(commands, "simulate", "print the timetable a rollout would follow", _output())
    simulate.add_argument("file", metavar="FILE", help="YAML file with one SarkRollout, or - for standard input")
    simulate.add_argument(
        "--traffic", type=positive, metavar="REQ_PER_S", help="requests a second of the target: shows the samples of each step"
    )
    simulate.add_argument("--start", type=instant, metavar="TIME", help="when it would be applied (default: now)")
    backtest = _command(commands, "backtest", "replay a rollout on past metrics: what it would have done", _output())
    backtest.add_argument("file", metavar="FILE", help="YAML file with one SarkRollout, or - for standard input")
    backtest.add_argument("--prometheus", required=True, type=address, metavar="URL", help="the server that has the metrics")
    _prometheus_config(backtest)
    backtest.add_argument("--start", required=True, type=instant, metavar="TIME", help="as in 2026-01-01T12:00:00Z")
    backtest.add_argument("--end", required=True, type=instant, metavar="TIME", help="as in 2026-01-03T12:00:00Z")
    backtest.add_argument(
        "--step",
        type=seconds,
        metavar="DURATION",
        help="time between two evaluations (default: spec.interval, longer for long spans)",
    )
    backtest.add_argument(
        "--rollout", metavar="NAMESPACE/NAME", default=None, type=key, help="whose series to read (default: the file's own)"
    )
    backtest.add_argument(
        "--replicas",
        type=natural,
        metavar="N",
        help="sidecars there were: while fewer were scraped nothing is proven (default: all are taken as scraped)",
    )
    backtest.add_argument("-n", "--namespace", metavar="NAME", default="", help="namespace, when the file names none")


def _prometheus_config(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--prometheus-config",
        metavar="FILE",
        default="",
        help="the operator's file of credentials, authorities and tenants, with paths of this machine",
    )


def _asking(commands: Any) -> None:
    completion = _command(commands, "completion", "print a completion script for your shell")
    completion.add_argument("shell", choices=("bash", "zsh", "tcsh"))
    _command(commands, "version", "print the version", _output())


def _named() -> argparse.ArgumentParser:
    parent = argparse.ArgumentParser(add_help=False, parents=[_cluster(), _output()])
    parent.add_argument("name", metavar="NAME", help="name of the SarkRollout")
    return parent


def _cluster() -> argparse.ArgumentParser:
    parent = argparse.ArgumentParser(add_help=False)
    group = parent.add_argument_group("cluster")
    group.add_argument("--kubeconfig", metavar="FILE", default="", help="as for kubectl (default: $KUBECONFIG, ~/.kube/config)")
    group.add_argument("--context", metavar="NAME", default="", help="context of the kubeconfig (default: its current one)")
    group.add_argument("-n", "--namespace", metavar="NAME", default="", help="namespace (default: the context's)")
    return parent


def _output() -> argparse.ArgumentParser:
    parent = argparse.ArgumentParser(add_help=False)
    parent.add_argument("-o", "--output", choices=("json", "yaml"), default="", help="print data for programs")
    return parent


def _timeout(parser: argparse.ArgumentParser, default: str, text: str) -> None:
    parser.add_argument("--timeout", type=seconds, default=default, metavar="DURATION", help=text)


def plain(environment: dict[str, str] | None = None) -> bool:
    """Return whether standard output wants no control characters: it is no terminal, or TERM says dumb."""
    variables = os.environ if environment is None else environment
    return not sys.stdout.isatty() or variables.get("TERM") == "dumb"
