"""How often kopf tries a request again that was refused or failed: without end.

After a finite series it raises, and ends its watches of all namespaces for the fault of one whose Role was deleted. So each
watch goes on trying by itself, and finds the right again when somebody gives it back.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from itertools import chain, repeat
from typing import Final

FIRST_SECONDS: Final = (1.0, 1.0, 2.0, 3.0, 5.0, 8.0, 13.0, 21.0)
"""kopf's own series."""
LONGEST_SECONDS: Final = 30.0
"""So long a namespace may have to wait for its watch when its rights are back."""


class Patience:
    """The pauses before further tries of one request, one series for each request; `failed` is called for each failure."""

    def __init__(self, failed: Callable[[], None]) -> None:
        self._failed = failed

    def __iter__(self) -> Iterator[float]:
        """Yield pauses without end. kopf takes the first one before it has tried."""
        for seconds in chain(FIRST_SECONDS, repeat(LONGEST_SECONDS)):
            yield seconds * random.uniform(0.75, 1.0)  # noqa: S311 - it spreads load and guards nothing
            self._failed()
