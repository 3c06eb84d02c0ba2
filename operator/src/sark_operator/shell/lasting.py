"""What Prometheus says of lengths of time: counting windows, memory, and the user's own queries.

These answers are the largest and the slowest, and none of them is looked through for a breach that has just begun.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace

from sark_api.spec import SarkRolloutSpec
from sark_operator.core.observation import CountedWindow, MemorySeries, Missing
from sark_operator.shell.oddities import ODD

Memory = Mapping[str, tuple[MemorySeries, ...]]
"""Memory of each pod, by rollout."""


@dataclass(frozen=True, slots=True)
class Lasting:
    """The answers about one rollout."""

    memory: tuple[MemorySeries, ...] | Missing
    sustained_memory: tuple[MemorySeries, ...] | Missing | None
    """None where growth need last for one window only."""
    custom: Mapping[str, float | Missing]
    windows: tuple[CountedWindow, ...] | Missing


def missing(why: Missing, spec: SarkRolloutSpec) -> Lasting:
    """Return what is known when none of it is."""
    long = why if spec.criteria.memory_growth.sustained_windows > 1 else None
    return Lasting(why, long, {criterion.name: _about(criterion.name, why) for criterion in spec.criteria.custom}, why)


@dataclass(frozen=True, slots=True)
class LastingQuestions:
    """The questions, all of which have been asked."""

    windows: Callable[[str], Awaitable[tuple[CountedWindow, ...] | Missing]]
    """Gives those of a rollout."""
    memory: Awaitable[Memory | Missing]
    sustained_memory: Awaitable[Memory | Missing] | None
    custom: Mapping[str, Awaitable[float | Missing]]
    odd: Callable[[Exception], Missing]
    """Tells of windows that cannot be reckoned with."""

    async def answers(self, rollout: str) -> Lasting:
        """Wait for the answers; each part is missing for itself."""
        memory = _pods(rollout, await self.memory)
        sustained = _pods(rollout, await self.sustained_memory) if self.sustained_memory else None
        custom = {name: _about(name, await number) for name, number in self.custom.items()}
        try:
            windows = await self.windows(rollout)
        except ODD as error:
            windows = self.odd(error)
        return Lasting(memory, sustained, custom, windows)


def _about(criterion: str, value: float | Missing) -> float | Missing:
    """Return the number of a custom criterion, or what is missing with its name."""
    return replace(value, message=f"criterion {criterion}: {value.message}") if isinstance(value, Missing) else value


def _pods(rollout: str, found: Memory | Missing) -> tuple[MemorySeries, ...] | Missing:
    return found if isinstance(found, Missing) else found.get(rollout, ())
