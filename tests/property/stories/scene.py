"""What all happenings of a story stand on: the target, what Prometheus shows, and an evaluation with all that must hold."""

from __future__ import annotations

import copy
from datetime import timedelta

from hypothesis.stateful import RuleBasedStateMachine

from sark_api.evidence import verify
from sark_api.spec import Action, Request
from sark_api.status import SarkRolloutStatus, Verdict
from sark_e2e.simulated_target import SimulatedTarget
from sark_operator.core.decide import decide
from sark_operator.core.decision import WriteFlags, WriteStatus
from sark_operator.core.lifecycle import wanted_percent
from sark_operator.core.observation import Missing

from .conditions import check_conditions
from .edits import check_edits, policy_of
from .evidence import check_bake, check_evidence, check_what_lasts
from .glimpses import check_glimpse
from .memory import Memory
from .moment import RESTARTS, Moment
from .requests import check_expiry, check_promotion, check_requests
from .shares import (
    check_adoption,
    check_advance,
    check_blindness,
    check_breach,
    check_completion,
    check_going_on,
    check_held_back,
    check_rest,
    check_retry,
    check_revert_goes_on,
    check_rivals,
    check_verdicts,
    check_ways_back,
    unfiled,
)
from .symptoms import SYMPTOMS
from .tally import TALLY, noted
from .troubles import mend

OF_SHARES = (
    check_advance,
    check_completion,
    check_going_on,
    check_held_back,
    check_breach,
    check_ways_back,
    check_revert_goes_on,
    check_adoption,
    check_rivals,
    check_retry,
    check_blindness,
    check_verdicts,
)
"""What must hold of the share, whatever the story has asked for."""


