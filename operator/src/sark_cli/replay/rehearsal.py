"""The state machine on a clock of its own: seen by the operator's observer, decided by its `decide`, acted in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from sark_api.flags import FlagDocument
from sark_api.spec import SarkRolloutSpec
from sark_api.status import HistoryEntry, SarkRolloutStatus
from sark_operator.core.decide import decide
from sark_operator.core.decision import Decision, WriteFlags, WriteStatus
from sark_operator.core.lifecycle import is_terminal, wanted_percent
from sark_operator.core.observation import Filing, ObservedFlags, PodReport
from sark_operator.core.retry import due_at
from sark_operator.shell.api import ReadyPod, RolloutObject
from sark_operator.shell.directory import Directory
from sark_operator.shell.metrics import MetricsSource
from sark_operator.shell.observer import Observer

ASSUMED_POLICY: Final = "assumed"
_POD: Final = "assumed"


class RehearsalClock:
    """A clock that is moved on by hand."""

    def __init__(self, start: datetime) -> None:
        self._start = self._now = start

    def now(self) -> datetime:
        """Return the rehearsed time of day."""
        return self._now

    def monotonic(self) -> float:
        """Return the rehearsed seconds since the start."""
        return (self._now - self._start).total_seconds()

    def move_to(self, at: datetime) -> None:
        """Let the time be `at`."""
        self._now = at


@dataclass(slots=True)
class Stage:
    """The flags as written, and sidecars that follow them at once: one stands for all where nobody said how many there were."""

    clock: RehearsalClock
    rollout: str
    replicas: int = 1
    document: FlagDocument | None = None
    version: int = 1

    async def read_flags(self, namespace: str, name: str) -> ObservedFlags:  # noqa: ARG002 - one ConfigMap is all there is
        """Return the flags in force."""
        return ObservedFlags(str(self.version), self.document)

    async def ready_pods(self, namespace: str, labels: Mapping[str, str]) -> Sequence[ReadyPod]:  # noqa: ARG002
        """Return the pods that are assumed."""
        if self.replicas == 1:
            return (ReadyPod(_POD, ""),)
        return tuple(ReadyPod(f"{_POD}-{number}", "") for number in range(self.replicas))

    async def reports(
        self,
        pods: Sequence[ReadyPod],
        port: int,  # noqa: ARG002
        namespace: str,  # noqa: ARG002
        *,
        hurried: bool,  # noqa: ARG002
    ) -> tuple[PodReport, ...]:
        """Return that every pod applies what was written last, and that both arms serve one policy."""
        document = self.document
        expired = document is None or document.expired(self.clock.now())
        return tuple(
            PodReport(
                pod.name,
                percent=0 if document is None or expired else document.percentage,
                revision=document.revision if document else 0,
                sha256=document.digest() if document else "",
                rollout=document.rollout if document else "",
                policy_revision=ASSUMED_POLICY,
                baseline_policy_revision=ASSUMED_POLICY,
            )
            for pod in pods
        )

    def write(self, document: FlagDocument) -> None:
        """Put a document in force."""
        self.document, self.version = document, self.version + 1


@dataclass(slots=True)
class Wait:
    """A time in which the rollout was not further for one reason."""

    since: datetime
    until: datetime
    percent: int
    reason: str
    message: str
    """Of its first evaluation."""


@dataclass(slots=True)
class Journal:
    """What happened in a rehearsal."""

    records: list[HistoryEntry] = field(default_factory=list)
    waits: list[Wait] = field(default_factory=list)
    evaluations: int = 0

    def note(self, decision: Decision, at: datetime) -> None:
        """Write down one evaluation."""
        self.evaluations += 1
        self.records += decision.records
        status, percent = decision.status, wanted_percent(decision.status)
        last = self.waits[-1] if self.waits else None
        if last is not None and (last.reason, last.percent) == (status.reason, percent):
            last.until = at
            return
        if last is not None:
            last.until = at
        self.waits.append(Wait(at, at, percent, status.reason, status.message))


class Rehearsal:
    """One rollout from its first evaluation on."""

    def __init__(
        self,
        body: Mapping[str, Any],
        spec: SarkRolloutSpec,
        metrics: MetricsSource,
        clock: RehearsalClock,
        *,
        replicas: int = 1,
    ) -> None:
        """Rehearse the object in `body` as if it had `spec`; `metrics` is asked at every evaluation.

        With as many `replicas` as there were, a fleet of which fewer were scraped proves nothing, as for the operator.
        """
        self._rollout = RolloutObject(body)
        self._spec = spec
        self._clock = clock
        self._stage = Stage(clock, self._rollout.key, replicas)
        self._observer = Observer(
            cluster=self._stage,
            pods=self._stage,
            sidecars=self._stage,
            metrics=metrics,
            directory=Directory(),
            clock=clock,
            version="backtest",
            filing=lambda _: Filing(self.status.ledger.head),
        )
        self.status = SarkRolloutStatus()
        self.journal = Journal()

    @property
    def over(self) -> bool:
        """Whether nothing more would happen until a person acts."""
        return is_terminal(self._spec, self.status, self._clock.now()) and due_at(self._spec, self.status) is None

    async def evaluate(self) -> None:
        """Do one tick at the clock's present."""
        now = self._clock.now()
        observation = await self._observer.observe(self._rollout, self._spec, self.status)
        decision = decide(self._rollout.identity(), self._spec, self.status, observation, now)
        for action in decision.actions:
            match action:
                case WriteFlags():
                    self._stage.write(action.document)
                case WriteStatus():
                    self.status = decision.status
        self.journal.note(decision, now)

    async def run(self, end: datetime, step: timedelta, progress: Callable[[datetime, SarkRolloutStatus], None]) -> None:
        """Evaluate every `step` until `end`, or until nothing more would happen, and at each deadline between.

        The operator wakes for them. A window of minutes would else be stepped over, and the rollout would wait for the next.
        """
        at = grid = self._clock.now()
        while at <= end:
            self._clock.move_to(at)
            await self.evaluate()
            progress(at, self.status)
            if self.over:
                return
            while grid <= at:
                grid += step
            at = min((grid, *(each for each in self._deadlines() if each > at)))

    def _deadlines(self) -> Iterator[datetime]:
        """Yield when a clock alone ends something: a bake, a hold, a wait for a window, for a retry or for sight.

        Not when a flag document is renewed, and not soon after a write: sidecars follow at once here.
        """
        status, spec = self.status, self._spec
        waits = status.next.waits if status.next is not None else []
        yield from (_whole(wait.until) for wait in waits if wait.until is not None)
        if status.awaited is not None and spec.approvals.expire_after:
            yield _whole(status.awaited.since + spec.approvals.expire_after)
        if status.blind_since is not None and spec.rollback.blind_for:
            yield _whole(status.blind_since + spec.rollback.blind_for)


def _whole(at: datetime) -> datetime:
    """Return the first whole second that is not before `at`: Prometheus is asked for whole seconds."""
    return at.replace(microsecond=0) + timedelta(seconds=at.microsecond > 0)
