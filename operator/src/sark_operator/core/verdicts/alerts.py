"""alerts: whether an alert about the rollout fires."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sark_api.reasons import shorten
from sark_api.spec import Alerts
from sark_api.status import CriterionStatus
from sark_operator.core.alerts import FiringAlert, action_of, gravest_first
from sark_operator.core.figures import count
from sark_operator.core.observation import Missing

from .ruling import Ruling

NAME: Final = "alerts"
_SHOWN: Final = 5
_LONGEST_NAME: Final = 80


def judge_alerts(settings: Alerts, alerts: Sequence[FiringAlert] | Missing, query: str = "") -> CriterionStatus:
    """Return Breach while one of `alerts`, which are those about the rollout, fires; its action is that of the gravest."""
    limit = "none firing"
    if isinstance(alerts, Missing):
        return Ruling(NAME, settings.action, query).unknown(alerts.message, limit=limit)
    if not alerts:
        return Ruling(NAME, settings.action, query).measured(
            breach=False, message="no alert about this rollout fires", value="0", limit=limit, samples=0
        )
    ordered = gravest_first(alerts, settings)
    action = action_of(ordered[0], settings)
    named = ", ".join(_named(alert) for alert in ordered[:_SHOWN])
    more = f" and {len(alerts) - _SHOWN} more" if len(alerts) > _SHOWN else ""
    verb = "fires" if len(alerts) == 1 else "fire"
    return Ruling(NAME, action, query).measured(
        breach=True,
        message=f"{count(len(alerts), 'alert')} {verb}: {named}{more}",
        value=str(len(alerts)),
        limit=limit,
        samples=len(alerts),
    )


def _named(alert: FiringAlert) -> str:
    name, severity = alert.label("alertname") or "an alert without a name", alert.label("severity")
    return shorten(name, _LONGEST_NAME) + (f" ({shorten(severity, _LONGEST_NAME)})" if severity else "")
