"""Logs: one line per record on standard error, ours and the libraries' in the same form."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from typing import Final

import structlog
from structlog.typing import Processor

_CAPPED: Final = {
    # kopf tells of every event and handler of every object.
    "kopf.objects": logging.WARNING,
    "kopf.activities": logging.WARNING,
    "aiohttp.access": logging.WARNING,
    # One line for each connection to Prometheus.
    "urllib3": logging.WARNING,
    "prometheus_api_client": logging.WARNING,
}
"""What these loggers say below the level is noise, unless one debugs."""
_NEVER_DEBUG: Final = ("kubernetes", "asyncio", "aiohttp")
"""These print whole answers of the API server, and every turn of the loop, when they debug."""


def configure_logging(format: str, level: str) -> None:  # noqa: A002 - the name of the flag
    """Set the process up to log from `level` on, as `json` or for a `console`. May be called again.

    Raises:
        ValueError: a format or level that does not exist.
    """
    number = logging.getLevelNamesMapping().get(level.upper())
    if number is None:
        raise ValueError(f"log level {level!r} does not exist: write debug, info, warning or error")
    shared = _shared()
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            # kopf says in k8s_ref which object a record is about.
            foreign_pre_chain=[structlog.stdlib.ExtraAdder(allow={"k8s_ref"}), *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_renderers(format)],
        )
    )
    logging.basicConfig(handlers=[handler], level=number, force=True)
    logging.captureWarnings(capture=True)
    debugging = number <= logging.DEBUG
    for name, cap in _CAPPED.items():
        logging.getLogger(name).setLevel(logging.NOTSET if debugging else max(cap, number))
    for name in _NEVER_DEBUG:
        logging.getLogger(name).setLevel(max(logging.INFO, number))


def _shared() -> tuple[Processor, ...]:
    """Return what is done to every record before it is rendered."""
    return (
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    )


def _renderers(format: str) -> Sequence[Processor]:  # noqa: A002
    if format == "json":
        return (structlog.processors.format_exc_info, structlog.processors.JSONRenderer(default=str))
    if format == "console":
        # Without the values of variables, which other formatters show: a token may be among them.
        plain = structlog.dev.plain_traceback
        return (structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain),)
    raise ValueError(f"log format {format!r} does not exist: write json or console")
