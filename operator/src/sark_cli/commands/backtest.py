"""`backtest`: what the rollout in a file would have done on past metrics."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from sark_api.duration import format_duration
from sark_api.spec import Mode, SarkRolloutSpec
from sark_api.status import Phase, SarkRolloutStatus
from sark_cli.exit_code import ExitCode
from sark_cli.explanation import share
from sark_cli.failure import CommandError
from sark_cli.out import Grid, Out
from sark_cli.planned import planned
from sark_cli.printable import printable
from sark_cli.prometheus_config import prometheus_servers
from sark_cli.replay.rehearsal import Journal, Rehearsal, RehearsalClock
from sark_cli.times import moment
from sark_operator.shell.counting import MOST_WINDOWS

if TYPE_CHECKING:
    from sark_operator.shell.prometheus import PrometheusDoor
    from sark_operator.shell.prometheus_access import PrometheusServers

MOST_EVALUATIONS: Final = 50_000
USUAL_EVALUATIONS: Final = 2_000
"""More only where steps would be longer than what is judged of each."""
MOST_REPLICAS: Final = 10_000
PATIENCE: Final = timedelta(seconds=60)
"""Least time a server is given for one answer."""
_SECOND: Final = timedelta(seconds=1)


def run(options: argparse.Namespace, out: Out) -> int:
    """Replay, and tell."""
    body, spec = planned(options.file)
    start, end = _span(options, datetime.now(UTC))
    if (options.replicas or 0) > MOST_REPLICAS:
        raise CommandError(f"--replicas must be at most {MOST_REPLICAS:,}", ExitCode.USAGE)
    step = _step(options, spec, end - start)
    remarks = (assumptions(spec.mode, options.replicas), gaps(spec, step))
    spec = _adapted(spec, options.prometheus, step)
    key = options.rollout or f"{body['metadata'].get('namespace') or options.namespace or 'default'}/{body['metadata']['name']}"
    servers = prometheus_servers(options.prometheus_config)
    rehearsal = asyncio.run(_replay(key, spec, start, end, step, servers=servers, replicas=options.replicas or 1))
    if out.wants_data:
        told = data(rehearsal.journal, rehearsal.status, start, end, step)
        out.data(told | {"judgedPercent": judged_percent(spec, step), "replicas": options.replicas})
    else:
        tell(key, rehearsal.journal, rehearsal.status, (start, end, step), out, remarks=remarks)
    return verdict(rehearsal.status)


def _span(options: argparse.Namespace, now: datetime) -> tuple[datetime, datetime]:
    start, end = options.start.replace(microsecond=0), options.end.replace(microsecond=0)
    if end <= start:
        raise CommandError("--end must be later than --start", ExitCode.USAGE)
    if end > now:
        raise CommandError(
            f"--end must not be later than now ({moment(now)}): what is to come cannot be replayed", ExitCode.USAGE
        )
    return start, end


def _step(options: argparse.Namespace, spec: SarkRolloutSpec, length: timedelta) -> timedelta:
    usual = _SECOND * -(-length // (USUAL_EVALUATIONS * _SECOND))
    step = timedelta(seconds=int(options.step)) if options.step else max(spec.interval, min(usual, judged(spec)))
    if step < _SECOND:
        raise CommandError("--step must be at least 1s", ExitCode.USAGE)
    if length / step > MOST_EVALUATIONS:
        needed = format_duration(_SECOND * -(-length // (MOST_EVALUATIONS * _SECOND)))
        raise CommandError(
            f"{length // step:,} evaluations are too many (at most {MOST_EVALUATIONS:,}): "
            f"give --step {needed}, or a shorter span",
            ExitCode.USAGE,
        )
    return step


def judged(spec: SarkRolloutSpec) -> timedelta:
    """Return how much of the time before an evaluation it judges: counting windows, or the metric window if that is longer."""
    return max(spec.criteria.window, MOST_WINDOWS * spec.criteria.counting()) // _SECOND * _SECOND


def judged_percent(spec: SarkRolloutSpec, step: timedelta) -> int:
    """Return how much of the time is judged by evaluations `step` apart."""
    return 100 * min(step, judged(spec)) // step


def assumptions(mode: Mode, replicas: int | None) -> str:
    """Return what of the world the replay takes for granted."""
    scraped = "" if replicas else ", and all there were are scraped (--replicas N looks whether they were)"
    auto = "" if mode is Mode.AUTO else f" spec.mode is Auto (it is {mode} in the file)."
    return (
        f"Assumed: sidecars confirm at once and serve one policy{scraped}. Metrics are those of then, whatever share was "
        f"served then.{auto}"
    )


def gaps(spec: SarkRolloutSpec, step: timedelta) -> str:
    """Return what of the time is not judged, or not by every criterion; empty when all of it is."""
    length = judged(spec)
    if step > length:
        return (
            f"Judged: the {format_duration(length)} before each evaluation, {judged_percent(spec, step)}% of the time. "
            f"What was bad in the rest is not seen; with --step {format_duration(length)} or less there is no rest."
        )
    if step > spec.criteria.window:
        return (
            "Judged: all of the time by the criteria that count windows; by the others (memoryGrowth, throughput, cpu, alerts, "
            "custom) what each evaluation sees."
        )
    return ""


def _adapted(spec: SarkRolloutSpec, address: str, step: timedelta) -> SarkRolloutSpec:
    """Return the spec with the server to ask, and evaluated as often as it is replayed.

    The bake counts a gap between two evaluations for at most three intervals; a replay in larger steps must not lose time for
    that, nor may its flags expire between two steps. Nothing waits for its answers either, and they are long: a server that is
    slow today, being busy, must not look like one that was slow then.
    """
    prometheus = spec.prometheus.model_copy(update={"address": address, "timeout": max(spec.prometheus.timeout, PATIENCE)})
    valid_for = max(spec.valid_for, 3 * step)
    return spec.model_copy(update={"prometheus": prometheus, "interval": step, "valid_for": valid_for, "mode": Mode.AUTO})


async def _replay(
    key: str,
    spec: SarkRolloutSpec,
    start: datetime,
    end: datetime,
    step: timedelta,
    *,
    servers: PrometheusServers,
    replicas: int,
) -> Rehearsal:
    from sark_cli.replay.past_door import PastDoor
    from sark_operator.shell.metrics import PrometheusMetrics
    from sark_operator.shell.prometheus import PrometheusDoor
    from sark_operator.shell.telemetry import Telemetry

    clock = RehearsalClock(start)
    prometheus = PrometheusDoor(Telemetry())
    door = PastDoor(prometheus, clock, end=end, step=int(step.total_seconds()))
    metrics = PrometheusMetrics(door, clock, servers)
    namespace, _, name = key.partition("/")
    body = {
        "metadata": {"namespace": namespace, "name": name, "uid": "backtest", "resourceVersion": "1", "generation": 1},
        "spec": spec.to_wire(),
    }
    rehearsal = Rehearsal(body, spec, metrics, clock, replicas=replicas)
    told = _progress(start, end)

    def watch(at: datetime, status: SarkRolloutStatus) -> None:
        if door.failure:
            raise CommandError(
                f"at {moment(at)}: {printable(door.failure)}; the replay was ended, for it would show what is wrong now"
            )
        told(at, status)

    try:
        await _look(prometheus, spec, servers, key, (start, end))
        await rehearsal.run(end, step, watch)
    finally:
        await metrics.close()
    return rehearsal


async def _look(
    door: PrometheusDoor, spec: SarkRolloutSpec, servers: PrometheusServers, key: str, span: tuple[datetime, datetime]
) -> None:
    """Raise CommandError when there is nothing of the rollout to replay. What cannot be asked now, the replay finds out."""
    from sark_cli.replay.presence import is_remembered
    from sark_operator.core.observation import Missing
    from sark_operator.shell.prometheus import Server

    access = servers.access(spec.prometheus, key.partition("/")[0])
    if isinstance(access, Missing):
        return
    server = Server(spec.prometheus.address, spec.prometheus.timeout.total_seconds(), access)
    if await is_remembered(door, server, key, *span) is False:
        raise CommandError(
            f'Prometheus at {server.shown} has no series with sark_rollout="{key}" from {moment(span[0])} to '
            f"{moment(span[1])}, so there is nothing to replay: check --prometheus, --start and --end, and give another's name "
            "with --rollout",
            ExitCode.NOT_FOUND,
        )


def _progress(start: datetime, end: datetime) -> Callable[[datetime, SarkRolloutStatus], None]:
    """Return what tells on standard error, at every tenth, how far the replay is."""
    told = 0

    def tell_progress(at: datetime, status: SarkRolloutStatus) -> None:
        nonlocal told
        tenth = int((at - start) / (end - start) * 10)
        if tenth > told:
            told = tenth
            traffic = status.summary.traffic or "0%"
            sys.stderr.write(f"{tenth * 10:3}%  {moment(at)}  {status.phase} {traffic}\n")
            sys.stderr.flush()

    return tell_progress


def verdict(status: SarkRolloutStatus) -> ExitCode:
    """Return how it ended, as `status` would."""
    if status.phase is Phase.COMPLETED:
        return ExitCode.DONE
    return ExitCode.REVERTED if status.phase in (Phase.REVERTED, Phase.REVERTING) else ExitCode.PROGRESSING


def tell(
    key: str,
    journal: Journal,
    status: SarkRolloutStatus,
    span: tuple[datetime, datetime, timedelta],
    out: Out,
    *,
    remarks: tuple[str, ...],
) -> None:
    """Print what would have happened; `remarks` say what was assumed, and what of the time was not judged."""
    start, end, step = span
    out.lines(
        f"{key} from {moment(start)} to {moment(end)}: {journal.evaluations:,} evaluations, {format_duration(step)} apart",
        *filter(None, remarks),
        "",
    )
    out.grid(transitions(journal))
    out.lines("", "Where the time went")
    out.grid(waits(journal))
    out.lines("", conclusion(status))


def transitions(journal: Journal) -> Grid:
    """Return what would have been decided."""
    return Grid(
        ("TIME", "SHARE", "REASON", "WHY"),
        tuple((moment(each.time), share(each), each.reason, printable(each.message)) for each in journal.records),
    )


def waits(journal: Journal) -> Grid:
    """Return the times between, each with the sentence it began with."""
    return Grid(
        ("FROM", "FOR", "SHARE", "REASON", "WHY"),
        tuple(
            (
                moment(each.since),
                format_duration(each.until - each.since),
                f"{each.percent}%",
                each.reason,
                printable(each.message),
            )
            for each in journal.waits
        ),
    )


def conclusion(status: SarkRolloutStatus) -> str:
    """Return how it ended."""
    if status.phase is Phase.COMPLETED and status.completed_at is not None:
        return f"It would have completed at {moment(status.completed_at)}."
    if status.revert is not None and status.phase in (Phase.REVERTED, Phase.REVERTING):
        return f"It would have gone back at {moment(status.revert.decided_at)}: {printable(status.revert.message)}"
    return f"At the end it would have been {status.phase} ({status.reason}): {printable(status.message)}"


def data(journal: Journal, status: SarkRolloutStatus, start: datetime, end: datetime, step: timedelta) -> dict[str, Any]:
    """Return the same for programs."""
    return {
        "start": start.isoformat(),
        "end": end.isoformat(),
        "step": format_duration(step),
        "evaluations": journal.evaluations,
        "phase": str(status.phase),
        "conclusion": conclusion(status),
        "transitions": [record.to_wire() for record in journal.records],
        "waits": [
            {
                "from": wait.since.isoformat(),
                "to": wait.until.isoformat(),
                "percent": wait.percent,
                "reason": wait.reason,
                "message": wait.message,
            }
            for wait in journal.waits
        ],
    }
