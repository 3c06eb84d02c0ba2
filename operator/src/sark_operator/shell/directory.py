"""The rollouts that exist, as the watch last showed them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from pydantic import ValidationError

from sark_api.spec import Alerts, Target
from sark_operator.core.alerts import AlertIndex
from sark_operator.shell.api import RolloutObject, UnreadableError
from sark_operator.shell.latest import TOLD
from sark_operator.shell.rivalry import is_elsewhere

_NAMING: Final = (
    "namespace",
    "name",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "finalizers",
)
"""What of the metadata says who a rollout is, and whether it is going away."""


@dataclass(frozen=True, slots=True)
class _Near:
    """Who may have the target of a rollout, until a target in its namespace changes."""

    target: Target
    targets: int
    """How often a target in the namespace had changed."""
    uids: tuple[str, ...]


class Directory:
    """Every rollout this operator serves, by uid.

    It answers only who else there is. What a decision rests on is read anew in each tick, because a watch may lag. So what is
    large in an object and tells nothing of that is not remembered.
    """

    def __init__(self) -> None:
        self._rollouts: dict[str, RolloutObject] = {}
        self._alerts: dict[str, Alerts] = {}
        """criteria.alerts by uid, read once: an alert is held against all of them."""
        self._by_namespace: dict[str, dict[str, RolloutObject]] = {}
        self._targets: Counter[str] = Counter()
        """By namespace, how often a target in it has changed."""
        self._near: dict[str, _Near] = {}
        """By uid."""

    def put(self, rollout: RolloutObject) -> None:
        """Remember the newest state of a rollout."""
        before, lean = self._rollouts.get(rollout.uid), _lean(rollout)
        if before is None or before.target != lean.target:
            self._targets[rollout.namespace] += 1
        self._rollouts[rollout.uid] = lean
        self._alerts[rollout.uid] = _alert_settings(rollout)
        self._by_namespace.setdefault(rollout.namespace, {})[rollout.uid] = lean

    def drop(self, uid: str) -> None:
        """Forget a rollout that is gone."""
        gone = self._rollouts.pop(uid, None)
        self._alerts.pop(uid, None)
        self._near.pop(uid, None)
        if gone is not None:
            self._targets[gone.namespace] += 1
            self._by_namespace[gone.namespace].pop(uid, None)

    def concerned(self, alerts: Sequence[Mapping[str, str]]) -> tuple[str, ...]:
        """Return the uids of the rollouts that one of `alerts`, by its labels, is about."""
        index = AlertIndex(alerts)
        return tuple(uid for uid, rollout in self._rollouts.items() if index.concerns(rollout.key, self._alerts[uid]))

    def others(self, rollout: RolloutObject) -> Iterator[RolloutObject]:
        """Yield the other rollouts of the same namespace."""
        for other in self._by_namespace.get(rollout.namespace, {}).values():
            if other.uid != rollout.uid:
                yield other

    def near(self, rollout: RolloutObject, named: str) -> Iterator[RolloutObject]:
        """Yield the others that may have the same target, and the one `named` as its holder (namespace/name; "" for none).

        Most have targets of their own, and a look at each of a thousand in one namespace takes milliseconds. So who is
        on a target is found out once, and again when a target in the namespace has changed.

        Raises:
            UnreadableError: `rollout` cannot be read.
        """
        target, targets = rollout.spec().target, self._targets[rollout.namespace]
        known = self._near.get(rollout.uid)
        if known is None or known.targets != targets or known.target != target:
            uids = tuple(other.uid for other in self.others(rollout) if not is_elsewhere(target, other))
            known = self._near[rollout.uid] = _Near(target, targets, uids)
        yield from (self._rollouts[uid] for uid in known.uids)
        if named not in ("", rollout.key):
            yield from (other for other in self.others(rollout) if other.key == named and other.uid not in known.uids)


def _lean(rollout: RolloutObject) -> RolloutObject:
    """Return of the object what may be asked for, as text where it is large: as values it would be ten times as much memory.

    A status that cannot be read is kept as it is: that it cannot be read is what others want to know of it.
    """
    metadata = {name: value for name, value in rollout.raw["metadata"].items() if name in _NAMING}
    spec, status = rollout.raw.get("spec"), rollout.raw.get("status") or {}
    try:
        rollout.status()
    except UnreadableError:
        return RolloutObject({"metadata": metadata, "spec": spec, "status": status})
    kept = {name: value for name, value in status.items() if name not in TOLD}
    return RolloutObject({"metadata": metadata, "spec": _text(spec), "status": _text(kept)})


def _text(part: Any) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(part))


def _alert_settings(rollout: RolloutObject) -> Alerts:
    """Return criteria.alerts of a rollout; the default where they cannot be read, which its own tick complains of."""
    try:
        return Alerts.model_validate(((rollout.raw.get("spec") or {}).get("criteria") or {}).get("alerts") or {})
    except (ValidationError, AttributeError):
        return Alerts()
