"""Puts the decision log together from the settings."""

from __future__ import annotations

import sys
import uuid
from collections.abc import Callable

from sark_engine import Server

from sark_sidecar.settings import DecisionLogSettings

from .console import Console
from .follower import DecisionLogs, Losses, Sink
from .upload import Upload


def open_decision_logs(
    settings: DecisionLogSettings, server: Server, *, version: str, bundle: Callable[[], tuple[str, str, str]]
) -> DecisionLogs | None:
    """Set the data plane up and return the log; None when there is none. Call it before the server starts."""
    if not settings.enabled:
        return None
    server.log_decisions(
        labels={"id": str(uuid.uuid4()), "version": version, **settings.labels},
        erase=settings.erase,
        upsert=[(one.path, one.value_text()) for one in settings.replace],
        drop=[(one.path, one.outcome) for one in settings.drop],
        ask_policies=settings.ask_policies,
        max_per_second=settings.max_per_second,
        queue=settings.queue,
        queue_bytes=settings.queue_bytes,
    )
    losses = Losses(server)
    sinks: list[Sink] = []
    if settings.console:
        sinks.append(Console(sys.stdout.fileno(), buffer_bytes=settings.buffer_bytes, on_loss=losses))
    if settings.service.url is not None:
        sinks.append(Upload(settings.service, buffer_bytes=settings.buffer_bytes, on_loss=losses))
    return DecisionLogs(server, sinks, losses, bundle=bundle)
