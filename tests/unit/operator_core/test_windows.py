from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from sark_api.names import ARM_BASELINE, ARM_NEW
from sark_api.spec import Window
from sark_e2e.simulated_target import SimulatedTarget, arm
from sark_operator.core.windows import UnknownZoneError, is_open, opens_at


def window(days: str, start: str, end: str, zone: str = "UTC") -> Window:
    return Window.model_validate({"days": days.split(), "start": start, "end": end, "timeZone": zone})


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


OFFICE = window("Mon Tue Wed Thu", "09:00", "16:30", "Europe/Berlin")
NIGHT = window("Fri", "22:00", "04:00")


@pytest.mark.parametrize(
    ("rule", "now", "is_in"),
    [
        (OFFICE, "2026-01-05T08:00", True),  # Monday 09:00 in Berlin
        (OFFICE, "2026-01-05T07:59", False),
        (OFFICE, "2026-01-05T15:29", True),
        (OFFICE, "2026-01-05T15:30", False),
        (OFFICE, "2026-07-06T07:00", True),  # summer time
        (OFFICE, "2026-01-09T10:00", False),  # Friday
        (NIGHT, "2026-01-09T23:00", True),
        (NIGHT, "2026-01-10T03:59", True),  # Saturday, still Friday's night
        (NIGHT, "2026-01-09T03:00", False),  # Thursday's
        (window("Sat", "00:00", "00:00"), "2026-01-10T23:59", True),
        (window("Sat", "00:00", "00:00"), "2026-01-11T00:00", False),
        (window("Sun", "02:30", "04:30", "Europe/Berlin"), "2026-03-29T01:29", False),  # 02:30 does not exist
        (window("Sun", "02:30", "04:30", "Europe/Berlin"), "2026-03-29T01:30", True),  # it opens at 03:30
        (window("Sun", "02:30", "04:30", "Europe/Berlin"), "2026-03-29T02:30", False),
        (window("Mon", "00:00", "01:00", "Pacific/Kiritimati"), "2026-01-04T10:30", True),  # 14 hours ahead
        (window("Sun", "23:00", "23:59", "Pacific/Pago_Pago"), "2026-01-05T10:30", True),  # 11 hours behind
    ],
)
def test_a_window_is_local_time(rule: Window, now: str, is_in: bool) -> None:
    assert is_open([rule], at(now)) is is_in


@pytest.mark.parametrize(
    ("rules", "now", "opens"),
    [
        ([OFFICE], "2026-01-09T10:00", "2026-01-12T08:00"),
        ([OFFICE], "2026-01-05T07:59", "2026-01-05T08:00"),
        ([OFFICE, NIGHT], "2026-01-09T10:00", "2026-01-09T22:00"),
        ([NIGHT], "2026-01-09T22:00", "2026-01-16T22:00"),
        ([window("Sat", "09:00", "10:00", "Europe/Berlin")], "2026-03-21T09:30", "2026-03-28T08:00"),
    ],
)
def test_the_next_opening_is_told(rules: list[Window], now: str, opens: str) -> None:
    assert opens_at(rules, at(now)) == at(opens)


def test_without_windows_it_is_always_open() -> None:
    assert is_open([], at("2026-01-05T00:00"))
    assert opens_at([], at("2026-01-05T00:00")) is None


def test_a_zone_nobody_knows_is_said() -> None:
    with pytest.raises(UnknownZoneError, match="Mars/Olympus"):
        is_open([window("Mon", "09:00", "10:00", "Mars/Olympus")], at("2026-01-05T09:30"))


def test_outside_its_windows_a_rollout_bakes_but_does_not_advance(baking: SimulatedTarget) -> None:
    # Given a window that opens an hour later; it is 12:00 on a Thursday
    baking.ask(windows=[window("Thu", "13:30", "14:00")])
    baking.run(60)
    assert (baking.percent, baking.status.reason) == (25, "OutsideWindow")
    assert baking.status.message.endswith("outside every window; the next one opens at 2026-01-01T13:30:00Z")
    assert baking.status.bake is not None
    assert baking.status.bake.proven_milliseconds >= 60_000
    # When it opens
    baking.run(7200 - 60, every=30)
    # Then it goes on
    assert baking.percent > 25


def test_a_rollout_does_not_start_outside_its_windows(target: SimulatedTarget) -> None:
    target.ask(windows=[window("Fri", "09:00", "10:00")])
    target.run(10)
    assert (target.written, target.status.reason) == ([], "OutsideWindow")


def test_an_unknown_zone_holds_and_is_named(baking: SimulatedTarget) -> None:
    baking.ask(windows=[window("Thu", "00:00", "00:00", "Mars/Olympus")])
    baking.run(30)
    assert baking.percent == 25
    assert "does not know the time zone Mars/Olympus" in baking.status.message


def test_a_breach_reverts_outside_every_window(baking: SimulatedTarget) -> None:
    baking.ask(windows=[window("Fri", "09:00", "10:00")])
    baking.run(20)
    baking.arms = {ARM_NEW: arm(1000, 500), ARM_BASELINE: arm()}
    baking.tick(1)
    assert baking.percent == 0


def test_a_clock_jump_past_the_window_does_not_open_it(baking: SimulatedTarget) -> None:
    baking.ask(windows=[window("Thu", "12:00", "12:05")])
    baking.tick(timedelta(hours=1).total_seconds())
    baking.run(30)
    assert (baking.percent, baking.status.reason) == (25, "OutsideWindow")
