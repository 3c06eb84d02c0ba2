"""What would take a rollout back: all of it, also what its actions do not say."""

from __future__ import annotations

import pytest

from sark_api.names import ARM_BASELINE, ARM_NEW
from sark_api.spec import Action, SarkRolloutSpec
from sark_api.status import Phase
from sark_e2e.simulated_target import SimulatedTarget, arm
from sark_operator.core.alerts import FiringAlert
from sark_operator.core.ways_back import ways_back

LOCKED_OUT = (
    "denyShift beyond 4 times the odds though its action is Hold, with nine in ten or more refused, and half or less by the "
    "baseline, both with 99.9% confidence"
)


def acting(target: SimulatedTarget, criterion: str, action: Action) -> SarkRolloutSpec:
    """Let a breach of `criterion` do `action`, and evaluate."""
    settings = getattr(target.spec.criteria, criterion).model_copy(update={"action": action})
    target.ask(criteria=target.spec.criteria.model_copy(update={criterion: settings}))
    target.tick(2)
    return target.spec


@pytest.mark.parametrize(
    ("action", "named", "besides"), [(Action.REVERT, True, False), (Action.HOLD, False, True), (Action.WARN, False, False)]
)
def test_an_arm_that_refuses_nearly_everything_is_named_where_it_goes_back_in_spite_of_hold(
    baking: SimulatedTarget, action: Action, named: bool, besides: bool
) -> None:
    ways = ways_back(acting(baking, "deny_shift", action), baking.status)

    assert (("denyShift", "4 times the odds") in ways.criteria) == named
    assert (LOCKED_OUT in ways.besides) == besides


@pytest.mark.parametrize("limit", [400, 100_000])
@pytest.mark.parametrize(("refused", "beside"), [(990, 100), (990, 700), (800, 100)])
def test_what_is_named_is_what_happens(baking: SimulatedTarget, limit: int, refused: int, beside: int) -> None:
    # Given a denyShift that holds
    acting(baking, "deny_shift", Action.HOLD)
    criteria = baking.spec.criteria
    settings = criteria.deny_shift.model_copy(update={"limit_percent_of_odds": limit})
    baking.ask(criteria=criteria.model_copy(update={"deny_shift": settings}))

    # When the new arm refuses much of what the baseline permits
    baking.arms = {ARM_NEW: arm(refusals=refused), ARM_BASELINE: arm(refusals=beside)}
    for _ in range(4):
        baking.tick(2)

    # Then it goes back when nine in ten are refused, half at most by the baseline, and the limit is broken, and only then
    back = baking.status.phase in (Phase.REVERTING, Phase.REVERTED)
    assert back == (refused > 900 and beside < 500 and limit == 400)


@pytest.mark.parametrize(
    ("action", "clause"),
    [
        (Action.HOLD, "an alert about it, when its label sark_action says Revert"),
        (Action.WARN, "an alert about it, when its label sark_action says Revert"),
        (Action.REVERT, "an alert about it, unless its label sark_action says Hold or Warn"),
    ],
)
def test_an_alert_is_named_by_what_its_label_may_say(baking: SimulatedTarget, action: Action, clause: str) -> None:
    ways = ways_back(acting(baking, "alerts", action), baking.status)

    assert clause in ways.besides
    assert not [name for name, _ in ways.criteria if name == "alerts"]


def test_an_alert_whose_label_says_revert_takes_it_back_though_alerts_only_hold(baking: SimulatedTarget) -> None:
    acting(baking, "alerts", Action.HOLD)
    baking.alerts = (FiringAlert.of({"alertname": "Odd", "sark_rollout": "shop/gateway", "sark_action": "Revert"}),)

    assert baking.tick(2).status.phase is Phase.REVERTING
