"""When a bundle server is asked again."""

from __future__ import annotations

from sark_sidecar.policies.bundle.schedule import Schedule

SCHEDULE = Schedule(min_delay=60, max_delay=120)


def test_a_fleet_spreads_its_requests_over_the_whole_span():
    pauses = [SCHEDULE.after_success() for _ in range(2000)]
    assert min(pauses) >= 60
    assert max(pauses) <= 120
    assert len({round(pause) for pause in pauses}) > 50


def test_pauses_grow_with_the_failures_and_end_at_the_longest_one():
    assert SCHEDULE.after_failures(1) < 0.2
    assert 80 <= SCHEDULE.after_failures(15) <= 144
    assert 96 <= SCHEDULE.after_failures(10_000) <= 144
    grown = [min(SCHEDULE.after_failures(count) for _ in range(50)) for count in (1, 4, 8, 12)]
    assert grown == sorted(grown)
