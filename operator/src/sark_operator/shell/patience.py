"""How long the answers of one evaluation are waited for."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Final, Self, TypeVar

from sark_api import reasons
from sark_operator.core.observation import Missing

Answer = TypeVar("Answer")

NOT_WAITED_FOR: Final = "not waited for: a breach is in sight"
LATE: Final = Missing(reasons.METRICS_TIMEOUT.name, reasons.METRICS_TIMEOUT.sentence(message=NOT_WAITED_FOR))


@dataclass(frozen=True, slots=True)
class Patience:
    """Until when to wait; what has not come by then is missing."""

    until: float | None
    """By the loop's clock; None for as long as an answer takes."""

    @classmethod
    def of(cls, seconds: float | None) -> Self:
        """Return the patience to wait for so many seconds from now on, or for as long as an answer takes."""
        return cls(None if seconds is None else asyncio.get_running_loop().time() + seconds)

    async def wait(self, coming: Awaitable[Answer | Missing]) -> Answer | Missing:
        """Return the answer, or that it was not waited for. One that has come is taken, however late it is by now."""
        if self.until is None:
            return await coming
        try:
            async with asyncio.timeout_at(self.until):
                return await coming
        except TimeoutError:
            return LATE
