"""Alerts that fire somewhere else: which of them are about a rollout, and what each one does."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from sark_api.names import LABEL_ALERT_ACTION, LABEL_ROLLOUT
from sark_api.spec import Action, Alerts

_GRAVITY: Final = (Action.REVERT, Action.HOLD, Action.WARN)
_ACTIONS: Final = {action.lower(): action for action in Action}


@dataclass(frozen=True, slots=True)
class FiringAlert:
    """One alert that fires, by its labels."""

    labels: tuple[tuple[str, str], ...]
    """Pairs of (name, value), by name."""

    @classmethod
    def of(cls, labels: Mapping[str, str]) -> FiringAlert:
        """Return the alert with these labels."""
        return cls(tuple(sorted(labels.items())))

    def label(self, name: str) -> str:
        """Return the value of a label; nothing when the alert has none of that name."""
        return next((value for key, value in self.labels if key == name), "")


def is_about(rollout: str, settings: Alerts, labels: Mapping[str, str]) -> bool:
    """Return whether an alert with `labels` is about `rollout` (namespace/name).

    It is when it names the rollout, or when it carries every label that `settings` asks for.
    """
    if labels.get(LABEL_ROLLOUT) == rollout:
        return True
    return bool(settings.match_labels) and all(labels.get(name) == value for name, value in settings.match_labels.items())


def matching(rollout: str, settings: Alerts, alerts: Iterable[FiringAlert]) -> tuple[FiringAlert, ...]:
    """Return the alerts about `rollout`, in a stable order."""
    return tuple(sorted((each for each in alerts if is_about(rollout, settings, dict(each.labels))), key=lambda it: it.labels))


def action_of(alert: FiringAlert, settings: Alerts) -> Action:
    """Return what an alert does: what its own label says, else what the rollout's settings say.

    A label that says nothing known does what the settings say: a spelling mistake must not disarm an alert.
    """
    return _ACTIONS.get(alert.label(LABEL_ALERT_ACTION).lower(), settings.action)


def gravest_first(alerts: Iterable[FiringAlert], settings: Alerts) -> list[FiringAlert]:
    """Return the alerts, those that do the most first."""
    return sorted(alerts, key=lambda alert: (_GRAVITY.index(action_of(alert, settings)), alert.labels))
