"""Whatever happens to a rollout, in whatever order: what `decide` must never do, and what it must always do.

The machine plays user, cluster, Prometheus and clock at random against a simulated target. What is true (who has confirmed,
what the metrics say) is worked out here from what was done to the target, not read from the status under test.
"""

from __future__ import annotations

import copy
import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, event, settings
from hypothesis import Phase as Stage
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from sark_api.conditions import CONDITIONS
from sark_api.evidence import verify
from sark_api.flags import FeatureFlags, FlagDocument
from sark_api.names import ARM_BASELINE, ARM_NEW
from sark_api.reasons import REASONS
from sark_api.spec import (
    Action,
    Approval,
    Approvals,
    Cpu,
    Day,
    Features,
    FlagEdits,
    Mode,
    OnDelete,
    Request,
    RequestAction,
    Retry,
    Rollback,
    Step,
    StepShadow,
    Toggle,
    Window,
)
from sark_api.status import ConditionStatus, Phase, SarkRolloutStatus
from sark_e2e.simulated_target import SimulatedSidecar, SimulatedTarget, arm
from sark_operator.core.alerts import FiringAlert
from sark_operator.core.decision import Decision, WriteFlags, WriteStatus
from sark_operator.core.lifecycle import wanted_percent
from sark_operator.core.observation import ArmWindow, Missing

AWAY = Missing("MetricsUnreachable", "no answer")
GOOD: Mapping[str, ArmWindow] = {ARM_NEW: arm(), ARM_BASELINE: arm()}
FIRING = {
    action: (FiringAlert.of({"alertname": "Odd", "sark_rollout": "shop/gateway", "sark_action": action}),) for action in Action
}
METRICS: dict[str, tuple[Mapping[str, ArmWindow] | Missing, float | Missing]] = {
    "good": (GOOD, 0.0),
    "errors": ({ARM_NEW: arm(1000, 100), ARM_BASELINE: arm()}, 0.0),
    "some errors": ({ARM_NEW: arm(1000, 30), ARM_BASELINE: arm()}, 0.0),
    "errors, else blind": ({ARM_NEW: arm(1000, 100)}, AWAY),
    "leak": (GOOD, 90_000.0),
    "leak, else blind": (AWAY, 90_000.0),
    "slowness": ({ARM_NEW: arm(seconds=0.2), ARM_BASELINE: arm()}, 0.0),
    "an alert reverts": (GOOD, 0.0),
    "an alert holds": (GOOD, 0.0),
    "an alert warns": (GOOD, 0.0),
    "few": ({ARM_NEW: arm(12, 12), ARM_BASELINE: arm()}, 0.0),
    "none": ({}, 0.0),
    "nonsense": ({ARM_NEW: arm(float("nan"), 0), ARM_BASELINE: arm()}, 0.0),
    "no memory": (GOOD, AWAY),
    "away": (AWAY, AWAY),
}
ALERTS = {f"an alert {action.lower()}s": FIRING[action] for action in Action}
BY_THE_FLOOR = {"errors", "errors, else blind", "slowness"}
BREACHES = BY_THE_FLOOR | {"leak", "leak, else blind", "an alert reverts"}
WELL = {"good", "an alert warns"}
TROUBLES = [
    "rival",
    "pods cannot be listed",
    "config map gone",
    "config map away",
    "document gone",
    "document mangled",
    "evidence cannot be filed",
    "a sidecar is not scraped",
    "Prometheus' clock is behind",
    "Prometheus' clock is minutes behind",
    "Prometheus' clock is minutes ahead",
]
SIDECAR_TROUBLES: list[dict[str, Any] | None] = [
    None,  # it is gone
    {"document": None},
    {"following": False},
    {"document": None, "following": False},
    {"reachable": False},
    {"policy": "policy-2"},
    {"baseline_policy": ""},
]
PLANS = [(0, 5, 100), (5, 10, 25, 50, 100), (5, 25, 100), (50, 100), (1, 2, 3, 100), (10, 20, 40, 80, 100)]
SEEN_IN_SHADOW = WELL | {"errors", "some errors", "slowness", "few", "none", "nonsense"}
"""What is good enough for a step of 0 %, in which the new arm has no requests to judge."""
KINDS = st.sampled_from(["good"] * 2 * len(METRICS) + sorted(METRICS))
DYING = st.sampled_from([None, None, None, 0, 1])
"""After how many writes the operator dies."""
WAITS = st.sampled_from([0.0, 0.0004, 0.3, 1.0, 2.0, 5.0, 20.0, 3600.0, -1.0, -30.0, -86_400.0])
OFTEN = [Window(days=list(Day), start="00:00", end="00:00")]
NEVER = [Window(days=[Day.MON], start="03:00", end="03:01")]
"""The story begins on a Thursday at noon and does not last until Monday."""
NAMES = st.sampled_from(["gw-0", "gw-1", "gw-2", "gw-3"])


