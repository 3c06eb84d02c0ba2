"""Why a rollout is where it is, as text."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from sark_cli.explanation import diagnose, explain
from sark_cli.rollout import Rollout
from sark_cli.times import clock


def test_a_revert_is_explained_with_its_criterion_its_times_and_its_history(reverted: Rollout):
    text = explain(reverted, clock)
    assert "shop/gateway is Reverted (CriterionBreached): Reverted from 25%: errorRate 4.2% > 1%" in text
    assert "criterion   errorRate" in text
    assert "from        25%, decided at 12:00:03.5" in text
    assert "restored    12:00:04.7, seen by the operator 1.2 s after the decision" in text
    assert "12:00:03.5  25% -> 0%     CriterionBreached   operator      flag revision 9" in text


def test_a_revert_that_is_not_over_is_said_not_to_be(reverted: Rollout):
    assert reverted.status.revert is not None
    under_way = reverted.status.revert.model_copy(update={"completed_at": None, "criterion": ""})
    text = explain(replace(reverted, status=reverted.status.model_copy(update={"revert": under_way})))
    assert "criterion   none: CriterionBreached" in text
    assert "restored    not yet confirmed by every sidecar" in text


def test_a_diagnosis_adds_verdicts_and_conditions_that_are_not_as_they_should_be(reverted: Rollout):
    text = diagnose(reverted)
    assert "\n  errorRate 4.2% > 1% over 5s (512 requests)\n" in text
    assert "condition CriteriaMet is False (CriteriaBreached): errorRate 4.2%" in text


def test_a_diagnosis_of_a_rollout_nobody_has_looked_at_says_so(make_rollout: Callable[[], Rollout]):
    text = diagnose(make_rollout())
    assert "shop/gateway is Pending (no reason yet): no status yet" in text
    assert "share none yet, confirmed by -" in text
