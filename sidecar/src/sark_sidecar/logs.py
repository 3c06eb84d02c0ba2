"""Logs: one JSON object a line on standard error; inside an application, records of its own logging."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import TextIO, cast

import structlog

from .aside import Aside
from .settings import LogLevel


def configure_logs(level: LogLevel) -> Aside:
    """Set the process up to log from `level` on; libraries' own records go the same way. Nothing that logs waits for a reader.

    Return what writes the lines, which may still have some when the process ends.
    """
    number = logging.getLevelNamesMapping()[level.value.upper()]
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    lines = Aside(sys.stderr, notice=_lost)
    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(cast("TextIO", lines)),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(lines)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, structlog.processors.JSONRenderer()],
        )
    )
    logging.basicConfig(handlers=[handler], level=max(number, logging.WARNING), force=True)
    # Libraries' records that cannot be rendered are dropped, and not complained of past what writes the others.
    logging.raiseExceptions = False
    return lines


def _lost(lines: int) -> str:
    """Return the line that says how many are missing."""
    told = {
        "lines": lines,
        "event": "log lines were lost: whoever reads them was too slow, or there was no room for them",
        "level": "warning",
        "timestamp": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
    }
    return json.dumps(told) + "\n"


def log_through_application() -> None:
    """Log as `logging` is set up in the application that this is a part of, unless it has set up structlog itself."""
    if structlog.is_configured():
        return
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
