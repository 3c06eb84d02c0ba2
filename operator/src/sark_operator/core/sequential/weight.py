"""What a test says: its evidence, and how much is needed."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Final

DOUBTFUL: Final = 10.0
"""Evidence from which nothing counts as proven good any more. A healthy rollout gets there once in ten at most."""


@dataclass(frozen=True, slots=True)
class Weight:
    """The evidence for a breach of one criterion."""

    odds: float = 1.0
    """The most evidence there was at the end of any window counted in this tick: so many to 1."""
    needed: float = inf
    windows: int = 0
    samples: int = 0
    hits: int = 0
    seasoned: bool = True
    """Whether there is enough behind the numbers of criteria.window for a breach by the floor."""
    quiet: str = ""
    """For how long no window has come, where that is too long to call anything proven good; empty while they come."""
    differing: float = 0.0
    """Decisions that differ in the windows counted in this tick, for decisionMismatch: criteria.window may have lost them while
    nobody looked."""

    @property
    def proven(self) -> bool:
        """Whether it is a breach."""
        return self.odds >= self.needed

    @property
    def doubtful(self) -> bool:
        """Whether there is too much of it to call the criterion met."""
        return self.odds >= DOUBTFUL

    @property
    def text(self) -> str:
        """The evidence, as in 480 to 1; empty before the first window."""
        return to_one(self.odds) if self.windows else ""

    @property
    def needed_text(self) -> str:
        """How much is needed, as in 700 to 1; empty before the first window."""
        return to_one(self.needed) if self.windows else ""

    @property
    def clause(self) -> str:
        """The evidence as the end of a sentence."""
        if self.quiet:
            return f"no counting window for {self.quiet}, and without them nothing is proven"
        if not self.windows:
            return "no counting window yet"
        noun = "window" if self.windows == 1 else "windows"
        return f"evidence {self.text} in {self.windows:,} {noun}, {self.needed_text} needed"


UNWEIGHED: Final = Weight()
"""What is known before the first window."""


def to_one(odds: float) -> str:
    """Return `odds` in words; less than even says nothing for a breach and reads as 1 to 1."""
    return f"{max(1, int(odds)):,} to 1"


def heavier(weights: tuple[Weight, ...]) -> Weight:
    """Return the weight of a criterion with several sides: that of the side nearest to a breach."""
    return max(weights, key=lambda weight: weight.odds / weight.needed)
