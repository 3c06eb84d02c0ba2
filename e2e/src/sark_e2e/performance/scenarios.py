"""The report's load scenarios: users, how fast they come, how long they stay; each asks twice a second."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

PER_USER: Final = 2.0
"""Questions a second of one user: what users and rates of the report have to each other (100/50, 2,000/1,000, 5,000/2,500)."""
DEFAULT_SCALE: Final = 1 / 60
SHORTEST_SECONDS: Final = 10.0


@dataclass(frozen=True)
class Scenario:
    """One load."""

    name: str
    users: int
    spawn_rate: float
    """Users that come each second."""
    minutes: float
    asked: str = "mixed"
    """Kind of questions, of `asked.KINDS`."""

    @property
    def rate(self) -> float:
        """Questions a second when all users are there."""
        return self.users * PER_USER

    def seconds(self, scale: float) -> float:
        """Return how long it takes at a scale of 0 to 1: never less than ten seconds."""
        return min(self.minutes * 60, max(self.minutes * 60 * scale, SHORTEST_SECONDS))

    def ramp(self, scale: float) -> float:
        """Return in how many seconds all users have come: as planned, but at most a third of a shortened run."""
        return min(self.users / self.spawn_rate, self.seconds(scale) / 3)


SCENARIOS: Final = {
    each.name: each
    for each in (
        Scenario("baseline", users=50, spawn_rate=5, minutes=30),
        Scenario("target", users=1_000, spawn_rate=100, minutes=30),
        Scenario("stress", users=2_500, spawn_rate=250, minutes=10),
        Scenario("spike", users=1_500, spawn_rate=500, minutes=5),
        Scenario("soak", users=500, spawn_rate=50, minutes=120),
        Scenario("cache-hit", users=500, spawn_rate=50, minutes=10, asked="hit"),
        Scenario("cache-miss", users=200, spawn_rate=20, minutes=10, asked="miss"),
        Scenario("complex", users=300, spawn_rate=30, minutes=10, asked="complex"),
    )
}
IN_LOCUST: Final = ("baseline", "target", "stress")
"""The report's own three are put by Locust too."""
