"""What must hold of the conditions."""

from __future__ import annotations

from sark_api.conditions import CONDITIONS
from sark_api.reasons import REASONS
from sark_api.status import ConditionStatus

from .moment import Moment


def check_conditions(moment: Moment) -> None:
    """Every condition and reason is in its table, and none is Unknown where the table says that it never is."""
    assert [condition.type for condition in moment.after.conditions] == list(CONDITIONS)
    for condition in moment.after.conditions:
        assert condition.reason in REASONS
        assert condition.status is not ConditionStatus.UNKNOWN or CONDITIONS[condition.type].unknown
