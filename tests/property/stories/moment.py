"""One evaluation of a story: what the operator saw and decided, and what is true, whatever the status says.

What is true of the metrics comes from the symptom that is shown, what is true of the sidecars from the sidecars, and what lasts
from the `Memory` of the evaluation whose status was stored last: an operator that dies before it stores one forgets with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from sark_api.flags import FlagDocument
from sark_api.names import ARM_BASELINE
from sark_api.spec import Action, Approval, Mode, RequestAction, SarkRolloutSpec, Step
from sark_api.status import Phase, SarkRolloutStatus
from sark_e2e.simulated_target import SimulatedTarget
from sark_operator.core.buckets import MAX_COUNT
from sark_operator.core.decision import Decision, WriteFlags
from sark_operator.core.lifecycle import in_step, wanted_percent
from sark_operator.core.observation import ArmWindow, CountedWindow, Metrics, Missing

from .limits import CRITERIA, DEMANDING, action_of, is_demanding, is_judged, is_strict
from .memory import Memory
from .symptoms import Found, Symptom

SETTLING = timedelta(minutes=1)
CLOCKS_MAY_DIFFER = timedelta(seconds=30)
ROUNDING = 1
"""Milliseconds."""
FOLLOWED = 50_000
"""Microseconds of the stored p95 from which on a slow arm may pass."""
RESTARTS = {"AttemptRaised", "Retried"}
GRACE = 4
"""Counting windows, criteria.window and a minute for which they may fail to come before nothing is proven any more."""


@dataclass(frozen=True)
class Moment:
    """One evaluation, before anything is done about it."""

    target: SimulatedTarget
    symptom: Symptom
    metrics: Metrics
    """What Prometheus answered."""
    decision: Decision
    known: Memory
    before: SarkRolloutStatus
    """The status as it was stored."""
    now: datetime

    @property
    def spec(self) -> SarkRolloutSpec:
        return self.target.spec

    @property
    def after(self) -> SarkRolloutStatus:
        return self.decision.status

    @cached_property
    def share(self) -> int:
        """The share that was wanted before."""
        return wanted_percent(self.before)

    @property
    def running(self) -> bool:
        """Whether something was in force that can be taken back, and is watched."""
        return in_step(self.before) and not self.resting

    @cached_property
    def resting(self) -> bool:
        """Whether the rollout had ended: reverted, or completed and watched for as long as was asked."""
        if self.before.phase is not Phase.COMPLETED or self.before.completed_at is None:
            return self.before.phase is Phase.REVERTED
        return self.now - min(self.before.completed_at, self.now) >= self.spec.watch_after

    @cached_property
    def reasons(self) -> set[str]:
        """What has happened."""
        return {record.reason for record in self.decision.records}

    @cached_property
    def writes(self) -> list[WriteFlags]:
        return [action for action in self.decision.actions if isinstance(action, WriteFlags)]

    # The sidecars.

    @cached_property
    def converged(self) -> bool:
        """Whether every sidecar has the right document in force and applies it, and both arms answer by one policy."""
        target, document = self.target, self.target.document
        if target.pods_missing or not target.sidecars or document is None:
            return False
        applied = [sidecar.document for sidecar in target.sidecars.values() if sidecar.reachable]
        return (
            document.percentage == self.share
            and len(applied) == len(target.sidecars)
            and all(each is not None and self._applies(each) for each in applied)
            and {(each.policy, each.baseline_policy) for each in target.sidecars.values()} == {("policy-1", "policy-1")}
        )

    def _applies(self, document: FlagDocument) -> bool:
        ours = document.rollout == self.target.identity.key
        return ours and document.percentage == self.share and not document.expired(self.now)

    # The metrics.

    def action(self, criterion: str) -> Action:
        """Return what a breach of `criterion` does."""
        said = self.symptom.action if criterion == self.symptom.bad else None
        does = said or action_of(self.spec.criteria, criterion)
        locked_out = self.symptom.locks_out and criterion == self.symptom.bad
        return Action.REVERT if locked_out and does is Action.HOLD else does

    def broken(self, percent: int) -> str:
        """Return the criterion that is beyond its limit and judged at `percent`, or nothing."""
        bad = "" if self._excused(percent) else self.symptom.bad
        return bad if bad and is_strict(self.spec.criteria, bad) and is_judged(self.spec, bad, percent) else ""

    def _excused(self, percent: int) -> bool:
        """Return whether the baseline arm, which serves as well, suffers just as much."""
        return self.symptom.excused and 0 < percent < 100

    @property
    def found(self) -> Found:
        """How soon what is broken is a breach.

        Of comparisons one is enough only where none may differ; and a window with too few samples says nothing by itself.
        """
        if is_demanding(self.spec.criteria, self.symptom.bad):
            return Found.BY_WINDOWS
        some_may = self.spec.criteria.decision_mismatch.limit_parts_per_million > 0
        return Found.BY_THE_FLOOR if self.symptom.bad == "decisionMismatch" and some_may else self.symptom.found

    def unseen(self, percent: int) -> set[str]:
        """Return the criteria that are judged at `percent` and cannot be measured."""
        few = {one for one in DEMANDING if is_demanding(self.spec.criteria, one)}
        return {one for one in self.symptom.unseen | few if is_judged(self.spec, one, percent)}

    def undecided(self, percent: int) -> set[str]:
        """Return the criteria that are judged at `percent`, are measured, and say neither yes nor no."""
        one = self.symptom.bad if self._excused(percent) else self.symptom.undecided
        return {one} if one and is_strict(self.spec.criteria, one) and is_judged(self.spec, one, percent) else set()

    def crowded(self, percent: int) -> set[str]:
        """Return sampleRatio when the arms' requests in criteria.window are far from the share they were all served by."""
        name, since = "sampleRatio", self.known.converged_since
        full = self.spec.criteria.window + self.metrics.age
        if since is None or self.now - since < full or not is_judged(self.spec, name, percent):
            return set()
        alone = self.symptom.suspected >= {name}  # no limit allows that the baseline arm has no request at all
        return {name} if alone or self.broken(percent) == name else set()

    @cached_property
    def blind(self) -> bool:
        """Whether a criterion that could revert cannot be measured, or is measured of a part of the fleet or beside others."""
        return any(self.action(one) is Action.REVERT for one in self.unseen(self.share)) or self._half_seen

    @property
    def _half_seen(self) -> bool:
        target, criteria = self.target, self.spec.criteria
        listed = target.sidecars.values() if not target.pods_missing else ()
        following = [each.report("", self.now) for each in listed if each.reachable]
        scraped = max(0, len(target.sidecars) - target.unscraped)
        partly = scraped < sum(each.rollout == target.identity.key for each in following)
        judged = {one for one in CRITERIA if is_judged(self.spec, one, self.share)}
        return (partly or bool(target.foreign)) and any(action_of(criteria, one) is Action.REVERT for one in judged)

    def unanswered(self) -> set[str]:
        """Return the criteria without whose metrics nothing goes on: those of the requests whatever their actions."""
        of_requests = {"errorRate"} if isinstance(self.symptom.arms, Missing) else set()
        return {one for one in self.symptom.missing if self.action(one) is not Action.WARN} | of_requests

    def troubled(self, percent: int) -> set[str]:
        """Return the criteria that keep a rollout at `percent` where it is."""
        broken = self.broken(percent)
        seen_at_once = broken and self.symptom.found is not Found.BY_WINDOWS_ALONE
        amiss = self.unseen(percent) | ({broken} if seen_at_once else set()) | self.undecided(percent) | self.crowded(percent)
        return {one for one in amiss if self.action(one) is not Action.WARN} | self.unanswered()

    @cached_property
    def new_windows(self) -> list[CountedWindow]:
        """The counting windows that have ended and were not to be had before, up to the last that can be counted."""
        since, windows = self._counted_before or self.before.started_at, self.metrics.windows
        if isinstance(windows, Missing) or since is None:
            return []
        new = [window for window in windows if window.start >= since and window.end <= self.now]
        while new and not (any(arm.requests for arm in new[-1].arms.values()) and _counts(new[-1])):
            new.pop()
        return new

    @cached_property
    def counted_until(self) -> datetime | None:
        """End of the last counting window that can have been counted by now."""
        return self.new_windows[-1].end if self.new_windows else self._counted_before

    @property
    def _counted_before(self) -> datetime | None:
        """End of the last window counted before; a clock that was wrong by very much begins anew."""
        until = self.known.counted_until
        return self.now if until is not None and until - self.now > self._longest_quiet else until

    @property
    def _longest_quiet(self) -> timedelta:
        criteria = self.spec.criteria
        return criteria.window + GRACE * criteria.counting() + SETTLING

    @cached_property
    def quiet(self) -> bool:
        """Whether counting windows have failed to come for so long that nothing is proven any more."""
        return self.now - (self.counted_until or self.before.started_at or self.now) > self._longest_quiet

    # All together.

    @cached_property
    def proven(self) -> bool:
        """Whether nothing is known that would keep time from being proven: all have converged, and all is seen and good.

        A pause proves nothing.
        """
        counted = not self.quiet or not any_counted(self)
        alone = not self.target.rival and not self.target.unscraped and not self.target.foreign
        together = abs(self.metrics.clock_ahead) <= CLOCKS_MAY_DIFFER
        going = self.spec.mode is not Mode.PAUSED
        troubled = self.troubled(self.share) - ({"latencyP95"} if self.uncompared else set())
        return going and alone and together and self.converged and counted and not troubled

    @cached_property
    def sure(self) -> bool:
        """Whether time must be proven: nobody and nothing may hold this step, be it by what it has suffered before."""
        calm = self.spec.mode is Mode.AUTO and not self.target.identity.deleting and not self.reasons and not self.writes
        phases = (self.before.phase, self.after.phase) == (Phase.PROGRESSING, Phase.PROGRESSING)
        doubtful = {one for one in self.known.suffered if self.action(one) is not Action.WARN}
        found = self.after.convergence is not None and self.after.convergence.since is not None
        untouched = not isinstance(self.target.flags, Missing) and not self.target.flags.owners
        return (
            self.proven
            and calm
            and phases
            and not self.uncompared
            and untouched
            and found
            and self.share > 0
            and not doubtful
            and not self.quiet
        )

    def remembered(self) -> Memory:
        """Return what is to be remembered once the status is stored."""
        known, now = self.known, self.now
        started = "Started" in self.reasons
        restarted = bool(RESTARTS & self.reasons)
        unsure = known.blind_since is not None and (not self.running or self.target.pods_missing is not None)
        blind = (self.running and self.blind) or unsure
        reverted = self.after.phase is Phase.REVERTING
        granted = {number: min(at, now) for number, at in known.granted.items()}
        if self.after.request is not None and self.after.request != self.before.request and self.after.request.granted:
            granted[self.after.request.id] = now
        return Memory(
            proven=self.proven,
            sure=self.sure,
            allowance=self.allowance,
            converged_since=_since(known.converged_since, now) if self._converged_after else None,
            blind_since=_since(known.blind_since, now) if blind and not reverted and not restarted else None,
            step_since=self.step_since,
            awaited_since=self._awaited_since,
            suffered=frozenset() if started else known.suffered | self.suffers,
            lasting=self._lasting,
            slow_baseline=self._slow_baseline,
            counted_until=None if started or restarted else self.counted_until if self.running else self._counted_before,
            promoted=self.promoted if wanted_percent(self.after) == self.share else None,
            granted=granted,
        )

    @cached_property
    def suffers(self) -> frozenset[str]:
        """Criteria that look bad, be it in counting windows only, or at a share at which they are not judged yet."""
        bad = "" if self._excused(self.share) else self.symptom.bad
        looks = {bad, *self.symptom.suspected} - {""}
        return frozenset(one for one in looks if is_strict(self.spec.criteria, one)) if self.running else frozenset()

    @cached_property
    def most(self) -> float:
        """Milliseconds this evaluation can add to the proven time at most."""
        bake = self.before.bake
        if bake is None or bake.counted_at is None or not (self.proven and self.known.proven):
            return 0.0
        gap = (self.now - bake.counted_at).total_seconds() * 1000
        return max(0.0, min(gap, 3 * self.spec.interval.total_seconds() * 1000))

    @cached_property
    def allowance(self) -> float:
        """Milliseconds the step can have proven at most after this evaluation."""
        before, after = self.before, self.after
        if after.step is None or before.step is None or after.bake is None or before.bake is None:
            return 0.0
        begun = after.step.percent != before.step.percent or after.bake.proven_milliseconds < before.bake.proven_milliseconds
        return 0.0 if begun else self.known.allowance + self.most

    @cached_property
    def promoted(self) -> int | None:
        """The share up to which the present step may end early, by what was granted now or before, whatever the status says."""
        before, after, asked = self.before, self.after, self.spec.request
        if before.step is None or after.step is None:
            return None
        now = after.request if after.request != before.request else None
        if now is not None and now.granted and asked is not None and asked.action is not RequestAction.APPROVE:
            above = [step.percent for step in self.spec.plan() if step.percent > self.share]
            return asked.to or (above[0] if above else self.share)
        gone = self.known.promoted not in {self.share, *(step.percent for step in self.spec.plan())}
        return None if gone or "FeaturesEdited" in self.reasons else self.known.promoted

    @cached_property
    def here(self) -> Step:
        """The step whose bake and hold the present share must fulfil."""
        steps = self.spec.plan()
        return ([step for step in steps if step.percent <= self.share] or steps[:1])[-1]

    @cached_property
    def step_since(self) -> datetime | None:
        """Since when the step that the next status is in has been in force, or has begun again."""
        before, after = self.before.step, self.after.step
        if after is None:
            return None
        begins = before is None or before.percent != after.percent or "FeaturesEdited" in self.reasons
        return self.now if begins or RESTARTS & self.reasons else _since(self.known.step_since, self.now)

    @property
    def held_long_enough(self) -> bool:
        """Whether the present step has lasted for as long as it must at least."""
        return self.now - _since(self.known.step_since, self.now) >= self.here.hold

    @property
    def uncompared(self) -> bool:
        """Whether there is no p95 of a healthy baseline that latencies at the present share could be compared with.

        A baseline that was slow for minutes has become what is compared with; one that was slow for seconds has not.
        """
        stored = self.before.baseline_p95_microseconds
        return self.share == 100 and (stored is None or stored > FOLLOWED or self.known.slow_baseline)

    @property
    def _slow_baseline(self) -> bool:
        arms = self.metrics.arms
        seen = not isinstance(arms, Missing) and arms.get(ARM_BASELINE, ArmWindow()).requests >= 100
        first = self.running and 0 < self.share < 100 and self.before.baseline_p95_microseconds is None
        return self.symptom.slow_baseline if seen and first else self.known.slow_baseline

    @property
    def bake_is_over(self) -> bool:
        """Whether the present step can have proven as much time as it needs by now, as far as its clock could count it."""
        return self.known.allowance + self.most >= self.here.bake.total_seconds() * 1000 - ROUNDING

    @property
    def _converged_after(self) -> bool:
        return self.converged and wanted_percent(self.after) == self.share

    @cached_property
    def _awaited_since(self) -> datetime | None:
        old, new = self.before.awaited, self.after.awaited
        if new is None:
            return None
        return _since(self.known.awaited_since if old is not None and old.percent == new.percent else None, self.now)

    @property
    def awaited_for(self) -> timedelta:
        """How long an approval has been waited for."""
        return self.now - (self._awaited_since or _since(self.known.awaited_since, self.now))

    @property
    def _lasting(self) -> tuple[str, int, int]:
        broken = self.broken(self.share) if self.running else ""
        settled = self.known.converged_since
        shown = [one for one in self.new_windows if settled is not None and one.start >= settled]
        criterion, share, windows = self.known.lasting
        goes_on = (criterion, share) == (broken, self.share) and wanted_percent(self.after) == self.share
        return (broken, self.share, (windows if goes_on else 0) + len(shown)) if broken else ("", 0, 0)


def any_counted(moment: Moment) -> bool:
    """Return whether a criterion that is tested by counting windows can hold this step."""
    tested = ("errorRate", "latencyP95", "denyShift", "sampleRatio", "fallbackRate", "opaP95", "cacheP95")
    return any(is_judged(moment.spec, one, moment.share) and moment.action(one) is not Action.WARN for one in tested)


def gates_between(moment: Moment, wanted: int) -> set[int]:
    """Return the steps from the present share to `wanted` that begin only with an approval."""
    return {
        step.percent
        for step in moment.spec.plan()
        if moment.share < step.percent <= wanted and step.approval is Approval.REQUIRED
    }


def _counts(window: CountedWindow) -> bool:
    """Return whether all that the window says of the arms can be numbers of requests."""
    arms = window.arms.values()
    numbers = [number for arm in arms for number in (arm.requests, arm.errors, arm.refusals, *arm.latency.counts)]
    return all(0 <= number <= MAX_COUNT for number in numbers)


def _since(since: datetime | None, now: datetime) -> datetime:
    return min(since or now, now)
