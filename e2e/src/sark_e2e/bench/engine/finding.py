"""What was found, and whether it is what was wanted."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from statistics import median
from typing import Any


@dataclass(frozen=True)
class Limit:
    """What is wanted of a figure."""

    value: float
    at_least: bool
    """Else at most."""

    def allows(self, figure: float) -> bool:
        """Return whether `figure` is what is wanted."""
        return figure >= self.value if self.at_least else figure <= self.value


def at_least(value: float) -> Limit:
    """Return the limit that a figure must not fall below."""
    return Limit(value, at_least=True)


def at_most(value: float) -> Limit:
    """Return the limit that a figure must not exceed."""
    return Limit(value, at_least=False)


@dataclass(frozen=True)
class Finding:
    """One line of the table: a figure, measured once in each round."""

    row: str
    what: str
    figures: tuple[float, ...]
    unit: str
    """`x` for a ratio, `us`, `s`, `MB`, `/s`."""
    limit: Limit | None = None
    """None for a figure that stands beside the goals so that they can be judged."""

    @property
    def median(self) -> float:
        """The middle round."""
        return median(self.figures)

    @property
    def met(self) -> bool | None:
        """Whether the median is what is wanted; None when nothing is."""
        return None if self.limit is None else self.limit.allows(self.median)

    def as_members(self) -> dict[str, Any]:
        """Return it as the results file keeps it."""
        return asdict(self) | {
            "median": self.median,
            "lowest": min(self.figures),
            "highest": max(self.figures),
            "met": self.met,
        }
