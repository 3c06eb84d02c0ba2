"""`report`: the whole rollout on one page, from its records and from what Prometheus saw."""

from __future__ import annotations

import argparse
import asyncio
import sys
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sark_cli.chain import settled
from sark_cli.connection import connect
from sark_cli.exit_code import ExitCode
from sark_cli.failure import CommandError
from sark_cli.out import Out
from sark_cli.prometheus_config import prometheus_servers
from sark_cli.reading import read
from sark_cli.rollouts import Rollouts
from sark_cli.told.markdown import markdown
from sark_cli.told.page import page
from sark_cli.told.questions import charts
from sark_cli.told.story import Chart, Story, share_of

if TYPE_CHECKING:
    from sark_operator.shell.prometheus_access import PrometheusServers


def run(options: argparse.Namespace, out: Out) -> int:
    """Print the report as Markdown or HTML."""
    del out  # what is written is a document, alike in a pipe and on a terminal
    connection = connect(options)
    rollouts = Rollouts(connection)
    rollout = read(rollouts, connection.namespace, options.name)
    try:
        rollout, chain = settled(rollouts, rollout)
    except CommandError as error:
        raise CommandError(f"the records of {rollout.name} cannot be read: {error}") from error
    broken = chain.broken()
    doubts = (f"the chain of records is broken at {broken.number}: {broken.message}",) if broken else ()
    story = Story(rollout, tuple(chain.records()), datetime.now(UTC), doubts=doubts)
    seen = asyncio.run(_seen(story, options.prometheus, prometheus_servers(options.prometheus_config)))
    story = replace(story, charts=(share_of(story.records, story.ends), *seen))
    sys.stdout.write(page(story) if options.format == "html" else markdown(story))
    return ExitCode.DONE


async def _seen(story: Story, address: str | None, servers: PrometheusServers) -> list[Chart]:
    """Ask the rollout's own Prometheus, or the one at `address`, where it is reached from here by another name."""
    from sark_operator.core.observation import Missing
    from sark_operator.shell.prometheus import PrometheusDoor, Server
    from sark_operator.shell.telemetry import Telemetry

    wanted = story.rollout.spec.prometheus
    if address:
        wanted = wanted.model_copy(update={"address": address})
    namespace, _, _ = story.rollout.name.partition("/")
    access = servers.access(wanted, namespace)
    if isinstance(access, Missing):
        return [Chart("What Prometheus saw", "", missing=access.message)]
    door = PrometheusDoor(Telemetry())
    try:
        server = Server(wanted.address, wanted.timeout.total_seconds(), access)
        return await charts(door, server, story.rollout.name, story.begins, story.ends)
    finally:
        door.close()