EXAMPLES = int(os.environ.get("SARK_EXAMPLES", "100"))
"""Stories that are played; each has up to 20 events, and each event up to some dozen ticks."""
TALLY: Counter[str] = Counter()
"""How often what happened, over all stories."""


def noted(what: str) -> None:
    """Count what happened, here and in Hypothesis' statistics."""
    event(what)
    TALLY[what] += 1


def plan_of(percents: tuple[int, ...], bake: int) -> list[Step]:
    """Return steps with `bake` seconds each; one of 0 % compares decisions."""
    return [
        Step(percent=percent, bake=timedelta(seconds=bake), shadow=StepShadow(sample_percent=0 if percent else 10))
        for percent in percents
    ]


class Rollout(RuleBasedStateMachine):
    """One rollout, its target, and everything that can happen to them."""

    @initialize(
        keep=st.booleans(),
        blind_for=st.sampled_from([0, 60]),
        retries=st.sampled_from([0, 0, 2]),
        edits=st.sampled_from([FlagEdits.CORRECT, FlagEdits.CORRECT, FlagEdits.HOLD]),
        seconds=st.sampled_from([0, 0, 20, 40, 60, 80, 120]),
        compares_first=st.sampled_from([False, False, True]),
    )
    def begin(self, *, keep: bool, blind_for: int, retries: int, edits: FlagEdits, seconds: int, compares_first: bool) -> None:
        TALLY["stories"] += 1
        self.target = SimulatedTarget()
        self.target.ask(flag_edits=edits)
        if compares_first:
            self.target.ask(steps=plan_of((0, 5, 25, 100), 15))
        on_delete = OnDelete.KEEP if keep else OnDelete.BASELINE
        retry = Retry(limit=retries, after=timedelta(seconds=30))
        self.target.ask(rollback=Rollback(on_delete=on_delete, blind_for=timedelta(seconds=blind_for), retry=retry))
        self.answered: dict[int, Request] = {}
        """Every request whose answer was stored."""
        self.used: set[int] = set()
        """Requests whose approval has let a step begin."""
        self.measure("good")
        self.evaluated = self.policy()
        """What the spec says by which the stored status was decided."""
        self.asked = False
        """Whether the user has acted, or someone has written a document, since the status was last stored."""
        self.proved_before = False
        """Whether the tick that stored the status saw everything converged and passing."""
        self.allowance = 0.0
        """Milliseconds the present step can have proven at most."""
        self.ticks = 0
        self.restarts = 0
        """How often the user made it start over."""
        self.taken_back = -1
        """How often that was when a share was last taken back."""
        self.all_is_well_for_a_while(seconds)

    # What happens.

    @rule(kind=KINDS, after=WAITS, dying=DYING, deliver=st.booleans())
    def one_tick(self, kind: str, after: float, dying: int | None, deliver: bool) -> None:
        self.measure(kind)
        self.tick(after, dying, deliver)

    @rule(kind=KINDS, seconds=st.integers(1, 40), dying=DYING, deliver=st.booleans())
    def time_passes(self, kind: str, seconds: int, dying: int | None, deliver: bool) -> None:
        self.measure(kind)
        for _ in range(0, seconds, 2):
            self.tick(2.0, dying, deliver)

    @rule(kind=KINDS, dying=DYING, away=st.sampled_from([2.0, 20.0, 40.0]))
    def the_operator_is_away_and_all_looks_good_again(self, kind: str, dying: int | None, away: float) -> None:
        self.measure(kind)
        self.tick(2.0, dying, deliver=True)
        self.measure("good")
        self.tick(away, None, deliver=True)
        self.time_passes("good", 6, None, deliver=True)

    @rule(seconds=st.integers(5, 40))
    def all_is_well_for_a_while(self, seconds: int) -> None:
        target = self.target
        target.rival, target.pods_missing, target.filing_fails = "", None, ""
        target.unscraped, target.clock_behind = 0, timedelta(0)
        for name in list(target.sidecars):
            target.sidecars[name] = SimulatedSidecar(target.sidecars[name].document)
        if isinstance(target.flags, Missing) or target.flags.error:
            target.put(None)
        elif target.flags.owners:
            target.put(target.document)  # they have let go of it
        target.deliver()
        self.time_passes("good", seconds, None, deliver=True)

    @rule(trouble=st.sampled_from(TROUBLES), kind=KINDS, seconds=st.integers(2, 40), deliver=st.booleans())
    def something_goes_wrong(self, trouble: str, kind: str, seconds: int, deliver: bool) -> None:
        match trouble:
            case "rival":
                self.target.rival = "shop/other"
            case "pods cannot be listed":
                self.target.pods_missing = Missing("PodsUnavailable", "503")
            case "config map gone":
                self.target.lose_config_map()
            case "config map away":
                self.target.flags = Missing("FlagsUnavailable", "503")
            case "document gone" | "document mangled":
                self.target.put(None, "not JSON" if trouble == "document mangled" else "", by="kubectl-edit")
            case "evidence cannot be filed":
                self.target.filing_fails = "forbidden"
            case "a sidecar is not scraped":
                self.target.unscraped = 1
            case "Prometheus' clock is minutes behind":
                self.target.clock_behind = timedelta(minutes=5)
            case "Prometheus' clock is minutes ahead":
                self.target.clock_behind = timedelta(minutes=-5)
            case _:
                self.target.clock_behind = timedelta(seconds=30)
        self.time_passes(kind, seconds, None, deliver)

    @rule(trouble=st.sampled_from(SIDECAR_TROUBLES), name=NAMES, kind=KINDS, seconds=st.integers(2, 40), deliver=st.booleans())
    def a_sidecar_goes_wrong(self, trouble: dict[str, Any] | None, name: str, kind: str, seconds: int, deliver: bool) -> None:
        before = self.target.sidecars.pop(name, SimulatedSidecar())
        if trouble is not None:
            self.target.sidecars[name] = replace(before, **trouble)
        self.time_passes(kind, seconds, None, deliver)

    @rule(
        percent=st.sampled_from([0, 5, 30, 100]),
        ours=st.booleans(),
        newer=st.integers(-2, 3),
        kind=KINDS,
        by=st.sampled_from(["", "kubectl-edit"]),
    )
    def someone_writes_the_flags(self, percent: int, ours: bool, newer: int, kind: str, by: str) -> None:
        flags = FeatureFlags(rust_opa_enabled=percent > 0, rust_cache_enabled=percent > 0, rollout_percentage=percent)
        rollout, salt = (self.target.identity.key, self.target.identity.uid) if ours else ("shop/other", "uid-0")
        revision = max(1, self.known_revision() + newer)
        self.target.put(FlagDocument(feature_flags=flags, salt=salt, rollout=rollout, revision=revision).sealed(), by=by)
        self.asked = True
        self.time_passes(kind, 4, None, deliver=True)

    def measure(self, kind: str) -> None:
        self.metrics = kind
        self.target.arms, self.target.growth = METRICS[kind]
        self.target.alerts = ALERTS.get(kind, ())

    # What the user asks for.

    @rule(
        mode=st.sampled_from([Mode.PAUSED, *Mode]),
        kind=st.sampled_from(sorted(METRICS)),
        seconds=st.integers(20, 40),
        for_good=st.booleans(),
    )
    def set_the_mode(self, mode: Mode, kind: str, seconds: int, for_good: bool) -> None:
        before = self.target.spec.mode
        self.ask(mode=mode)
        self.time_passes("good", seconds, None, deliver=True)
        self.time_passes(kind, seconds, None, deliver=True)
        if not for_good:
            self.ask(mode=before)

    @rule(by=st.sampled_from([1, 1, -1]))
    def change_the_attempt(self, by: int) -> None:
        self.ask(attempt=max(1, self.target.spec.attempt + by), mode=Mode.AUTO)

    @rule(plan=st.sampled_from(PLANS), bake=st.sampled_from([12, 15, 40]), cache=st.sampled_from(Toggle))
    def edit_the_spec(self, plan: tuple[int, ...], bake: int, cache: Toggle) -> None:
        self.ask(steps=plan_of(plan, bake), features=Features(cache=cache))
        self.tick(2.0, None, deliver=True)

    @rule(cpu=st.sampled_from([70, 80, 90]), dying=DYING)
    def edit_a_limit(self, cpu: int, dying: int | None) -> None:
        criteria = self.target.spec.criteria.model_copy(update={"cpu": Cpu(limit_percent=cpu)})
        self.ask(criteria=criteria)
        self.tick(2.0, dying, deliver=True)

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
            self.all_is_well_for_a_while(30)
        status, plan = self.target.status, self.target.spec.plan()
        here = status.step.percent if status.step else 0
        above = [step.percent for step in plan if step.percent > here] or [100]
        if calm and action is RequestAction.APPROVE:
            self.gate((above[0],), [])
            self.all_is_well_for_a_while(20)
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
        self.time_passes("good", 6, None, deliver=True)
        if not keeps_asking:
            self.ask(request=None)

    @rule(gated=st.sampled_from([(), (5,), (25, 100), (10, 50)]), windows=st.sampled_from([[], [], OFTEN, NEVER]))
    def gate(self, gated: tuple[int, ...], windows: list[Window]) -> None:
        steps = [
            step.model_copy(update={"approval": Approval.REQUIRED if step.percent in gated else Approval.NONE})
            for step in self.target.spec.plan()
        ]
        self.ask(steps=steps, windows=windows, approvals=Approvals(valid_for=timedelta(minutes=30)))
        self.time_passes("good", 30, None, deliver=True)

    @rule(sure=st.sampled_from([False, False, True]))
    def delete(self, sure: bool) -> None:
        if sure and self.target.written:
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

        eventful = bool(decision.records) or any(isinstance(action, WriteFlags) for action in decision.actions)
        self.ticks += 1
        TALLY["ticks"] += 1
        if eventful or self.ticks % 5 == 0:
            assert target.decide() == decision, "the same input, another decision"
            self.check_idempotence()
        assert SarkRolloutStatus.model_validate(decision.status.to_wire()) == decision.status, "the status changes on the wire"
        assert decision.wake_at > target.now.replace(microsecond=0)
        self.check_advance(before, decision)
        self.check_breach(before, decision)
        self.check_rest(before, decision)
        self.check_bake(before, decision, truth)
        self.check_evidence(before, decision)

        self.check_requests(before, decision)
        self.check_edits(before, decision)
        self.check_conditions(decision)

        target.tick(die_after=die_after, deliver=deliver)
        if target.status == decision.status:
            self.note_answers(before, decision.status)
        taken_back = self.restarts
        if target.status == decision.status:
            self.restarts += sum(record.reason in {"AttemptRaised", "Retried"} for record in decision.records)
        self.check_writes(written, known)
        if any(write.document.percentage == 0 for write in target.written[written:]) and wanted_percent(before) > 0:
            self.taken_back = taken_back
        if target.status == decision.status:
            self.proved_before, self.asked, self.evaluated = truth, False, self.policy()
            self.allowance = self.next_allowance
        for record in decision.records:
            noted(record.reason)
        self.check_numbers()

    def teardown(self) -> None:
        """Every decision that was stored has one record, filed or waiting, and the chain of all holds."""
        if hasattr(self, "target"):
            target = self.target
            broken = verify(target.identity.uid, target.status.ledger, target.filed.items())
            assert broken is None, broken

    def check_numbers(self) -> None:
        """The history and the filed records are numbered as the ledger counts them."""
        ledger, target = self.target.status.ledger, self.target
        assert max(target.filed, default=0) <= ledger.records
        numbers = [entry.number for entry in target.status.history]
        assert numbers == list(range(ledger.records - len(numbers) + 1, ledger.records + 1))

    def unfiled(self) -> bool:
        """Whether a record waits that the present operator does not know to be filed."""
        ledger, filing = self.target.status.ledger, self.target.filing
        return bool(ledger.unfiled) and (filing is None or filing.number < ledger.records)

    def truth(self) -> bool:
        """Whether every sidecar has the right document in force and applies it, both arms agree, and all metrics are good."""
        target, document = self.target, self.target.document
        percent = wanted_percent(target.status)
        enough = WELL if percent else SEEN_IN_SHADOW
        if target.pods_missing or target.rival or not target.sidecars or document is None or self.metrics not in enough:
            return False
        if target.unscraped or abs(target.clock_behind) > timedelta(seconds=30):
            return False
        applied = [sidecar.document for sidecar in target.sidecars.values() if sidecar.reachable]
        return (
            document.percentage == percent
            and len(applied) == len(target.sidecars)
            and all(each is not None and self.applies(each, percent) for each in applied)
            and {(each.policy, each.baseline_policy) for each in target.sidecars.values()} == {("policy-1", "policy-1")}
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
        noted("raised to 100" if wanted == 100 else "raised")
        first = min(step.percent for step in spec.plan() if step.percent > share)
        assert wanted == (self.promoted(before, decision.status) or first)
        assert spec.windows in ([], OFTEN)
        gates = {step.percent for step in spec.plan() if share < step.percent <= wanted and step.approval is Approval.REQUIRED}
        assert gates <= {each.percent for each in before.approvals} | self.approved_now(decision.status)
        assert not {each.percent for each in decision.status.approvals} & gates, "an approval was not used up"
        assert spec.mode is Mode.AUTO
        assert not self.target.identity.deleting
        assert not self.target.rival
        sidecars = self.target.sidecars.values()
        assert sidecars
        assert all(sidecar.reachable for sidecar in sidecars)
        blind = {"leak, else blind", "errors, else blind"} if share == 0 else set()
        assert self.metrics not in {"away", "no memory", "an alert holds", "an alert reverts", *blind}
        assert not self.unfiled(), "advanced although an earlier decision is in no ConfigMap"
        if before.step is not None:
            noted("advanced on proof")
            assert self.truth(), "advanced although not all was proven"

    def check_breach(self, before: SarkRolloutStatus, decision: Decision) -> None:
        """A breach above 0 % leads to 0 % in this very tick, flags first, whatever else goes on."""
        target = self.target
        if wanted_percent(before) == 0 or self.metrics not in BREACHES or self.resting(before):
            return
        if self.metrics in BY_THE_FLOOR and self.unseasoned(decision.status):
            noted("breach, too early for the floor")
            return
        noted("breach")
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

    def unseasoned(self, status: SarkRolloutStatus) -> bool:
        """Whether the attempt has lasted for less than a metric window, and fewer than two windows of it were counted."""
        lasted = self.target.now - (status.started_at or self.target.now)
        test = "latencyP95" if self.metrics == "slowness" else "errorRate"
        counted = sum(evidence.windows for evidence in status.evidence if evidence.name == test)
        return lasted < self.target.spec.criteria.window and counted < 2

    def promoted(self, before: SarkRolloutStatus, after: SarkRolloutStatus) -> int | None:
        """The share that was asked for by a promotion that has not been used, granted in this tick or before."""
        spec, asked = self.target.spec, self.target.spec.request
        now = after.request if after.request != before.request else None
        if now is not None and now.granted and asked is not None and asked.action is not RequestAction.APPROVE:
            return asked.to or min(step.percent for step in spec.plan() if step.percent > wanted_percent(before))
        to = before.step.promoted_to if before.step else None
        return to if to in {step.percent for step in spec.plan()} else None

    def approved_now(self, after: SarkRolloutStatus) -> set[int]:
        """The step whose approval is granted in this tick."""
        asked, answer = self.target.spec.request, after.request
        if asked is None or answer is None or asked.action is not RequestAction.APPROVE:
            return set()
        return {asked.percent} if answer.id == asked.id and answer.granted else set()

    def check_requests(self, before: SarkRolloutStatus, decision: Decision) -> None:
        """A request is answered once, for the attempt and the share it names, and numbers never go back."""
        old, new, asked = before.request, decision.status.request, self.target.spec.request
        if new == old:
            assert not {"Promoted", "StepsSkipped", "StepApproved", "RequestRefused"} & {r.reason for r in decision.records}
            return
        assert new is not None
        assert asked is not None
        assert new.id == asked.id > (old.id if old else 0)
        assert new.id not in self.answered
        noted(f"{new.action} {'granted' if new.granted else 'refused'}")
        if new.granted and asked.action is not RequestAction.APPROVE:
            assert before.step is not None
            assert asked.percent == before.step.percent

    def check_conditions(self, decision: Decision) -> None:
        """Every condition and reason is in its table, and none is Unknown where the table says that it never is."""
        assert [condition.type for condition in decision.status.conditions] == list(CONDITIONS)
        for condition in decision.status.conditions:
            assert condition.reason in REASONS
            assert condition.status is not ConditionStatus.UNKNOWN or CONDITIONS[condition.type].unknown

    def policy(self) -> dict[str, object]:
        """What the spec says of how things are proven: all but what asks for something, whose answers are told elsewhere."""
        return {name: text for name, text in self.target.spec.to_wire().items() if name not in {"mode", "attempt", "request"}}

    def check_edits(self, before: SarkRolloutStatus, decision: Decision) -> None:
        """An edit is recorded when it is first evaluated, with what it changed, and by itself moves nothing."""
        told = [record for record in decision.records if record.reason in {"SpecEdited", "PlanEdited", "FeaturesEdited"}]
        edited = before.evaluated_spec is not None and self.policy() != self.evaluated
        assert edited or not [record for record in told if record.reason == "SpecEdited"]
        assert told or not edited
        assert all(record.from_percent == record.to_percent for record in told)
        if edited and self.policy()["criteria"] != self.evaluated["criteria"]:
            limits = [each["criteria"]["cpu"]["limitPercent"] for each in (self.evaluated, self.policy())]  # type: ignore[index]
            assert f"criteria.cpu.limitPercent: {limits[0]} -> {limits[1]}" in "".join(record.message for record in told)
            noted("a limit was edited")

    def note_answers(self, before: SarkRolloutStatus, after: SarkRolloutStatus) -> None:
        """Remember what has been answered, and that each approval lets one step begin only."""
        asked = self.target.spec.request
        if after.request is not None and after.request != before.request and asked is not None:
            self.answered[after.request.id] = asked
        if wanted_percent(after) > wanted_percent(before):
            self.used |= {each.request for each in before.approvals} - {each.request for each in after.approvals}
        assert not {each.request for each in after.approvals} & self.used, "an approval came back"

    def check_rest(self, before: SarkRolloutStatus, decision: Decision) -> None:
        """What has ended stays ended until the user acts."""
        if self.resting(before) and not self.asked and before.observed_generation == self.target.identity.generation:
            retries = before.phase is Phase.REVERTED and before.retries < self.target.spec.rollback.retry.limit
            waits = before.attempt < self.target.spec.attempt or retries
            assert waits or decision.status.phase is before.phase
            assert waits or decision.status.criteria == before.criteria
            assert waits or wanted_percent(decision.status) == wanted_percent(before)

    def resting(self, status: SarkRolloutStatus) -> bool:
        """Whether the rollout has ended: reverted, or completed and watched for as long as was asked."""
        if status.phase is not Phase.COMPLETED or status.completed_at is None:
            return status.phase is Phase.REVERTED
        return self.target.now - status.completed_at >= self.target.spec.watch_after

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

    def check_evidence(self, before: SarkRolloutStatus, decision: Decision) -> None:
        """No window counts twice: no more of them are added than fit between where counting stood and where it stands."""
        after, length = decision.status, self.target.spec.criteria.counting()
        if after.counted_until is None:
            assert not any(evidence.windows for evidence in after.evidence)
            return
        assert after.counted_until <= self.target.now
        since = before.counted_until or before.started_at
        if since is None or after.started_at is None or not after.evidence or before.attempt != after.attempt:
            return
        known = {evidence.name: evidence.windows for evidence in before.evidence}
        fit = max(timedelta(0), after.counted_until - since) // length
        for evidence in after.evidence:
            assert 0 <= evidence.windows - known.get(evidence.name, 0) <= fit
            noted("evidence grows" if evidence.windows > known.get(evidence.name, 0) else "evidence stands")

    def check_idempotence(self) -> None:
        """Deciding again on the outcome, with nothing else changed, decides nothing more."""
        twin = copy.copy(self.target)
        twin.written, twin.filed = list(twin.written), dict(twin.filed)
        if self.unfiled():
            return  # once they are filed something else has changed
        first = twin.tick(deliver=False)
        if isinstance(twin.flags, Missing) and any(isinstance(action, WriteFlags) for action in first.actions):
            return  # the API server does not take the write: it will be tried again
        step = self.target.status.step
        if step is not None and step.percent == 0 and wanted_percent(first.status) > 0:
            return  # a first step of 0 % is over: what is seen of the new arm cannot be the same, there was none before
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


Rollout.TestCase.settings = settings(
    max_examples=EXAMPLES,
    stateful_step_count=20,
    deadline=None,
    derandomize=True,
    phases=[Stage.explicit, Stage.reuse, Stage.generate],  # a failure is a story of its own; shrinking it takes many minutes
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
ALWAYS = [
    "raised",
    "advanced on proof",
    "breach",
    "evidence grows",
    "Started",
    "Advanced",
    "CriterionBreached",
    "BaselineRestored",
    "a limit was edited",
]
"""What the stories must have come to; else the invariants held because nothing happened."""
SECONDS = max(1800, 30 * EXAMPLES)
"""How long they may take: some two seconds of processor time each, on a machine that may have much else to do."""
TestRollout = pytest.mark.timeout(SECONDS)(Rollout.TestCase)


def test_the_stories_were_not_idle() -> None:
    if not TALLY["stories"]:
        pytest.skip("the stories were not played")
    print("\n" + "\n".join(f"{number:8,}  {what}" for what, number in TALLY.most_common()))  # noqa: T201 - shown with -s
    assert [what for what in ALWAYS if not TALLY[what]] == []
