"""Answers of Prometheus that nobody foresaw: each is told of once, and not whenever it is asked for."""

from __future__ import annotations

from typing import Final

import structlog

ODD: Final = (TypeError, ValueError, OverflowError, KeyError)
"""What comes of reckoning with what is not what it seems."""
_MOST: Final = 100

_log = structlog.get_logger("sark.prometheus")


class Oddities:
    """Those that were told of. Of more than a hundred none is: who may write rollouts must not fill the log."""

    def __init__(self) -> None:
        self._told: set[tuple[str, str]] = set()

    def tell(self, address: str, query: str, error: Exception) -> None:
        """Log that the answer to `query` could not be read, the first time."""
        if (address, query) in self._told or len(self._told) >= _MOST:
            return
        self._told.add((address, query))
        _log.error("an answer could not be read", address=address, query=query, exc_info=error)
