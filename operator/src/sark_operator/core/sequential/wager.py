"""A bet against "this fraction is not above its limit", played once per window.

Each window brings a fraction y between 0 and 1, errors of requests say, and a limit p. A player who stakes the part c of a
capital on "y is above p" has 1 + c * (y / p - 1) times as much afterwards. As long as the fraction is expected to be at most p,
whatever happened before and however errors cling together inside a window, the capital is not expected to grow; by Ville's
inequality it ever reaches 1/alpha with probability alpha at most. So it may be looked at after every window, for ever, and the
capital is the evidence: 700 means 700 to 1.

How bold a bet is best depends on how bad things are, and when they begin. So the capital lies in pools with bets from timid to
bold, and one that does not bet. After each window every pool gives a small part to be spread over all of them anew: without it
two good days would ruin all that bet, and trouble on the third day would go unseen for hours. Moving one's own money between
pools before the next window is known is fair play, so the promise stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, floor, log
from typing import Final

BETS: Final = (0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.7, 0.9)
"""Part of its own capital each pool stakes. Below 1, so that no window can ruin one."""
_IDLE: Final = 0.5
_SHARES: Final = (_IDLE, *((1 - _IDLE) / len(BETS) for _ in BETS))
POOLS: Final = len(_SHARES)
RESPREAD: Final = 1 / 50_000
"""Part of the capital spread anew after each window: about one over the windows of a long rollout."""
STEP_RESPREAD: Final = 0.1
"""Part spread anew when a step begins: that is when trouble is likeliest to start."""
_MICRO: Final = 1_000_000

Pools = tuple[int, ...]
"""Capital of each pool as its natural logarithm in millionths, the one that does not bet first. Rounded down, so that the
rounding never adds evidence; whole numbers, so that the next operator goes on from exactly the same."""


def opening() -> Pools:
    """Return the pools of a test that has seen nothing; together they hold 1."""
    return _stored(_SHARES)


def played(pools: Pools, fraction: float, limit: float, *, most: float) -> Pools:
    """Return the pools after a window with `fraction` (0 to 1), which is held against `limit` (above 0).

    What the pools hold together is cut to `most`: it is more than is needed, and would take as long to lose again.
    """
    gain = max(0.0, fraction) / limit - 1
    idle, *betting = _capitals(pools)
    capitals = [idle, *(capital * (1 + bet * gain) for capital, bet in zip(betting, BETS, strict=True))]
    total = sum(capitals)
    cut = min(1.0, most / total)
    return _stored(_spread([capital * cut for capital in capitals], total * cut, RESPREAD))


def stirred(pools: Pools) -> Pools:
    """Return the pools at the beginning of a step."""
    capitals = _capitals(pools)
    return _stored(_spread(capitals, sum(capitals), STEP_RESPREAD))


def evidence(pools: Pools) -> float:
    """Return what the pools hold together: x stands for evidence of x to 1 that the limit is not kept."""
    return sum(_capitals(pools))


def _spread(capitals: Sequence[float], total: float, part: float) -> list[float]:
    return [capital * (1 - part) + total * part * share for capital, share in zip(capitals, _SHARES, strict=True)]


def _capitals(pools: Pools) -> list[float]:
    return [exp(pool / _MICRO) for pool in pools]


def _stored(capitals: Sequence[float]) -> Pools:
    return tuple(floor(log(capital) * _MICRO) for capital in capitals)
