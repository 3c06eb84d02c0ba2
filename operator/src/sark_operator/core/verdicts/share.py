"""The verdict on a share of requests: what the windows prove, what a single one proves, and what neither does.

Breach: the evidence of all windows is enough, or the present one is far beyond the limit. Undecided, which is Unknown: the
present one is above the limit, or the evidence is considerable. Pass: neither.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from sark_api.status import CriterionStatus
from sark_operator.core.figures import count, percents
from sark_operator.core.sequential.bounds import wilson
from sark_operator.core.sequential.catastrophe import floor_of, proven_beyond
from sark_operator.core.sequential.fractions import NOTHING, Counts, limit_beside

from .ruling import Ruling

_FLOOR: Final = "far beyond the limit"


@dataclass(frozen=True, slots=True)
class Share:
    """What the arms have shown in criteria.window."""

    found: Counts
    """The new arm's."""
    limit: float
    """0 to 1."""
    baseline: Counts = NOTHING
    """The same of the baseline arm; nothing where there is none to compare with."""
    noun: str = "request"
    """What is counted."""


def judge_share(
    ruling: Ruling,
    share: Share,
    sentence: Callable[[str, str, str], str],
    *,
    value: str = "",
    limit: str = "",
    warning: str = "",
) -> CriterionStatus:
    """Return the verdict on `share`.

    `sentence` turns the share, a sign and the limit into words; `value` and `limit` are shown instead of the two shares.
    """
    found, weight = share.found, ruling.weight
    above = found.share > share.limit
    value_text, limit_text = percents(found.share, share.limit)
    said = sentence(value_text, ">" if above else "<=", limit_text)
    lower = wilson(found.hits, found.total)[0] if found.total > 0 else 0.0
    bound = percents(lower, share.limit)[0]
    value, limit = value or value_text, limit or limit_text
    suffered = limit_beside(share.limit, share.baseline)
    beyond = proven_beyond(found.hits, found.total, max(floor_of(share.limit), suffered)) if found.total > 0 else None
    if weight.proven:
        so_far = f"{percents(weight.hits / max(1, weight.samples), share.limit)[0]} of {count(weight.samples, share.noun)}"
        why = f"{said}, {weight.clause} ({so_far})"
        return ruling.measured(
            breach=True, message=why, value=value, limit=limit, samples=found.total, warning=warning, bound=bound
        )
    if beyond is not None and weight.seasoned and found.total >= ruling.min_samples:
        why = f"{said}, at least {bound} with 99.9% confidence, {_FLOOR}"
        return ruling.measured(
            breach=True, message=why, value=value, limit=limit, samples=found.total, warning=warning, bound=bound
        )
    if above or weight.quiet or weight.doubtful:
        why = f"{said}, {'not proven:' if above or not weight.quiet else 'but'} {weight.clause}"
        if suffered > share.limit:
            why += f"; the baseline has {percents(share.baseline.share, share.limit)[0]} in the same time"
        return ruling.undecided(why, value=value, limit=limit, samples=found.total, bound=bound)
    return ruling.measured(
        breach=False, message=said, value=value, limit=limit, samples=found.total, warning=warning, bound=bound
    )
