"""Events packed for an upload: a JSON array in gzip, as large as it may be."""

from __future__ import annotations

import gzip

_GROWTH = 2.0
_WELL_USED = 0.75
_MOST = 64
"""Events never compress better than to this part."""
_LEVEL = 6


class ChunkSize:
    """How many bytes of events make a chunk of the right size: learned from the chunks before."""

    def __init__(self, limit: int) -> None:
        """`limit` is for a chunk, compressed."""
        self._limit = limit
        self.uncompressed = limit
        """As many bytes of events are tried next."""

    def fits(self, packed: int, events: int) -> bool:
        """Return whether a chunk may be sent; learn from one that may not."""
        if packed <= self._limit:
            return True
        if events > 1:
            self.refused()
        return False

    def taken(self, packed: int, events: int) -> None:
        """Learn from a chunk that the receiver took."""
        if packed < _WELL_USED * self._limit and events > 1:
            self.uncompressed = min(int(self.uncompressed * _GROWTH), _MOST * self._limit)

    def refused(self) -> None:
        """Learn that the receiver takes less."""
        self.uncompressed = max(self.uncompressed // 2, 1)


def pack(events: list[bytes]) -> bytes:
    """Return a JSON array of them in gzip. It takes its time; call it in a thread."""
    return gzip.compress(b"[" + b",".join(events) + b"]", compresslevel=_LEVEL, mtime=0)
