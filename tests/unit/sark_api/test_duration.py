from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sark_api.duration import format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("15s", 15), ("5m", 300), ("48h", 172_800), ("1h30m", 5_400), ("1h0m1s", 3_601), ("0s", 0), ("90m", 5_400)],
)
def test_reads_what_people_write(text: str, seconds: int) -> None:
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "15", "s", "1.5h", "-5m", "5m1h", "1d", " 5m", "5 m", "9999999h"])
def test_refuses_anything_else_and_says_what_to_write(text: str) -> None:
    with pytest.raises(ValueError, match="write whole hours, minutes and seconds"):
        parse_duration(text)


@given(st.integers(min_value=0, max_value=10_000_000))
def test_formatting_and_parsing_are_inverse(seconds: int) -> None:
    value = timedelta(seconds=seconds)
    assert parse_duration(format_duration(value)) == value
