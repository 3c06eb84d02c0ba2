"""Times by random layouts: what the engine reads and writes is what OPA does with Go's library."""

from __future__ import annotations

import random
from typing import Any, Final

import pytest
from sark_engine import Engine, Policies

from sark_e2e.differential.calls import calls, told
from sark_e2e.differential.comparison import Comparison

PARTS: Final = (
    "January", "Jan", "1", "01", "Monday", "Mon", "2", "_2", "02", "__2", "002", "15", "3", "03", "4", "04", "5", "05", "2006",
    "06", "PM", "pm", "MST", "Z0700", "Z070000", "Z07", "Z07:00", "Z07:00:00", "-0700", "-070000", "-07", "-07:00", "-07:00:00",
    ".000", ",000000", ".999", ",999999999", ".0", ".00000000000", "2006-01-02", "15:04:05",
)  # fmt: skip
BETWEEN: Final = ("", "", "-", "/", ":", " ", "  ", "T", ".", ",", "_", "x", "é", "0", "9", "a")
TIMES: Final = (
    0, -1, 1_709_251_199_123_456_789, 951_827_696_000_000_000, 1_000_000_000_100_000_000, 1_735_732_799_999_999_999, 2**63 - 1,
    -(2**63), 1_711_846_800_000_000_000, 1_729_990_800_000_000_000,
)  # fmt: skip
ZONES: Final = ("", "UTC", "Europe/Berlin", "America/St_Johns", "Asia/Kolkata", "Africa/Monrovia", "Nowhere", "Local")


def layout(chance: random.Random) -> str:
    """Return a few parts of a layout with or without something between them."""
    return "".join(chance.choice(PARTS) + chance.choice(BETWEEN) for _ in range(chance.randint(1, 6)))


def bent(text: str, chance: random.Random) -> str:
    """Return `text`, mostly with one character dropped, doubled or replaced."""
    at = chance.randrange(len(text) + 1)
    there = text[at : at + 1]
    return text[:at] + chance.choice([there, "", there * 2, " ", "0", "1", "9", "+", ".", there.swapcase()]) + text[at + 1 :]


@pytest.mark.parametrize("seed", range(3))
def test_times_are_written_as_opa_writes_them(seed: int, comparison: Comparison):
    chance = random.Random(seed)
    rows: list[list[Any]] = [[[chance.choice(TIMES), chance.choice(ZONES), layout(chance)]] for _ in range(1_500)]

    result = comparison.compare(calls("times", ["time.format"], rows))

    assert not result.disagreements, told(result.disagreements)
    assert result.equal > 700


@pytest.mark.parametrize("seed", range(3))
def test_times_are_read_as_opa_reads_them(seed: int, comparison: Comparison):
    chance = random.Random(seed)
    writer = Engine(Policies([("w.rego", "package w\n\ntext := time.format(input)")]))
    rows: list[list[Any]] = []
    while len(rows) < 1_500:
        chosen = layout(chance)
        text = str(writer.evaluate_object("w/text", [chance.choice(TIMES), "UTC", chosen]))
        rows += [[chosen, text], [chosen, bent(text, chance)]]

    result = comparison.compare(calls("times", ["time.parse_ns"], rows))

    assert not result.disagreements, told(result.disagreements)
    assert result.equal > 100


def test_differences_are_counted_as_opa_counts_them(comparison: Comparison):
    chance = random.Random(0)

    def moment() -> list[Any]:
        return [chance.choice([*TIMES, chance.randrange(0, 2**61)]), chance.choice(ZONES)]

    result = comparison.compare(calls("times", ["time.diff"], [[moment(), moment()] for _ in range(1_500)]))

    assert not result.disagreements, told(result.disagreements)
    assert result.equal > 300
