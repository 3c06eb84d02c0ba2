"""Events packed for an upload: a JSON array in gzip, as large as it may be."""

from __future__ import annotations

import gzip

_GROWTH = 2.0
_WELL_USED = 0.75
_MOST = 64
"""Events never compress better than to this part."""
_PATIENCE = 8
"""A receiver that takes less may take more again later: one chunk in so many is larger than the last that was refused."""
_LEVEL = 6


class ChunkSize:
    """How many bytes of events make a chunk of the right size: learned from the chunks before."""

    def __init__(self, limit: int) -> None:
        """`limit` is for a chunk, compressed."""
        self._limit = limit
        self.uncompressed = limit
        """As many bytes of events are tried next."""
        self._wait = 0
        """Chunks to be taken before a larger one is tried."""

    def fits(self, packed: int, events: int) -> bool:
        """Return whether a chunk may be sent; learn from one that may not."""
        if packed <= self._limit:
            return True
        if events > 1:
            self.refused()
        return False

    def taken(self, packed: int) -> None:
        """Learn from a chunk that the receiver took."""
        if self._wait:
            self._wait -= 1
        elif packed < _WELL_USED * self._limit:
            self.uncompressed = min(int(self.uncompressed * _GROWTH), _MOST * self._limit)

    def refused(self) -> None:
        """Learn that the receiver takes less."""
        self.uncompressed = max(self.uncompressed // 2, 1)
        self._wait = _PATIENCE


def pack(events: list[bytes]) -> bytes:
    """Return a JSON array of them in gzip. It takes its time; call it in a thread."""
    return gzip.compress(b"[" + b",".join(events) + b"]", compresslevel=_LEVEL, mtime=0)
