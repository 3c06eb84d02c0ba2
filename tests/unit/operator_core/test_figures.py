from __future__ import annotations

from datetime import timedelta

import pytest

from sark_operator.core.figures import apart, count, mebibytes_per_hour, milliseconds, percents, progress, span


@pytest.mark.parametrize(
    ("done", "needed", "text"),
    [
        (timedelta(hours=31, minutes=59), timedelta(hours=48), "31h/48h"),
        (timedelta(seconds=9.9), timedelta(seconds=15), "9s/15s"),
        (timedelta(minutes=4), timedelta(minutes=10), "4m/10m"),
        (timedelta(minutes=4), timedelta(seconds=301), "240s/301s"),
        (timedelta(0), timedelta(hours=1), "0m/60m"),
        (timedelta(seconds=20), timedelta(0), "20s/0s"),
    ],
)
def test_progress_is_told_in_one_unit(done: timedelta, needed: timedelta, text: str) -> None:
    assert progress(done, needed) == text


def test_different_numbers_look_different() -> None:
    assert percents(0.12, 0.01) == ("12.0%", "1.0%")
    assert percents(0.01004, 0.01) == ("1.004%", "1.000%")
    assert apart(1.0, 1.0, " x") == ("1.0 x", "1.0 x")
    assert mebibytes_per_hour(2049, 2048) == ("2.001 MiB/h", "2.000 MiB/h")


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.0075, "7.50 ms"), (0.012345, "12.3 ms"), (0.25, "250 ms"), (2.5, "2500 ms"), (0.00004, "0.040 ms")]
)
def test_milliseconds_have_three_digits(seconds: float, text: str) -> None:
    assert milliseconds(seconds) == text


def test_a_started_second_is_still_left() -> None:
    assert span(timedelta(seconds=0.2)) == "1s"
    assert span(timedelta(0)) == "0s"


def test_counts_take_a_plural() -> None:
    assert (count(1, "pod"), count(1204.9, "request"), count(0, "pod")) == ("1 pod", "1,204 requests", "0 pods")
