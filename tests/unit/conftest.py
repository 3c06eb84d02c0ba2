"""Rollouts made up for the tests of what is told about them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sark_cli.rollout import Rollout

_SPEC: dict[str, Any] = {
    "target": {"matchLabels": {"app": "gateway"}, "flagsConfigMap": "gateway-flags"},
    "prometheus": {"address": "http://prometheus:9090"},
    "steps": [{"percent": 25, "bake": "5m"}, {"percent": 100, "bake": "5m"}],
}
_SENTENCE = "errorRate 4.2% > 1% over 5s (512 requests)"
_BREACH = {
    "name": "errorRate",
    "verdict": "Breach",
    "action": "Revert",
    "value": "4.2%",
    "limit": "1%",
    "samples": 512,
    "message": _SENTENCE,
}
_REVERT = {
    "reason": "CriterionBreached",
    "criterion": "errorRate",
    "message": f"Reverted from 25%: {_SENTENCE}",
    "fromPercent": 25,
    "decidedAt": "2026-01-01T12:00:03.500Z",
    "revision": 9,
    "completedAt": "2026-01-01T12:00:04.700Z",
}
_ENTRY = {
    "time": "2026-01-01T12:00:03.500Z",
    "actor": "operator",
    "reason": "CriterionBreached",
    "fromPercent": 25,
    "toPercent": 0,
    "revision": 9,
    "message": f"Reverted from 25%: {_SENTENCE}",
}

MakeRollout = Callable[..., Rollout]


@pytest.fixture
def make_rollout() -> MakeRollout:
    """Return shop/gateway with a status given in its wire form."""

    def make(**status: Any) -> Rollout:
        return Rollout.from_object({"metadata": {"namespace": "shop", "name": "gateway"}, "spec": _SPEC, "status": status})

    return make


@pytest.fixture
def reverted(make_rollout: MakeRollout) -> Rollout:
    """A rollout that went back from 25% because of errors."""
    return make_rollout(
        phase="Reverted",
        reason="CriterionBreached",
        message=f"Reverted from 25%: {_SENTENCE}",
        criteria=[_BREACH],
        revert=_REVERT,
        history=[_ENTRY],
        conditions=[
            {
                "type": "CriteriaMet",
                "status": "False",
                "reason": "CriteriaBreached",
                "message": _SENTENCE,
                "lastTransitionTime": "2026-01-01T12:00:03Z",
                "observedGeneration": 1,
            }
        ],
    )
