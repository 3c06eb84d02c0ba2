"""Which policies OPA served lately.

A decision is kept under the revision that was in force when it was asked for, once a look that began after it shows the same
one. Policies that come and go between two looks are seen by none, and what they decided is kept under those around them. When
a change is seen after all, nobody shall look there again, also not when that revision comes back, as when policies are rolled
back. So what decisions are kept under also stands for the revisions before, for as long as any decision of that time may be
kept.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable


class Lineage:
    """Follows the revisions of one OPA."""

    def __init__(self, memory: float, clock: Callable[[], float] = time.monotonic) -> None:
        """Remember for `memory` seconds, which must be longer than any decision is kept."""
        self._memory = memory
        self._clock = clock
        self._now: str | None = None
        self._before = ""
        self._until = 0.0

    def leading_to(self, revision: str) -> str:
        """Take note that OPA serves `revision` now; return what stands for those before it, empty if there were none lately."""
        now = self._clock()
        if self._now is not None and self._now != revision:
            self._before = hashlib.sha256(f"{self._before}:{self._now}".encode()).hexdigest()
            self._until = now + self._memory
        elif self._before and now >= self._until:
            self._before = ""
        self._now = revision
        return self._before
