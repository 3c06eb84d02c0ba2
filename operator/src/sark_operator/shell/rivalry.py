"""Which of two rollouts on one flags ConfigMap holds it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from sark_operator.core.lifecycle import is_terminal
from sark_operator.core.observation import Missing, ObservedFlags
from sark_operator.shell.api import RolloutObject, UnreadableError

_LATEST = datetime.max.replace(tzinfo=UTC)


def find_rival(rollout: RolloutObject, others: Iterable[RolloutObject], flags: ObservedFlags | Missing, now: datetime) -> str:
    """Return namespace/name of the other rollout that holds the target of `rollout`, or nothing when none does.

    The target is the flags ConfigMap: a pod follows one, so that is what two rollouts can share. Among the live ones, the one
    named in the document in force holds it; when none of them is, the oldest does. So a rollout under way is never displaced by
    one that comes later, whatever their names and clocks.

    All that are asked at the same time answer alike, as long as they see the same; where they do not, the resourceVersion of
    the flags lets only one of them write.
    """
    owner = _owner(flags)
    if owner == rollout.key:
        return ""
    target = _target(rollout)
    contenders = [other for other in others if _target(other) == target and _claims(other, owner, now)]
    named = next((other for other in contenders if other.key == owner), None)
    if named is not None:
        return named.key
    first = min([rollout, *contenders], key=_age)
    return "" if first is rollout else first.key


def _owner(flags: ObservedFlags | Missing) -> str:
    document = None if isinstance(flags, Missing) else flags.document
    return document.rollout if document is not None else ""


def _target(rollout: RolloutObject) -> tuple[str, str]:
    """Return namespace and name of the flags ConfigMap, from the raw object: others may be of another version than we are."""
    spec = rollout.raw.get("spec") or {}
    return rollout.namespace, str((spec.get("target") or {}).get("flagsConfigMap", ""))


def _claims(other: RolloutObject, owner: str, now: datetime) -> bool:
    """Return whether `other` is live. One that is being deleted is so only while the flags are still its own."""
    if other.deleting and other.key != owner:
        return False
    try:
        return not is_terminal(other.spec(), other.status(), now)
    except UnreadableError:
        return True  # it cannot be told that it has ended, so nobody takes its target


def _age(rollout: RolloutObject) -> tuple[datetime, str]:
    return rollout.identity().created_at or _LATEST, rollout.uid
