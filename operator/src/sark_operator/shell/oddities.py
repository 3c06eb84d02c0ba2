"""Answers of Prometheus that nobody foresaw: each is told of once, and not whenever it is asked for."""

from __future__ import annotations

from collections import Counter
from typing import Final

import structlog

ODD: Final = (TypeError, ValueError, OverflowError, KeyError)
"""What comes of reckoning with what is not what it seems."""
MOST: Final = 100
MOST_OF_ONE: Final = 5
"""Of one address."""

_log = structlog.get_logger("sark.prometheus")


class Oddities:
    """Those that were told of. So many are told of and no more: who may write rollouts must not fill the log."""

    def __init__(self) -> None:
        self._told: set[tuple[str, str]] = set()
        self._by_address: Counter[str] = Counter()

    def tell(self, address: str, query: str, error: Exception) -> None:
        """Log that the answer to `query` could not be read, the first time."""
        if (address, query) in self._told or len(self._told) >= MOST or self._by_address[address] >= MOST_OF_ONE:
            return
        self._told.add((address, query))
        self._by_address[address] += 1
        _log.error("an answer could not be read", address=address, query=query, exc_info=error)
        if self._by_address[address] == MOST_OF_ONE:
            _log.warning("of this address no more answers that could not be read are told of", address=address)
        if len(self._told) == MOST:
            _log.warning("no more answers that could not be read are told of")
