"""Zones of time: the engine's tables, which are compiled in, say what those of Go say, in every zone and around its changes."""

from __future__ import annotations

import random
import zoneinfo
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sark_e2e.differential.calls import calls, told
from sark_e2e.differential.comparison import Comparison

LAYOUT: Final = "2006-01-02T15:04:05-07:00:00"
FIRST: Final = datetime(1970, 1, 2, tzinfo=UTC)
LAST: Final = datetime(2036, 12, 1, tzinfo=UTC)
"""Outside of these years times with a zone are left to the baseline."""
STEP: Final = timedelta(days=28)
CHANGES_EACH: Final = 3


def changes(zone: zoneinfo.ZoneInfo) -> list[tuple[datetime, datetime]]:
    """Return between which two moments the zone's clocks change, for each change that lasts for at least a month."""
    moments = [FIRST + STEP * number for number in range((LAST - FIRST) // STEP)]
    offsets = [moment.astimezone(zone).utcoffset() for moment in moments]
    pairs = zip(moments, moments[1:], offsets, offsets[1:], strict=False)
    return [(before, after) for before, after, old, new in pairs if old != new]


def first_after(zone: zoneinfo.ZoneInfo, before: datetime, after: datetime) -> datetime:
    """Return the first second between both at which the zone's offset is that of `after`."""
    wanted = after.astimezone(zone).utcoffset()
    while after - before > timedelta(seconds=1):
        middle = before + timedelta(seconds=(after - before) // timedelta(seconds=2))
        before, after = (before, middle) if middle.astimezone(zone).utcoffset() == wanted else (middle, after)
    return after


def moments(name: str, chance: random.Random) -> Iterator[int]:
    """Yield seconds since 1970: the last and the first one around some of the zone's changes, and one at random."""
    zone = zoneinfo.ZoneInfo(name)
    found = changes(zone)
    for before, after in chance.sample(found, min(CHANGES_EACH, len(found))):
        change = int(first_after(zone, before, after).timestamp())
        yield from (change - 1, change)
    yield chance.randrange(int(FIRST.timestamp()), int(LAST.timestamp()))


def test_every_zone_is_what_it_is_to_opa(comparison: Comparison):
    chance = random.Random(0)
    zones = sorted(zoneinfo.available_timezones())
    rows: list[list[Any]] = [[[second * 10**9, zone, LAYOUT]] for zone in zones for second in moments(zone, chance)]

    result = comparison.compare(calls("zones", ["time.format"], rows))

    assert not result.disagreements, told(result.disagreements)
    assert result.equal > 2_000
