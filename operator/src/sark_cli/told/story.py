"""What is told of a rollout, as plain values: both forms of the report are made of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sark_api.evidence import EvidenceRecord
from sark_cli.rollout import Rollout


@dataclass(frozen=True, slots=True)
class Line:
    """What one question to Prometheus answered of one arm or pod."""

    name: str
    points: tuple[tuple[datetime, float], ...]

    @property
    def values(self) -> list[float]:
        """The values alone."""
        return [value for _, value in self.points]


@dataclass(frozen=True, slots=True)
class Chart:
    """Several lines of one unit over the time of the rollout."""

    title: str
    unit: str
    lines: tuple[Line, ...] = ()
    query: str = ""
    missing: str = ""
    """Why there is none, as a sentence; empty when there is."""
    steps: bool = False
    """Whether a value holds until the next one."""


@dataclass(frozen=True, slots=True)
class Story:
    """Everything that is told."""

    rollout: Rollout
    records: tuple[EvidenceRecord, ...]
    told_at: datetime
    charts: tuple[Chart, ...] = ()
    doubts: tuple[str, ...] = field(default=())
    """What the reader must know about the records, as that the chain is broken."""

    @property
    def begins(self) -> datetime:
        """When the first decision was made, or the rollout."""
        return self.records[0].time if self.records else self.rollout.created_at or self.told_at

    @property
    def ends(self) -> datetime:
        """When the report is made: what happened after the last decision belongs to it."""
        return max(self.told_at, self.records[-1].time) if self.records else self.told_at


def share_of(records: Sequence[EvidenceRecord], until: datetime) -> Chart:
    """Return the share of the new arm over time, from the records alone."""
    points = [(record.time, float(record.to_percent)) for record in records]
    if points:
        points.insert(0, (records[0].time, float(records[0].from_percent)))
        points.append((until, points[-1][1]))
    line = (Line("share of the new arm", tuple(points)),) if points else ()
    return Chart("Share of the new arm", "%", line, missing="" if line else "nothing has been decided yet", steps=True)
