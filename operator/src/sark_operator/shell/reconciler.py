"""One tick of one rollout on the real cluster: read, observe, decide, act."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

import structlog

from sark_api import reasons
from sark_api.names import FINALIZER
from sark_api.spec import SarkRolloutSpec
from sark_api.status import Phase, SarkRolloutStatus
from sark_operator.core.decide import decide
from sark_operator.core.decision import Decision, WriteStatus
from sark_operator.core.lifecycle import is_terminal, wanted_percent
from sark_operator.core.observation import Identity, Missing, Observation
from sark_operator.shell.actor import Actor
from sark_operator.shell.api import (
    Cluster,
    ClusterError,
    ForeignOwnerError,
    NamespaceEndingError,
    NotLeadingError,
    ObjectMissingError,
    RolloutObject,
    StaleVersionError,
)
from sark_operator.shell.clock import Clock
from sark_operator.shell.deferral import Deferral
from sark_operator.shell.fence import Leads, require_latest
from sark_operator.shell.latest import Latest
from sark_operator.shell.looks import Conclusion, Looks, Observing
from sark_operator.shell.metrics import unread
from sark_operator.shell.notifier import Notifier
from sark_operator.shell.recorder import Recorder
from sark_operator.shell.telemetry import Telemetry

MAX_ATTEMPTS: Final = 5
"""How often one tick decides anew when what it decided on has changed meanwhile. A revert must not wait for the next tick."""

_log = structlog.get_logger("sark.tick")


class Reconciler:
    """Ticks. Whatever a tick rests on is read in that tick, but for statuses that wait for their write (see `deferral`)."""

    def __init__(
        self,
        *,
        cluster: Cluster,
        observer: Observing,
        actor: Actor,
        recorder: Recorder,
        leads: Leads,
        notifier: Notifier | None = None,
        clock: Clock,
        telemetry: Telemetry,
    ) -> None:
        self._cluster = cluster
        self._looks = Looks(observer)
        self._actor = actor
        self._recorder = recorder
        self._leads = leads
        self._notifier = notifier
        self._clock = clock
        self._telemetry = telemetry
        self._deferral = Deferral(clock)
        self._ending: set[str] = set()
        """Deleted rollouts, by uid, of which the API server has said that their namespace goes too."""

    def forget(self, uid: str) -> None:
        """Drop what is known of a rollout that is gone."""
        self._deferral.forget(uid)
        self._ending.discard(uid)
        if self._notifier is not None:
            self._notifier.forget(uid)

    def look_again(self, uid: str) -> None:
        """Begin anew what is only being observed: the user asks for the baseline, which waits for no metrics."""
        self._looks.begin_anew(uid)

    async def tick(self, namespace: str, name: str, uid: str) -> timedelta | None:
        """Do one tick and return after how long the next is due, or None when this rollout is none of ours any more.

        Raises:
            ClusterError: the tick could not be finished; the next one begins anew.
        """
        for attempt in range(1, MAX_ATTEMPTS + 1):
            try:
                return await self._attempt(namespace, name, uid)
            except StaleVersionError as error:
                _log.info("decided on an older state, deciding anew", rollout=f"{namespace}/{name}", problem=str(error))
                self._telemetry.tick(f"{namespace}/{name}", "conflict", 0.0)
                if attempt == MAX_ATTEMPTS:
                    raise
        raise AssertionError("unreachable: the last attempt returns or raises")

    async def _attempt(self, namespace: str, name: str, uid: str) -> timedelta | None:
        begun_at = self._clock.monotonic()
        rollout = await self._cluster.read_rollout(namespace, name)
        if rollout.uid != uid or (rollout.deleting and not rollout.guarded):
            return None
        if not rollout.guarded:
            # Before the first write to the flags: from here on the object cannot go without the baseline being restored.
            rollout = await self._cluster.add_finalizer(rollout)
            _log.info("guarded", rollout=rollout.key, finalizer=FINALIZER)
        rollout, latest, unsigned = await self._signed(rollout, self._deferral.latest(rollout))
        latest = self._noted(rollout, latest)
        spec = rollout.spec()

        def conclude(seen: Observation) -> Conclusion:
            status = latest.whole()  # not before: it is much of the memory of all that wait to have been observed
            reckoned_at, now = self._clock.monotonic(), self._clock.now()
            decision = _decided(rollout, spec, status, replace(seen, namespace_ending=uid in self._ending), now)
            self._telemetry.decided(self._clock.monotonic() - reckoned_at)
            return Conclusion(decision, now, reckoned_at)

        concluded = await self._looks.conclusion(rollout, spec, latest.outline, conclude)
        decision = concluded.decision
        stored = rollout.status()  # not before either
        if unsigned is not None:
            await self._actor.take_back(rollout, spec.target.flags_config_map, decision)
            raise unsigned
        decision = replace(decision, actions=self._deferral.due(rollout, spec, decision))
        if await self._act(rollout, spec, stored, decision):
            return timedelta(0)
        if wanted_percent(decision.status) == 0 < wanted_percent(stored):
            self._telemetry.restored(self._clock.monotonic() - begun_at)
        await self._tell(rollout, stored, decision)
        self._telemetry.state(rollout.key, decision.status, len(spec.plan()))
        # What the rest of the tick took is told by the clock that nobody sets: one that is set back meanwhile must not make it
        # sleep for as long.
        return decision.wake_at - concluded.now - timedelta(seconds=self._clock.monotonic() - concluded.reckoned_at)

    async def _act(self, rollout: RolloutObject, spec: SarkRolloutSpec, stored: SarkRolloutStatus, decision: Decision) -> bool:
        """Carry out what was decided, and tell what keeps it from being done; return whether to decide anew at once."""
        try:
            await self._actor.act(rollout, spec.target.flags_config_map, decision)
        except NamespaceEndingError:
            if not rollout.deleting or rollout.uid in self._ending:
                raise
            self._ending.add(rollout.uid)
            return True
        except ForeignOwnerError as error:
            owned = reasons.FLAGS_OWNED_BY_ANOTHER
            await self._recorder.warn(rollout, owned.name, owned.sentence(message=error))
            raise
        except ClusterError as error:
            # As long as flags are refused no tick comes to its end, and people must hear of the revert all the same.
            # What is decided anew at once, or by another leader, is in nobody's way.
            if stored.phase is Phase.REVERTING and not isinstance(error, StaleVersionError | NotLeadingError):
                late = reasons.BASELINE_NOT_RESTORED
                await self._recorder.warn(rollout, late.name, late.sentence(message=error))
            if self._notifier is not None:
                self._notifier.tell(rollout, stored)
            raise
        return False

    def _noted(self, rollout: RolloutObject, latest: Latest) -> Latest:
        """Return the status with how far people have been told by now."""
        if self._notifier is None:
            return latest
        status = latest.outline if latest.outline.notified is not None else latest.whole()
        mark = self._notifier.mark(rollout, status, self._clock.now())
        return latest if mark == status.notified else latest.but(notified=mark)

    async def _tell(self, rollout: RolloutObject, stored: SarkRolloutStatus, decision: Decision) -> None:
        """Store how far people have been told, where the decision did not, and let them be told the rest."""
        if self._notifier is None:
            return
        written = any(isinstance(action, WriteStatus) for action in decision.actions)
        if not written and not rollout.deleting and decision.status.notified != stored.notified:
            await self._cluster.write_status(rollout, decision.status.to_wire())
        self._notifier.tell(rollout, decision.status)

    async def _signed(self, rollout: RolloutObject, latest: Latest) -> tuple[RolloutObject, Latest, ClusterError | None]:
        """Return the rollout and its `latest` status under our own term of the Lease, and what kept that from being stored.

        That it is ours is stored before anything is done: whatever a predecessor still has on its way is refused from now
        on. A rollout at which nothing can happen is not written for it. Where the API server does not take it, only a share may
        be taken back: 0 % is right whoever writes it.
        """
        spec, mine = rollout.spec(), self._leads.term
        require_latest(mine, latest.outline.leader)
        if latest.outline.leader == mine:
            return rollout, latest, None
        signed = latest.but(leader=mine)
        if not is_terminal(spec, latest.outline, self._clock.now()):
            status = signed.whole().to_wire()
            try:
                rollout = await self._cluster.write_status(rollout, status)
            except (StaleVersionError, NotLeadingError, ObjectMissingError):
                raise
            except ClusterError as error:
                return rollout, signed, error
        return rollout, signed, None


def _decided(
    rollout: RolloutObject, spec: SarkRolloutSpec, status: SarkRolloutStatus, observation: Observation, now: datetime
) -> Decision:
    """Return what is decided on what was seen; without the metrics, should nothing be to be decided with them.

    Whatever a server answers, its user's rollback and the way back go on, and it counts as blindness.
    """
    identity = _identity(rollout, status)
    try:
        return decide(identity, spec, status, observation, now)
    except Exception as error:  # noqa: BLE001 - what is wrong with the core must not keep anybody from the baseline
        _log.exception("decided without metrics: nothing could be decided with them", rollout=rollout.key)
        seen = f"what Prometheus answered cannot be reckoned with ({type(error).__name__}): the operator's log says more"
        blind = unread(Missing(reasons.METRICS_INVALID.name, seen), spec)
        return decide(identity, spec, status, replace(observation, metrics=blind), now)


def _identity(rollout: RolloutObject, status: SarkRolloutStatus) -> Identity:
    """Return whose rollout it is; who wrote the spec is looked up only where it is not the one evaluated last."""
    identity = rollout.identity()
    if identity.generation == status.observed_generation:
        return identity
    return replace(identity, edited_by=rollout.edited_by())
