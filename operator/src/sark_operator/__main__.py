"""`sark-operator`: see `--help`."""

from __future__ import annotations

import asyncio
import sys
from contextlib import AbstractContextManager, nullcontext
from typing import NoReturn

import structlog
import uvloop

from sark_operator.page import PageError
from sark_operator.shell import interpreter
from sark_operator.shell.allocation import give_back_large_pieces
from sark_operator.shell.connection import ConnectionSettingsError
from sark_operator.shell.leadership import LeaseLostError
from sark_operator.shell.logs import configure_logging
from sark_operator.shell.operator import StartError, run, take_signals
from sark_operator.shell.settings import Settings, parse_settings


def main() -> NoReturn:
    """Run the operator; the exit status is 0 after a stop, 1 when it cannot start, 3 when it lost the Lease."""
    give_back_large_pieces()
    settings = parse_settings(sys.argv[1:])
    page = _page(settings)
    interpreter.prepare()
    configure_logging(settings.log_format, settings.log_level)
    interpreter.leave(_served(settings, page))


def _page(settings: Settings) -> AbstractContextManager[None]:
    """Return the page where one is asked for. It is loaded only then: its framework and templates are 8 MiB of memory."""
    if settings.page is None:
        return nullcontext()
    from sark_operator.page.server import page_beside

    return page_beside(settings, settings.page)


def _served(settings: Settings, page: AbstractContextManager[None]) -> int:
    """Serve until the end, and return the exit status."""
    log = structlog.get_logger("sark.operator")
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_serve(settings, page))
    except (StartError, ConnectionSettingsError, PageError) as error:
        log.error("cannot start", problem=str(error))  # noqa: TRY400 - the sentence says it all
        return 1
    except LeaseLostError as error:
        log.error("lost the Lease", problem=str(error))  # noqa: TRY400
        return 3
    except Exception:
        log.exception("ended unexpectedly")
        return 1
    return 0


async def _serve(settings: Settings, page: AbstractContextManager[None]) -> None:
    stop = asyncio.Event()
    take_signals(stop)
    with page:
        await run(settings, stop)


if __name__ == "__main__":
    main()
