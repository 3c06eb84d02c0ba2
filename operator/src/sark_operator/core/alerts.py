"""Alerts that fire somewhere else: which of them are about a rollout, and what each one does."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from operator import and_
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


class FiringAlerts:
    """All alerts that fire, found by whom they are about: thousands may fire, and every rollout asks for its own."""

    def __init__(self, alerts: Iterable[FiringAlert] = ()) -> None:
        """Take them in any order."""
        self._by_label: defaultdict[tuple[str, str], list[FiringAlert]] = defaultdict(list)
        """Each alert under each of its labels."""
        for alert in sorted(alerts, key=_labels):
            for label in alert.labels:
                self._by_label[label].append(alert)

    def about(self, rollout: str, settings: Alerts) -> tuple[FiringAlert, ...]:
        """Return those about `rollout` (namespace/name), as `is_about` has it, in a stable order."""
        named = self._by_label.get((LABEL_ROLLOUT, rollout), [])
        if not settings.match_labels:
            return tuple(named)
        found = {*named, *self._carrying(frozenset(settings.match_labels.items()))}
        return tuple(sorted(found, key=_labels))

    def _carrying(self, labels: frozenset[tuple[str, str]]) -> Iterator[FiringAlert]:
        """Yield those that carry all of `labels`: among those that carry the rarest of them."""
        fewest = min((self._by_label.get(label, []) for label in labels), key=len)
        return (alert for alert in fewest if labels.issubset(alert.labels))


class AlertIndex:
    """Alerts by their labels, to be asked by thousands of rollouts whether any of a thousand is about them.

    For each label there is a number that has a bit for every alert which carries it. So what a rollout costs does not grow with
    how many alerts carry some of what it asks for.
    """

    def __init__(self, alerts: Iterable[Mapping[str, str]]) -> None:
        """Take the labels of each."""
        self._carrying: defaultdict[tuple[str, str], int] = defaultdict(int)
        for place, labels in enumerate(alerts):
            for label in labels.items():
                self._carrying[label] |= 1 << place

    def concerns(self, rollout: str, settings: Alerts) -> bool:
        """Return whether one of them is about `rollout` (namespace/name), as `is_about` has it."""
        if (LABEL_ROLLOUT, rollout) in self._carrying:
            return True
        carrying = [self._carrying.get(label, 0) for label in settings.match_labels.items()]
        return bool(carrying) and reduce(and_, carrying) != 0


def _labels(alert: FiringAlert) -> tuple[tuple[str, str], ...]:
    return alert.labels


def action_of(alert: FiringAlert, settings: Alerts) -> Action:
    """Return what an alert does: what its own label says, else what the rollout's settings say.

    A label that says nothing known does what the settings say: a spelling mistake must not disarm an alert.
    """
    return _ACTIONS.get(alert.label(LABEL_ALERT_ACTION).lower(), settings.action)


def gravest_first(alerts: Iterable[FiringAlert], settings: Alerts) -> list[FiringAlert]:
    """Return the alerts, those that do the most first."""
    return sorted(alerts, key=lambda alert: (_GRAVITY.index(action_of(alert, settings)), alert.labels))
