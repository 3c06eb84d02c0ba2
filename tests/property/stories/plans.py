"""The plans that the stories follow, and the times of the week in which they may."""

from __future__ import annotations

from datetime import timedelta

from sark_api.spec import Day, Step, StepShadow, Window

PLANS = [(0, 5, 100), (5, 10, 25, 50, 100), (5, 25, 100), (50, 100), (1, 2, 3, 100), (10, 20, 40, 80, 100)]
OFTEN = [Window(days=list(Day), start="00:00", end="00:00")]
NEVER = [Window(days=[Day.MON], start="03:00", end="03:01")]
"""The story begins on a Thursday at noon and does not last until Monday."""


def plan_of(percents: tuple[int, ...], bake: int, *, hold: int = 0, compares: bool = False) -> list[Step]:
    """Return steps with `bake` and `hold` seconds each.

    One of 0 % compares decisions, and the others do where `compares` says so.
    """
    return [
        Step(
            percent=percent,
            bake=timedelta(seconds=bake),
            hold=timedelta(seconds=hold),
            shadow=StepShadow(sample_percent=10 if compares or percent == 0 else 0),
        )
        for percent in percents
    ]
