"""A criterion of the user's own: one number from PromQL against a limit."""

from __future__ import annotations

from math import isfinite

from sark_api.spec import CustomCriterion
from sark_api.status import CriterionStatus
from sark_operator.core.observation import Missing

from .ruling import Ruling


def judge_custom(settings: CustomCriterion, value: float | Missing | None) -> CriterionStatus:
    """Return Breach when `value` is above the limit; None means that the query was not answered."""
    ruling = Ruling(settings.name, settings.action, settings.query)
    limit = settings.max
    if value is None:
        return ruling.unknown("its query has not been answered", limit=limit)
    if isinstance(value, Missing):
        return ruling.unknown(value.message, limit=limit)
    if not isfinite(value):
        return ruling.unknown(f"its query gave {value}, which is not a number to compare", limit=limit)
    breach = value > float(limit)
    text = f"{value:.6g}" if f"{value:.6g}" != limit or value == float(limit) else repr(value)
    return ruling.measured(
        breach=breach, message=f"{text} {'>' if breach else '<='} {limit}", value=text, limit=limit, samples=1
    )
