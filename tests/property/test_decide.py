"""Whatever happens to a rollout, in whatever order: what `decide` must never do, and what it must always do.

The machine plays user, cluster, Prometheus and clock at random against a simulated target. What is true (who has confirmed,
what the metrics say) is worked out here from what was done to the target, not read from the status under test.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from datetime import timedelta

from hypothesis import HealthCheck, event, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from sark_api.flags import FeatureFlags, FlagDocument
from sark_api.names import ARM_BASELINE, ARM_NEW
from sark_api.spec import Features, Mode, OnDelete, Rollback, Step, Toggle
from sark_api.status import Phase, SarkRolloutStatus
from sark_e2e.simulated_target import SimulatedSidecar, SimulatedTarget, arm
from sark_operator.core.decision import Decision, WriteFlags, WriteStatus
from sark_operator.core.lifecycle import is_terminal, wanted_percent
from sark_operator.core.observation import ArmWindow, Missing

AWAY = Missing("MetricsUnreachable", "no answer")
GOOD: Mapping[str, ArmWindow] = {ARM_NEW: arm(), ARM_BASELINE: arm()}
METRICS: dict[str, tuple[Mapping[str, ArmWindow] | Missing, float | Missing]] = {
    "good": (GOOD, 0.0),
    "errors": ({ARM_NEW: arm(1000, 100), ARM_BASELINE: arm()}, 0.0),
    "errors, else blind": ({ARM_NEW: arm(1000, 100)}, AWAY),
    "leak": (GOOD, 90_000.0),
    "leak, else blind": (AWAY, 90_000.0),
    "few": ({ARM_NEW: arm(12, 12), ARM_BASELINE: arm()}, 0.0),
    "none": ({}, 0.0),
    "nonsense": ({ARM_NEW: arm(float("nan"), 0), ARM_BASELINE: arm()}, 0.0),
    "no memory": (GOOD, AWAY),
    "away": (AWAY, AWAY),
}
BREACHES = {"errors", "errors, else blind", "leak", "leak, else blind"}
PLANS = [(5, 10, 25, 50, 100), (5, 25, 100), (50, 100), (1, 2, 3, 100), (10, 20, 40, 80, 100)]
WAITS = st.sampled_from([0.0, 0.0004, 0.3, 1.0, 2.0, 5.0, 20.0, 3600.0, -1.0, -30.0, -86_400.0])
NAMES = st.sampled_from(["gw-0", "gw-1", "gw-2", "gw-3"])


class Rollout(RuleBasedStateMachine):
    """One rollout, its target, and everything that can happen to them."""

    @initialize(keep=st.booleans(), blind_for=st.sampled_from([0, 60]), seconds=st.integers(0, 120))
    def begin(self, keep: bool, blind_for: int, seconds: int) -> None:
        self.target = SimulatedTarget()
        on_delete = OnDelete.KEEP if keep else OnDelete.BASELINE
        self.target.ask(rollback=Rollback(on_delete=on_delete, blind_for=timedelta(seconds=blind_for)))
        self.metrics = "good"
        self.asked = False
        """Whether the user has acted, or someone has written a document, since the status was last stored."""
        self.proved_before = False
        """Whether the tick that stored the status saw everything converged and passing."""
        self.allowance = 0.0
        """Milliseconds the present step can have proven at most."""
        self.all_is_well_for_a_while(seconds)

    # What happens to the rollout.

    @rule(after=WAITS, die_after=st.sampled_from([None, None, None, 0, 1]), deliver=st.booleans())
    def one_tick(self, after: float, die_after: int | None, deliver: bool) -> None:
        self.tick(after, die_after, deliver)

    @rule(seconds=st.integers(5, 40))
    def all_is_well_for_a_while(self, seconds: int) -> None:
        target = self.target
        self.measure("good")
        target.rival, target.pods_missing = "", None
        for name in list(target.sidecars):
            target.sidecars[name] = SimulatedSidecar(target.sidecars[name].document)
        if isinstance(target.flags, Missing) or target.flags.error:
            target.put(None)
        target.deliver()
        for _ in range(seconds):
            self.tick(1.0, None, deliver=True)

    @rule(kind=st.sampled_from(sorted(METRICS)))
    def measure(self, kind: str) -> None:
        self.metrics = kind
        self.target.arms, self.target.growth = METRICS[kind]

    @rule(kind=st.sampled_from(sorted(METRICS)), after=WAITS)
    def measure_and_tick(self, kind: str, after: float) -> None:
        self.measure(kind)
        self.tick(after, None, deliver=True)

    @rule(name=NAMES, following=st.booleans(), reachable=st.booleans(), policy=st.sampled_from(["policy-1", "policy-2", ""]))
    def change_a_sidecar(self, name: str, following: bool, reachable: bool, policy: str) -> None:
        document = self.target.sidecars[name].document if name in self.target.sidecars else None
        self.target.sidecars[name] = SimulatedSidecar(document, reachable, following, policy)

    @rule(name=NAMES)
    def lose_a_sidecar(self, name: str) -> None:
        self.target.sidecars.pop(name, None)

    @rule(name=NAMES)
    def start_a_sidecar(self, name: str) -> None:
        self.target.sidecars[name] = SimulatedSidecar()
        self.target.deliver()

    @rule(away=st.booleans())
    def list_pods(self, away: bool) -> None:
        self.target.pods_missing = Missing("PodsUnavailable", "503") if away else None

    @rule(rival=st.sampled_from(["", "", "shop/other"]))
    def compete(self, rival: str) -> None:
        self.target.rival = rival

    # What happens to the flags.

    @rule(away=st.booleans())
    def lose_the_config_map(self, away: bool) -> None:
        if away:
            self.target.flags = Missing("FlagsUnavailable", "503")
        else:
            self.target.lose_config_map()

    @rule(error=st.sampled_from(["", "not JSON"]))
    def spoil_the_document(self, error: str) -> None:
        self.target.put(None, error)

    @rule(percent=st.sampled_from([0, 5, 30, 100]), ours=st.booleans(), newer=st.integers(-2, 3))
    def write_by_hand(self, percent: int, ours: bool, newer: int) -> None:
        flags = FeatureFlags(rust_opa_enabled=percent > 0, rust_cache_enabled=percent > 0, rollout_percentage=percent)
        rollout, salt = (self.target.identity.key, self.target.identity.uid) if ours else ("shop/other", "uid-0")
        revision = max(1, self.known_revision() + newer)
        self.target.put(FlagDocument(feature_flags=flags, salt=salt, rollout=rollout, revision=revision).sealed())
        self.asked = True

    # What the user asks for.

    @rule(mode=st.sampled_from([Mode.AUTO, Mode.AUTO, Mode.PAUSED, Mode.ROLLBACK]))
    def set_the_mode(self, mode: Mode) -> None:
        self.ask(mode=mode)

    @rule(by=st.sampled_from([1, 1, -1]))
    def change_the_attempt(self, by: int) -> None:
        self.ask(attempt=max(1, self.target.spec.attempt + by))

    @rule(plan=st.sampled_from(PLANS), bake=st.sampled_from([12, 15, 40]))
    def edit_the_plan(self, plan: tuple[int, ...], bake: int) -> None:
        self.ask(steps=[Step(percent=percent, bake=timedelta(seconds=bake)) for percent in plan])

    @rule(cache=st.sampled_from(Toggle))
    def edit_the_features(self, cache: Toggle) -> None:
        self.ask(features=Features(cache=cache))

    @rule()
    def delete(self) -> None:
        if self.target.written:
            self.target.delete()
            self.asked = True

    def ask(self, **changes: object) -> None:
        self.target.ask(**changes)
        self.asked = True

    # What must hold at every tick.

    def tick(self, after: float, die_after: int | None, deliver: bool) -> None:
        target = self.target
        target.now += timedelta(seconds=after)
        before, truth, written, known = target.status, self.truth(), len(target.written), self.known_revision()
        decision = target.decide()

        assert target.decide() == decision, "the same input, another decision"
        assert SarkRolloutStatus.model_validate(decision.status.to_wire()) == decision.status, "the status changes on the wire"
        assert decision.wake_at > target.now.replace(microsecond=0)
        self.check_advance(before, decision)
        self.check_breach(before, decision)
        self.check_rest(before, decision)
        self.check_bake(before, decision, truth)
        self.check_idempotence()

        target.tick(die_after=die_after, deliver=deliver)
        self.check_writes(written, known)
        if target.status == decision.status:
            self.proved_before, self.asked = truth, False
            self.allowance = self.next_allowance
        for record in decision.records:
            event(record.reason)

    def truth(self) -> bool:
        """Whether every sidecar has the right document in force and applies it, both arms agree, and all metrics are good."""
        target, document = self.target, self.target.document
        percent = wanted_percent(target.status)
        if target.pods_missing or target.rival or not target.sidecars or document is None or self.metrics != "good":
            return False
        applied = [sidecar.document for sidecar in target.sidecars.values() if sidecar.reachable]
        return (
            document.percentage == percent
            and len(applied) == len(target.sidecars)
            and all(each is not None and self.applies(each, percent) for each in applied)
            and {sidecar.policy for sidecar in target.sidecars.values()} == {"policy-1"}
        )

    def applies(self, document: FlagDocument, percent: int) -> bool:
        ours = document.rollout == self.target.identity.key
        return ours and document.percentage == percent and not document.expired(self.target.now)

    def check_advance(self, before: SarkRolloutStatus, decision: Decision) -> None:
        """A share is raised only by the plan's next step, and only when everything is seen, confirmed and wanted."""
        share, spec = wanted_percent(before), self.target.spec
        wanted = wanted_percent(decision.status)
        if wanted <= share:
            return
        event("raised to 100" if wanted == 100 else "raised")
        assert wanted == min(step.percent for step in spec.plan() if step.percent > share)
        assert spec.mode is Mode.AUTO
        assert not self.target.identity.deleting
        assert not self.target.rival
        sidecars = self.target.sidecars.values()
        assert sidecars
        assert all(sidecar.reachable for sidecar in sidecars)
        assert self.metrics not in {"away", "no memory", *({"leak, else blind", "errors, else blind"} if share == 0 else ())}
        if share > 0:
            assert self.truth(), "advanced although not all was proven"

    def check_breach(self, before: SarkRolloutStatus, decision: Decision) -> None:
        """A breach above 0 % leads to 0 % in this very tick, flags first, whatever else goes on."""
        target = self.target
        if wanted_percent(before) == 0 or self.metrics not in BREACHES or self.resting(before):
            return
        event("breach")
        assert decision.status.phase in (Phase.REVERTING, Phase.REVERTED)
        assert wanted_percent(decision.status) == 0
        document = target.document
        ours = document is not None and (document.rollout, document.salt) == (target.identity.key, target.identity.uid)
        if ours and document is not None and document.percentage == 0:
            return
        if document is not None and not ours and (target.rival or target.identity.deleting):
            return
        if isinstance(target.flags, Missing) and target.flags.reason == "FlagsConfigMapMissing" and target.identity.deleting:
            return
        first = decision.actions[0]
        assert isinstance(first, WriteFlags)
        assert first.force
        assert first.document.percentage == 0

    def check_rest(self, before: SarkRolloutStatus, decision: Decision) -> None:
        """What has ended stays ended until the user acts."""
        if self.resting(before) and not self.asked and before.observed_generation == self.target.identity.generation:
            waits = before.attempt < self.target.spec.attempt
            assert waits or decision.status.phase is before.phase
            assert waits or wanted_percent(decision.status) == wanted_percent(before)

    def resting(self, status: SarkRolloutStatus) -> bool:
        past = status.completed_at and min(status.completed_at, self.target.now)
        return is_terminal(self.target.spec, status.model_copy(update={"completed_at": past}), self.target.now)

    def check_bake(self, before: SarkRolloutStatus, decision: Decision, truth: bool) -> None:
        """Proven time is at most the time between good ticks, and at most three intervals of it at once."""
        after, self.next_allowance = decision.status, 0.0
        if after.step is None or after.bake is None or before.step is None or before.bake is None:
            return
        if after.step.percent != before.step.percent or after.bake.proven_milliseconds < before.bake.proven_milliseconds:
            assert after.bake.proven_milliseconds == 0
            return
        gap = (self.target.now - (before.bake.counted_at or self.target.now)).total_seconds() * 1000
        grown = after.bake.proven_milliseconds - before.bake.proven_milliseconds
        most = max(0.0, min(gap, 3 * self.target.spec.interval.total_seconds() * 1000)) if truth and self.proved_before else 0.0
        assert 0 <= grown <= most
        self.next_allowance = self.allowance + most
        assert after.bake.proven_milliseconds <= self.next_allowance

    def check_idempotence(self) -> None:
        """Deciding again on the outcome, with nothing else changed, decides nothing more."""
        twin = copy.copy(self.target)
        twin.written, twin.sidecars = list(twin.written), copy.deepcopy(twin.sidecars)
        first = twin.tick(deliver=False)
        if isinstance(twin.flags, Missing) and any(isinstance(action, WriteFlags) for action in first.actions):
            return  # the API server does not take the write: it will be tried again
        again = twin.tick(deliver=False)
        assert again.records == ()
        assert not any(isinstance(action, WriteFlags) for action in again.actions)
        assert (again.status.phase, again.status.step) == (first.status.phase, first.status.step)
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
            assert write.document.percentage <= wanted_percent(self.target.status) or write.document.percentage == 0
            assert write.document.digest() == write.document.sha256


Rollout.TestCase.settings = settings(
    max_examples=80,
    stateful_step_count=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
TestRollout = Rollout.TestCase
