"""Acting: the writes of one decision, in the order it names them."""

from __future__ import annotations

from sark_operator.core.decision import Decision, ReleaseFinalizer, WriteFlags, WriteStatus
from sark_operator.shell.api import Cluster, RolloutObject
from sark_operator.shell.recorder import Recorder


class Actor:
    """Carries out decisions. The first write that fails ends it: nothing is recorded that did not happen."""

    def __init__(self, cluster: Cluster, recorder: Recorder) -> None:
        self._cluster = cluster
        self._recorder = recorder

    async def act(self, rollout: RolloutObject, flags_config_map: str, decision: Decision) -> None:
        """Carry out `decision`, which was made on `rollout`.

        The transitions are told to people once the status that holds them is stored. Until then the next tick comes to them
        again, so none is lost and none is told twice.

        Raises:
            ClusterError: a write failed; what stands before it in the decision has happened, what stands after has not.
        """
        for action in decision.actions:
            match action:
                case WriteFlags():
                    await self._cluster.write_flags(rollout.namespace, flags_config_map, action)
                case WriteStatus():
                    rollout = await self._cluster.write_status(rollout, decision.status.to_wire())
                    await self._recorder.record(rollout, decision.records)
                case ReleaseFinalizer():
                    await self._cluster.remove_finalizer(rollout)
