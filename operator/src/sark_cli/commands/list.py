"""`list`: all rollouts with the columns of `kubectl get`, and with -w every change."""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from sark_cli.connection import connect
from sark_cli.exit_code import ExitCode
from sark_cli.out import Grid, Out, drawn
from sark_cli.printable import cleaned
from sark_cli.rollouts import Rollouts
from sark_cli.times import age

WATCH_SECONDS: Final = 2.0
_SUMMARY = ("traffic", "step", "bake", "verdict", "replicas")
_HEADINGS = ("NAME", "PHASE", "TRAFFIC", "STEP", "BAKE", "VERDICT", "REPLICAS", "REASON", "AGE")


def run(options: argparse.Namespace, out: Out) -> int:
    """List once, or go on."""
    connection = connect(options)
    rollouts = Rollouts(connection)
    namespace = "" if options.all_namespaces else connection.namespace
    if options.watch:
        return _watch(rollouts, namespace, out)
    bodies = rollouts.all(namespace)
    if out.wants_data:
        out.data({"apiVersion": "v1", "kind": "List", "items": bodies})
    elif not bodies:
        out.lines(f"No SarkRollouts in {f'namespace {namespace}' if namespace else 'any namespace'}.")
    else:
        out.grid(table(bodies, datetime.now(UTC), namespaced=bool(namespace)))
    return ExitCode.DONE


def table(bodies: list[dict[str, Any]], now: datetime, *, namespaced: bool) -> Grid:
    """Return the columns kubectl prints. Objects are not parsed: one that an older command cannot read is listed too."""
    rows = tuple(_row(cleaned(body), now) for body in bodies)
    if namespaced:
        return Grid(_HEADINGS, tuple(row[1:] for row in rows))
    return Grid(("NAMESPACE", *_HEADINGS), rows)


def _row(body: Mapping[str, Any], now: datetime) -> tuple[str, ...]:
    metadata, status = body["metadata"], body.get("status") or {}
    summary = status.get("summary") or {}
    created = metadata.get("creationTimestamp")
    return (
        metadata["namespace"],
        metadata["name"],
        status.get("phase") or "-",
        *(str(summary.get(name) or "-") for name in _SUMMARY),
        status.get("reason") or "-",
        age(now - datetime.fromisoformat(created)) if created else "-",
    )


def _watch(rollouts: Rollouts, namespace: str, out: Out) -> int:
    """Show every change until Ctrl-C: a table that redraws itself on a terminal, a row for each change in a pipe."""
    if out.plain or out.wants_data:
        _watch_plainly(rollouts, namespace, out)
    from rich.live import Live

    with Live(console=out.console, auto_refresh=False) as live:
        while True:
            bodies = rollouts.all(namespace)
            live.update(drawn(table(bodies, datetime.now(UTC), namespaced=bool(namespace))), refresh=True)
            time.sleep(WATCH_SECONDS)


def _watch_plainly(rollouts: Rollouts, namespace: str, out: Out) -> None:
    shown: dict[str, object] = {}
    while True:
        bodies = rollouts.all(namespace)
        states = {body["metadata"]["uid"]: (body["metadata"].get("generation"), _shown(body)) for body in bodies}
        changed = [body for body in bodies if shown.get(body["metadata"]["uid"]) != states[body["metadata"]["uid"]]]
        shown = dict(states)
        if out.wants_data:
            for body in changed:
                out.data(body)
        elif changed:
            out.lines(*table(changed, datetime.now(UTC), namespaced=bool(namespace)).lines())
        time.sleep(WATCH_SECONDS)


def _shown(body: Mapping[str, Any]) -> object:
    """Return what a row shows and does not change by itself."""
    status = body.get("status") or {}
    summary = {name: text for name, text in (status.get("summary") or {}).items() if name != "bake"}
    return status.get("phase"), status.get("reason"), tuple(sorted(summary.items()))
