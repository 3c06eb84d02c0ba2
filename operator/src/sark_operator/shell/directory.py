"""The rollouts that exist, as the watch last showed them."""

from __future__ import annotations

from collections.abc import Iterator

from sark_operator.shell.api import RolloutObject


class Directory:
    """Every rollout this operator serves, by uid.

    It answers only who else there is. What a decision rests on is read anew in each tick, because a watch may lag.
    """

    def __init__(self) -> None:
        self._rollouts: dict[str, RolloutObject] = {}

    def put(self, rollout: RolloutObject) -> None:
        """Remember the newest state of a rollout."""
        self._rollouts[rollout.uid] = rollout

    def drop(self, uid: str) -> None:
        """Forget a rollout that is gone."""
        self._rollouts.pop(uid, None)

    def others(self, rollout: RolloutObject) -> Iterator[RolloutObject]:
        """Yield the other rollouts of the same namespace."""
        for other in self._rollouts.values():
            if other.namespace == rollout.namespace and other.uid != rollout.uid:
                yield other