class Scene(RuleBasedStateMachine):
    """One rollout and its target, and what time does to them."""

    def __init__(self) -> None:
        super().__init__()
        self.target = SimulatedTarget()
        self.answered: dict[int, Request] = {}
        """Every request whose answer was stored."""
        self.used: set[int] = set()
        """Requests whose approval has let a step begin."""
        self.asked = False
        """Whether the user has acted, or someone has written a document, since the status was last stored."""
        self.known = Memory()
        self.over = False
        """Whether nothing is played any more."""
        self.ticks = 0
        self.restarts = 0
        """How often the user made it start over."""
        self.taken_back = -1
        """How often that was when a share was last taken back."""
        self.evaluated = policy_of(self.target.spec)
        """What the spec says by which the stored status was decided."""
        self.measure("good")

    def measure(self, symptom: str) -> None:
        """Have Prometheus show something from now on."""
        self.symptom = SYMPTOMS[symptom]
        self.symptom.show(self.target)

    def ask(self, **changes: object) -> None:
        """Edit the spec."""
        self.target.ask(**changes)
        self.asked = True

    def pass_time(self, symptom: str, seconds: float, dying: int | None = None, *, deliver: bool = True) -> None:
        """Let it be evaluated every two seconds while Prometheus shows `symptom`."""
        self.measure(symptom)
        for _ in range(0, int(seconds), 2):
            self.tick(2.0, dying, deliver=deliver)

    def calm_down(self, seconds: float) -> None:
        """Take away all that is wrong with the target, and let time pass."""
        mend(self.target)
        self.pass_time("good", seconds)

    def tick(self, after: float, die_after: int | None, *, deliver: bool) -> None:
        """Let `after` seconds pass, evaluate, check everything, and act."""
        if self.over:
            return
        target = self.target
        target.now += timedelta(seconds=after)
        now = target.now.replace(microsecond=target.now.microsecond // 1000 * 1000)  # as exact as the status
        observation = target.observe()
        decision = decide(target.identity, target.spec, target.status, observation, target.now)
        moment = Moment(target, self.symptom, observation.metrics, decision, self.known, target.status, now)
        remembered, written, revision = moment.remembered(), len(target.written), self.known_revision()

        self.ticks += 1
        TALLY["evaluations"] += 1
        if decision.records or moment.writes or self.ticks % 5 == 0:
            assert target.decide() == decision, "the same input, another decision"
            self.check_idempotence(moment)
        if decision.records or self.symptom.bad or self.ticks % 10 == 0:
            check_glimpse(moment, observation)
        assert SarkRolloutStatus.model_validate(decision.status.to_wire()) == decision.status, "the status changes on the wire"
        assert decision.wake_at > target.now.replace(microsecond=0)
        for check in OF_SHARES:
            check(moment)
        check_rest(moment, asked=self.asked)
        check_bake(moment)
        check_evidence(moment)
        check_what_lasts(moment)
        check_requests(moment, set(self.answered))
        check_promotion(moment)
        check_expiry(moment)
        check_edits(moment, self.evaluated)
        check_conditions(moment)

        target.act(decision, die_after=die_after, deliver=deliver)
        restarts = self.restarts
        if target.status == decision.status:
            self.note_answers(moment)
            self.restarts += len(RESTARTS & moment.reasons)
            self.known, self.asked, self.evaluated = remembered, False, policy_of(target.spec)
        self.check_writes(written, revision)
        begun = target.status == decision.status and wanted_percent(decision.status) == 0
        if moment.share > 0 and (begun or any(write.document.percentage == 0 for write in target.written[written:])):
            self.taken_back = restarts
        for reason in moment.reasons:
            noted(reason)
        self.check_numbers()

    def teardown(self) -> None:
        """Every decision that was stored has one record, filed or waiting, and the chain of all holds."""
        target = self.target
        broken = verify(target.identity.uid, target.status.ledger, target.filed.items())
        assert broken is None, broken

    def check_numbers(self) -> None:
        """The history and the filed records are numbered as the ledger counts them."""
        ledger, target = self.target.status.ledger, self.target
        assert max(target.filed, default=0) <= ledger.records
        numbers = [entry.number for entry in target.status.history]
        assert numbers == list(range(ledger.records - len(numbers) + 1, ledger.records + 1))

    def note_answers(self, moment: Moment) -> None:
        """Remember what has been answered, and that each approval lets one step begin only."""
        asked, before, after = moment.spec.request, moment.before, moment.after
        if after.request is not None and after.request != before.request and asked is not None:
            self.answered[after.request.id] = asked
        if wanted_percent(after) > moment.share:
            self.used |= {each.request for each in before.approvals} - {each.request for each in after.approvals}
        assert not {each.request for each in after.approvals} & self.used, "an approval came back"

    def check_idempotence(self, moment: Moment) -> None:
        """Deciding again on the outcome, with nothing else changed, decides nothing more."""
        twin = copy.copy(self.target)
        twin.written, twin.filed = list(twin.written), dict(twin.filed)
        if unfiled(moment):
            return  # once they are filed something else has changed
        first = twin.tick(deliver=False)
        refused = twin.flags_refused or isinstance(twin.flags, Missing)
        if refused and any(isinstance(action, WriteFlags) for action in first.actions):
            return  # the API server does not take the write: it will be tried again
        step = moment.before.step
        if step is not None and step.percent == 0 and wanted_percent(first.status) > 0:
            return  # a first step of 0 % is over: what is seen of the new arm cannot be the same, there was none before
        held = [one for one in first.status.criteria if one.verdict is Verdict.UNKNOWN or one.action == Action.HOLD]
        if moment.new_windows and any(one.seen and one.verdict is not Verdict.PASS for one in held):
            return  # the worst of the new windows may hold it, and none is new a second time
        again = twin.tick(deliver=False)
        assert again.records == ()
        assert not any(isinstance(action, WriteFlags) for action in again.actions)
        assert (again.status.phase, again.status.step) == (first.status.phase, first.status.step)
        assert (again.status.evidence, again.status.counted_until) == (first.status.evidence, first.status.counted_until)
        assert not any(isinstance(action, WriteStatus) for action in twin.tick(deliver=False).actions)

    def known_revision(self) -> int:
        """The highest revision that can still be seen: in the ConfigMap, the status, or a sidecar."""
        seen = [] if self.target.pods_missing else [each for each in self.target.sidecars.values() if each.reachable]
        documents = [self.target.document, *(sidecar.document for sidecar in seen)]
        applied = self.target.status.flags
        return max(applied.revision if applied else 0, *(document.revision for document in documents if document), 0)

    def check_writes(self, written: int, known: int) -> None:
        """Every write has a revision above all that can be seen, and no more share than the stored status allows."""
        for write in self.target.written[written:]:
            assert write.document.revision > known
            known = write.document.revision
            if write.document.percentage > 0:
                assert self.restarts > self.taken_back, "a share that was taken back was raised again"
            assert write.document.percentage <= wanted_percent(self.target.status) or write.document.percentage == 0
            assert write.document.digest() == write.document.sha256
