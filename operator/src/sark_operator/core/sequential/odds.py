"""Odds, which compare rates near 0 and near 1 alike."""

from __future__ import annotations


def shifted(share: float, times: float) -> float:
    """Return the share (0 to 1) whose odds are `times` those of `share`.

    >>> round(shifted(0.5, 4), 2)
    0.8
    """
    return times * share / (1 - share + times * share)
