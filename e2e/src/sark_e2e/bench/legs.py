"""The way from a fault to the last sidecar on baseline, cut into legs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import median


@dataclass(frozen=True)
class Instants:
    """When each thing happened in one repetition, in Unix seconds of this machine's one clock."""

    injected: float
    """The fault was switched on."""
    first_bad: float
    """The first request of any sidecar was hurt."""
    visible: float
    """Prometheus was first asked the operator's own question and answered with a breach."""
    decided: float
    """`status.revert.decidedAt`: the operator's clock when it had looked and decided."""
    written: float
    """A watch of the ConfigMap saw the document that asks for 0%."""
    restored: float
    """The last sidecar began to serve 0%, by its own `/flags`."""


LEGS = (
    ("fault switched on -> first bad request", "injected", "first_bad"),
    ("first bad request -> breach visible in Prometheus", "first_bad", "visible"),
    ("breach visible in Prometheus -> revert decided", "visible", "decided"),
    ("revert decided -> flag written", "decided", "written"),
    ("flag written -> last sidecar on baseline", "written", "restored"),
    ("first bad request -> last sidecar on baseline", "first_bad", "restored"),
)
"""What each leg is, and the instants between which it lies. The last is the whole way."""


@dataclass(frozen=True)
class Leg:
    """One leg over all repetitions, in milliseconds."""

    title: str
    milliseconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle one."""
        return median(self.milliseconds)

    @property
    def worst(self) -> float:
        """The longest."""
        return max(self.milliseconds)


def legs(repetitions: Sequence[Instants]) -> list[Leg]:
    """Return every leg, with one number for each repetition.

    A leg can be negative by a few milliseconds: the operator may see a breach between two of the benchmark's own questions.
    """
    times = [asdict(each) for each in repetitions]
    return [Leg(title, tuple((each[end] - each[start]) * 1000 for each in times)) for title, start, end in LEGS]
