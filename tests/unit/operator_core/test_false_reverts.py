"""The promise on whole bakes, in small: `make false-reverts` is the same in large."""

from __future__ import annotations

import pytest

from sark_e2e.false_reverts.__main__ import delays, false_reverts
from sark_e2e.false_reverts.arms import BAKE, PER_MINUTE, Arms


@pytest.mark.parametrize("arms", [Arms(100, 0.009, 0.02), Arms(300, 0.002, 0.02), Arms(300, 0.002, 0.005, shock_rate=0.2)])
def test_a_healthy_bake_is_not_taken_back_where_a_plain_threshold_would(arms: Arms) -> None:
    taken = false_reverts(arms, runs=4, seed=3, length=BAKE // 2)

    assert taken.plainly >= 0.5
    assert taken.operator == taken.by_evidence == 0


@pytest.mark.parametrize(("rate", "minutes"), [(0.02, 120), (0.05, 20), (0.3, 3), (1.0, 1)])
def test_a_bad_arm_is_taken_back_in_time_after_six_good_hours(rate: float, minutes: float) -> None:
    found = delays(Arms(300, rate, 0.005), Arms(300, 0.002, 0.005), 6 * 60 * PER_MINUTE, runs=6, seed=3)

    assert max(found) <= minutes
