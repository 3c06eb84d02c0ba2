"""What the user asks for: modes, attempts, plans, requests, approvals, and other criteria in the middle of it."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import strategies as st
from hypothesis.stateful import rule

from sark_api.spec import (
    Action,
    Approval,
    Approvals,
    Cpu,
    Features,
    FlagEdits,
    Mode,
    OnExpiry,
    Request,
    RequestAction,
    SchedulePreset,
    Toggle,
    Window,
)
from sark_api.status import Phase
from sark_e2e.simulated_target import SimulatedSidecar

from .happenings import DYING, KINDS
from .limits import CRITERIA, DEMANDING, MANY, edited, with_samples
from .plans import NEVER, OFTEN, PLANS, plan_of
from .scene import Scene
from .symptoms import OF, SYMPTOMS
from .tally import noted

MOMENTS = {
    "paused": "breach while paused",
    "an approval is awaited": "breach while an approval is awaited",
    "no window is open": "breach outside every window",
    "completed": "breach in the watch",
    "reverting": "breach while reverting",
    "pending": "a breach keeps it from beginning",
    "others own the flags": "breach while others own the flags",
    "unconverged": "breach unconverged",
    "rival": "breach beside a rival",
    "pods cannot be listed": "breach while the pods cannot be listed",
    "flags are refused": "breach while it is proven",
}
"""Moments at which a breach may come, though nothing could advance, and what is counted then."""
ACTIONS = st.sampled_from(Action)
LIMITED = st.sampled_from(CRITERIA)


class Wishes(Scene):
    """The rules of everything that is asked for."""

    @rule(
        mode=st.sampled_from([Mode.PAUSED, *Mode]),
        kind=st.sampled_from(sorted(SYMPTOMS)),
        seconds=st.integers(20, 40),
        for_good=st.booleans(),
    )
    def set_the_mode(self, mode: Mode, kind: str, seconds: int, for_good: bool) -> None:
        before = self.target.spec.mode
        self.ask(mode=mode)
        self.pass_time("good", seconds)
        self.pass_time(kind, seconds)
        if not for_good:
            self.ask(mode=before)

    @rule(by=st.sampled_from([1, 1, -1]))
    def change_the_attempt(self, by: int) -> None:
        self.ask(attempt=max(1, self.target.spec.attempt + by), mode=Mode.AUTO)

    @rule(
        plan=st.sampled_from(PLANS),
        bake=st.sampled_from([12, 15, 40]),
        hold=st.sampled_from([0, 0, 30]),
        compares=st.booleans(),
        cache=st.sampled_from(Toggle),
    )
    def edit_the_plan(self, plan: tuple[int, ...], bake: int, hold: int, compares: bool, cache: Toggle) -> None:
        self.ask(steps=plan_of(plan, bake, hold=hold, compares=compares), features=Features(cache=cache))
        self.tick(2.0, None, deliver=True)

    @rule(
        criterion=LIMITED, action=ACTIONS, strict=st.booleans(), nth=st.integers(0, 1), kind=KINDS, seconds=st.integers(2, 20)
    )
    def edit_a_criterion(self, *, criterion: str, action: Action, strict: bool, nth: int, kind: str, seconds: int) -> None:
        self.edit(criterion, action, strict=strict, nth=nth)
        self.pass_time(kind, seconds)

    @rule(criterion=st.sampled_from(DEMANDING), samples=st.sampled_from([100, MANY]), seconds=st.integers(2, 20), kind=KINDS)
    def edit_the_samples_needed(self, *, criterion: str, samples: int, seconds: int, kind: str) -> None:
        self.ask(criteria=with_samples(self.target.spec.criteria, criterion, samples))
        noted("fewer samples than needed" if samples == MANY else "enough samples again")
        self.pass_time(kind, seconds)
        self.ask(criteria=with_samples(self.target.spec.criteria, criterion, 100))

    @rule(watch=st.sampled_from([0, 4, 30, 600]), kind=KINDS, seconds=st.integers(2, 20))
    def edit_the_watch(self, watch: int, kind: str, seconds: int) -> None:
        self.ask(watch_after=timedelta(seconds=watch))
        self.pass_time(kind, seconds)

    @rule(schedule=st.sampled_from(SchedulePreset), kind=KINDS, promoted=st.booleans())
    def days_pass_by_a_schedule(self, schedule: SchedulePreset, kind: str, promoted: bool) -> None:
        """It is evaluated as rarely as it may be, so that days are some dozen evaluations."""
        self.begin_in_earnest(compares=False)
        before = self.target.spec
        rare = {"interval": timedelta(minutes=10), "valid_for": timedelta(hours=2)}
        self.ask(schedule=schedule, steps=[], **rare)
        for number in range(60):
            if promoted and number % 20 == 10:
                self.ask_for(RequestAction.PROMOTE)
            self.tick(1800.0, None, deliver=True)
        self.pass_time(kind, 6)
        self.ask(schedule=None, steps=before.steps, interval=before.interval, valid_for=before.valid_for, request=None)
        self.calm_down(4)

    def ask_for(self, action: RequestAction, to: int | None = None) -> None:
        """Ask for something at the share that is in force."""
        status = self.target.status
        number = max(status.request.id if status.request else 0, *self.answered, 0) + 1
        here = status.step.percent if status.step else 0
        self.ask(request=Request(id=number, action=action, attempt=max(1, status.attempt), percent=here, to=to))

    @rule(nth=st.integers(0, 2), kind=KINDS)
    def the_user_skips_steps(self, nth: int, kind: str) -> None:
        self.begin_in_earnest(compares=False)
        here = self.target.status.step.percent if self.target.status.step else 0
        above = [step.percent for step in self.target.spec.plan() if step.percent > here]
        if above:
            self.ask_for(RequestAction.SKIP, above[min(nth, len(above) - 1)])
        self.pass_time("good", 20)
        self.pass_time(kind, 6)

    @rule(opa=st.sampled_from(Toggle), cache=st.sampled_from(Toggle), before=st.booleans(), meanwhile=st.booleans())
    def a_promotion_is_asked_for_while_edited_features_cannot_be_written(
        self, *, opa: Toggle, cache: Toggle, before: bool, meanwhile: bool
    ) -> None:
        self.begin_in_earnest(compares=False)
        self.ask(steps=plan_of((5, 10, 25, 100), 600))
        if before:  # and it waits for its window
            self.ask(criteria=self.target.spec.criteria.model_copy(update={"window": timedelta(seconds=40)}))
            self.ask_for(RequestAction.PROMOTE)
            self.tick(2.0, None, deliver=True)
        self.target.flags_refused = True
        self.ask(features=Features(cache=cache, opa=opa))
        self.pass_time("good", 4)
        if meanwhile:
            self.ask_for(RequestAction.PROMOTE)
        self.pass_time("good", 6)
        self.target.flags_refused = False
        self.pass_time("good", 50 if before else 24)

    @rule(moment=st.sampled_from(sorted(MOMENTS)), criterion=LIMITED, nth=st.integers(0, 1))
    def something_breaks(self, *, moment: str, criterion: str, nth: int) -> None:
        """It breaks at a moment at which nothing can advance."""
        self.begin_in_earnest(compares=criterion == "decisionMismatch")
        self.edit(criterion, Action.REVERT)
        self.come_to(moment)
        names = OF[criterion]
        self.pass_time(names[nth % len(names)], 8)
        if moment == "pending":
            self.ask(windows=[])
            self.pass_time(names[nth % len(names)], 6)

    def come_to(self, moment: str) -> None:
        """Bring the rollout there, as far as that can be had."""
        target, percents = self.target, tuple(step.percent for step in self.target.spec.plan())
        match moment:
            case "paused":
                self.ask(mode=Mode.PAUSED)
                self.pass_time("good", 4)
            case "an approval is awaited":
                self.ask(steps=plan_of(percents, 12))
                self.gate(percents, [])
                self.pass_time("good", 24)
            case "no window is open":
                self.ask(steps=plan_of(percents, 12), windows=NEVER)
                self.pass_time("good", 24)
            case "completed":
                self.ask(steps=plan_of((5, 100), 12), watch_after=timedelta(minutes=10))
                self.pass_time("good", 60)
            case "reverting":
                for sidecar in target.sidecars.values():
                    sidecar.following = False
                self.ask(mode=Mode.ROLLBACK)
                self.pass_time("good", 4)
            case "pending":
                self.ask(mode=Mode.ROLLBACK)
                self.pass_time("good", 14)
                self.ask(mode=Mode.AUTO, windows=NEVER, attempt=max(target.spec.attempt, target.status.attempt) + 1)
                self.pass_time("good", 4)
            case "others own the flags":
                self.ask(flag_edits=FlagEdits.HOLD)
                target.put(target.document, by="kubectl-edit")
                self.pass_time("good", 4)
            case "unconverged":
                target.sidecars["gw-3"] = SimulatedSidecar(following=False)
                self.pass_time("good", 4)
            case _:
                self.go_wrong(moment)
                self.pass_time("good", 4)

    @rule(percent=st.sampled_from([70, 80, 90]), dying=DYING)
    def edit_a_limit(self, percent: int, dying: int | None) -> None:
        self.ask(criteria=self.target.spec.criteria.model_copy(update={"cpu": Cpu(limit_percent=percent)}))
        self.tick(2.0, dying, deliver=True)

    @rule(first=ACTIONS, then=ACTIONS, criterion=LIMITED, strict=st.booleans())
    def edit_a_criterion_while_it_is_bad(self, first: Action, then: Action, criterion: str, strict: bool) -> None:
        self.edit(criterion, first)
        self.pass_time(OF[criterion][0], 30)
        self.edit(criterion, then, strict=strict)
        self.pass_time(OF[criterion][0], 6)
        self.pass_time("good", 6)

    @rule(criterion=LIMITED, action=ACTIONS, nth=st.integers(0, 1), crowded=st.booleans())
    def something_is_bad_for_long(self, criterion: str, action: Action, nth: int, crowded: bool) -> None:
        self.begin_in_earnest(compares=criterion == "decisionMismatch")
        self.edit(criterion, action, nth=nth)
        names = OF[criterion]
        self.pass_time("some errors" if crowded and criterion == "errorRate" else names[nth % len(names)], 90)

    def begin_in_earnest(self, *, compares: bool) -> None:
        """Have the rollout in a small step for a while, as far as that can be had."""
        target = self.target
        plan = plan_of((5, 10, 25, 100), 40, compares=compares)
        ended = target.status.phase in (Phase.REVERTED, Phase.COMPLETED)
        attempt = max(target.spec.attempt, target.status.attempt) + ended
        self.ask(steps=plan, features=Features(), windows=[], mode=Mode.AUTO, attempt=attempt, request=None)
        self.calm_down(30)

    def edit(self, criterion: str, action: Action, *, strict: bool = True, nth: int = 0) -> None:
        self.ask(criteria=edited(self.target.spec.criteria, criterion, action, strict=strict, nth=nth))
        noted("criteria edited")

    @rule(
        interval=st.sampled_from([1, 2, 5, 10]),
        blind_for=st.sampled_from([0, 10, 30, 60, 600]),
        window=st.sampled_from([10, 10, 20, 40]),
        kind=KINDS,
        seconds=st.integers(2, 20),
    )
    def edit_the_times(self, interval: int, blind_for: int, window: int, kind: str, seconds: int) -> None:
        spec = self.target.spec
        rollback = spec.rollback.model_copy(update={"blind_for": timedelta(seconds=blind_for)})
        criteria = spec.criteria.model_copy(update={"window": timedelta(seconds=window)})
        self.ask(interval=timedelta(seconds=interval), rollback=rollback, criteria=criteria)
        noted("times edited")
        self.pass_time(kind, seconds)

    @rule(
        before=st.sampled_from([0, 60, 600]),
        after=st.sampled_from([0, 10, 30, 600]),
        seconds=st.sampled_from([10, 30]),
        kind=st.sampled_from(sorted(name for name, one in SYMPTOMS.items() if one.unseen)),
    )
    def edit_blind_for_while_blind(self, before: int, after: int, seconds: int, kind: str) -> None:
        self.calm_down(20)
        for blind_for in (before, after):
            rollback = self.target.spec.rollback.model_copy(update={"blind_for": timedelta(seconds=blind_for)})
            self.ask(rollback=rollback)
            self.pass_time(kind, seconds)

    @rule(
        action=st.sampled_from(RequestAction),
        newer=st.sampled_from([1, 1, 1, 5, 0, -1]),
        percent=st.sampled_from([*[None] * 5, 5, 25]),
        later=st.sampled_from([*[0] * 5, 1]),
        calm=st.booleans(),
        keeps_asking=st.booleans(),
    )
    def request(
        self, *, action: RequestAction, newer: int, percent: int | None, later: int, calm: bool, keeps_asking: bool
    ) -> None:
        if calm:
            self.ask(mode=Mode.AUTO, attempt=self.target.spec.attempt + (self.target.status.phase is Phase.REVERTED))
            self.calm_down(30)
        status, plan = self.target.status, self.target.spec.plan()
        here = status.step.percent if status.step else 0
        above = [step.percent for step in plan if step.percent > here] or [100]
        if calm and action is RequestAction.APPROVE:
            self.gate((above[0],), [])
            self.calm_down(20)
        gated = [step.percent for step in plan if step.percent > here and step.approval is Approval.REQUIRED]
        meant = (gated or above)[0] if action is RequestAction.APPROVE else here
        number = max(1, (status.request.id if status.request else 0) + newer)
        if number not in self.answered:
            asked = Request(
                id=number,
                action=action,
                attempt=max(1, status.attempt + later),
                percent=meant if percent is None else percent,
                to=above[-1] if action is RequestAction.SKIP else None,
            )
            self.ask(request=asked)
        self.pass_time("good", 6)
        if not keeps_asking:
            self.ask(request=None)

    @rule(
        gated=st.sampled_from([(), (5,), (25, 100), (10, 50)]),
        windows=st.sampled_from([[], [], OFTEN, NEVER]),
        valid_for=st.sampled_from([0, 10, 1800]),
    )
    def gate_the_plan(self, gated: tuple[int, ...], windows: list[Window], valid_for: int) -> None:
        self.gate(gated, windows, Approvals(valid_for=timedelta(seconds=valid_for)))
        self.pass_time("good", 30)

    @rule(
        expire_after=st.sampled_from([0, 10, 30]),
        then=st.sampled_from([0, 10, 30]),
        on_expiry=st.sampled_from(OnExpiry),
        kind=KINDS,
    )
    def nobody_approves(self, expire_after: int, then: int, on_expiry: OnExpiry, kind: str) -> None:
        self.begin_in_earnest(compares=False)
        spec = self.target.spec
        self.ask(steps=plan_of(tuple(step.percent for step in spec.plan()), 12))
        for seconds in (expire_after, then):
            rules = Approvals(expire_after=timedelta(seconds=seconds), on_expiry=on_expiry)
            self.gate(tuple(step.percent for step in spec.plan()), [], rules)
            self.pass_time("good", 24)
        self.pass_time(kind, 6)

    @rule(asked_after=st.sampled_from([0, 8, 30]), valid_for=st.sampled_from([0, 5, 10, 60]), kind=KINDS)
    def an_approval_comes_early(self, asked_after: int, valid_for: int, kind: str) -> None:
        """It is given while the step is not proven yet, and may be too old when it is."""
        self.begin_in_earnest(compares=False)
        status, plan = self.target.status, self.target.spec.plan()
        above = [step.percent for step in plan if step.percent > (status.step.percent if status.step else 0)]
        if status.step is None or not above:
            return
        self.gate(tuple(above), [], Approvals(valid_for=timedelta(seconds=valid_for)))
        number = max(status.request.id if status.request else 0, *self.answered, 0) + 1
        self.ask(request=Request(id=number, action=RequestAction.APPROVE, attempt=status.attempt, percent=above[0]))
        self.pass_time(kind, asked_after)
        self.pass_time("good", 40)

    def gate(self, gated: tuple[int, ...], windows: list[Window], approvals: Approvals | None = None) -> None:
        steps = [
            step.model_copy(update={"approval": Approval.REQUIRED if step.percent in gated else Approval.NONE})
            for step in self.target.spec.plan()
        ]
        self.ask(steps=steps, windows=windows, approvals=approvals or Approvals(valid_for=timedelta(minutes=30)))

    @rule(sure=st.sampled_from([False, False, True]))
    def delete(self, sure: bool) -> None:
        if sure and self.target.written:
            self.target.delete()
            self.asked = True
