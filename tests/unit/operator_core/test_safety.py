from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from sark_api.flags import FeatureFlags
from sark_api.names import ARM_BASELINE, ARM_NEW
from sark_api.spec import Action, Mode, Rollback
from sark_api.status import Phase, Verdict
from sark_e2e.simulated_target import SimulatedTarget, arm, criteria_that, quick_spec
from sark_operator.core.decide import decide
from sark_operator.core.decision import Decision, WriteFlags, WriteStatus
from sark_operator.core.observation import ArmWindow, Missing, PodReport

BAD = {ARM_NEW: arm(1204, 144.48), ARM_BASELINE: arm()}
AWAY = Missing("MetricsUnreachable", "http://prometheus:9090 did not answer in 5s")


def reverts(decision: Decision) -> bool:
    """Flags first, by force, to 0 %; the status only after them."""
    flags, *rest = decision.actions
    return isinstance(flags, WriteFlags) and flags.force and flags.document.percentage == 0 and rest == [WriteStatus()]


def test_a_breach_reverts_in_the_same_tick_and_says_why(baking: SimulatedTarget) -> None:
    baking.arms = BAD

    decision = baking.tick(1)

    assert reverts(decision)
    assert [record.reason for record in decision.records] == ["CriterionBreached"]
    assert decision.status.revert is not None
    assert decision.status.revert.criterion == "errorRate"
    assert decision.status.revert.message == (
        "Reverted from 25%: errorRate 12.0% > 1.0% over 10s (1,204 requests), "
        "at least 9.3% with 99.9% confidence, far beyond the limit"
    )
    assert decision.status.revert.revision == baking.written[-1].document.revision


def test_a_rate_above_the_limit_holds_at_once_and_reverts_once_it_is_proven(baking: SimulatedTarget) -> None:
    # Given an arm that fails three times as often as allowed: too little for the floor
    baking.arms = {ARM_NEW: arm(1000, 30), ARM_BASELINE: arm()}

    # When it is seen first, then nothing is proven, and nothing goes on
    first = baking.tick(1)
    assert (first.status.phase, first.status.reason, first.status.blind_since) == (Phase.PROGRESSING, "CriterionUnknown", None)
    assert "errorRate Unknown: 3.0% > 1.0% over 10s (1,000 requests), not proven: evidence 1 to 1 in" in first.status.message

    # And some windows later it is taken back, with the evidence
    later = [baking.tick(1) for _ in range(30)]
    assert baking.percent == 0
    revert = next(decision.status.revert for decision in later if decision.status.revert)
    assert revert.criterion == "errorRate"
    assert "windows, 700 to 1 needed" in revert.message


def test_trouble_that_both_arms_share_holds_and_is_not_taken_back(baking: SimulatedTarget) -> None:
    baking.arms = {ARM_NEW: arm(1000, 300), ARM_BASELINE: arm(1000, 300)}

    baking.run(1200)

    assert (baking.percent, baking.status.reason) == (25, "CriterionUnknown")
    assert "the baseline has 30.0% in the same time" in baking.status.message


def test_it_is_reverting_until_every_sidecar_has_confirmed(baking: SimulatedTarget) -> None:
    baking.sidecars["gw-1"].following = False
    baking.arms = BAD
    baking.tick(1)

    waiting = baking.tick(1)
    assert waiting.status.phase is Phase.REVERTING
    assert "2 of 3 sidecars confirmed 0%: gw-1: serves 25%" in waiting.status.message
    assert waiting.wake_at - baking.now <= timedelta(seconds=1)

    baking.sidecars["gw-1"].following = True
    baking.deliver()
    done = baking.tick(1)
    assert done.status.phase is Phase.REVERTED
    assert done.status.revert is not None
    assert done.status.revert.completed_at == baking.now
    assert done.status.reason == "CriterionBreached"
    assert "3 of 3 sidecars confirmed 0%, 2.0 s after the decision" in done.records[0].message


def test_a_target_without_ready_pods_has_no_witness_of_the_way_back(baking: SimulatedTarget) -> None:
    baking.arms = BAD
    baking.tick(1)
    baking.sidecars.clear()

    assert baking.tick(1).status.phase is Phase.REVERTING


@pytest.mark.parametrize(
    "state", ["paused", "unconverged", "no pods", "pods away", "rival", "config map gone", "config map away"]
)
def test_nothing_stands_before_a_revert(baking: SimulatedTarget, state: str) -> None:
    match state:
        case "paused":
            baking.ask(mode=Mode.PAUSED)
            baking.tick(1)
        case "unconverged":
            baking.sidecars["gw-1"].reachable = False
        case "no pods":
            baking.sidecars.clear()
        case "pods away":
            baking.pods_missing = Missing("PodsUnavailable", "503")
        case "rival":
            baking.rival = "shop/other"
        case "config map gone":
            baking.lose_config_map()
        case "config map away":
            baking.flags = Missing("FlagsUnavailable", "503")
    baking.arms = BAD

    assert reverts(baking.tick(1))


def test_a_breach_reverts_while_the_completed_rollout_is_watched(completed: SimulatedTarget) -> None:
    completed.growth = 50_000.0

    decision = completed.tick(1)

    assert reverts(decision)
    assert decision.status.revert is not None
    assert decision.status.revert.criterion == "memoryGrowth"


def test_after_the_watch_nothing_is_judged_any_more(completed: SimulatedTarget) -> None:
    completed.run(32)
    completed.growth = 50_000.0

    assert completed.tick(1).actions == ()
    assert completed.status.reason == "WatchOver"


def test_no_watch_is_kept_when_none_is_asked_for() -> None:
    target = SimulatedTarget(quick_spec(watchAfter="0s"))
    target.run_to(100)
    target.run(20)
    target.growth = 50_000.0

    assert target.tick(1).status.phase is Phase.COMPLETED


def test_a_breach_that_only_holds_freezes_the_bake() -> None:
    criteria = {"window": "10s", "errorRate": {"action": "Hold"}, "memoryGrowth": {"window": "30s"}}
    target = SimulatedTarget(quick_spec(criteria=criteria))
    target.run_to(5)
    target.arms = BAD

    target.run(60)

    assert (target.percent, target.status.reason, target.status.summary.verdict) == (5, "CriterionHolds", "Hold")
    assert target.status.bake is not None
    assert target.status.bake.counted_at is None
    target.arms = {ARM_NEW: arm(), ARM_BASELINE: arm()}
    target.run_to(10)


def test_an_arm_that_refuses_everything_is_taken_back_at_once_by_default(baking: SimulatedTarget) -> None:
    # Given a spec that says nothing of denyShift: its action is Hold
    baking.arms = {ARM_NEW: arm(1000, refusals=1000), ARM_BASELINE: arm(1000, refusals=100)}

    # When nobody in the new arm is permitted anything, then it is taken back in the same tick, and it says why
    decision = baking.tick(1)
    assert reverts(decision)
    assert decision.status.revert is not None
    assert (decision.status.revert.reason, decision.status.revert.criterion) == ("CriterionBreached", "denyShift")
    assert "it goes back though the action is Hold" in decision.status.revert.message
    shift = next(each for each in decision.status.criteria if each.name == "denyShift")
    assert (shift.verdict, shift.action) == (Verdict.BREACH, "Revert")


@pytest.mark.parametrize(
    ("new", "baseline", "action", "reason"),
    [
        pytest.param(arm(1000, refusals=800), arm(refusals=100), "Hold", "CriterionHolds", id="four in five"),
        pytest.param(arm(90, refusals=90), arm(refusals=100), "Hold", "CriterionUnknown", id="too few samples"),
        pytest.param(arm(1000), arm(refusals=900), "Hold", "CriterionHolds", id="everything is permitted"),
        pytest.param(arm(1000, refusals=1000), arm(refusals=100), "Warn", "Baking", id="it only warns"),
    ],
)
def test_other_shifts_of_refusals_take_nothing_back(
    baking: SimulatedTarget, new: ArmWindow, baseline: ArmWindow, action: str, reason: str
) -> None:
    baking.ask(criteria=quick_spec(criteria={"window": "10s", "denyShift": {"action": action}}).criteria)
    baking.run(1)
    baking.arms = {ARM_NEW: new, ARM_BASELINE: baseline}

    baking.run(10)

    assert (baking.percent, baking.status.reason, baking.status.revert) == (25, reason, None)


def test_a_share_far_from_the_one_asked_for_holds_before_it_is_proven_and_is_no_blindness(baking: SimulatedTarget) -> None:
    # Given a sampleRatio that reverts, when the new arm gets three of four requests in a step of 25 %
    baking.ask(criteria=quick_spec(criteria={"window": "10s", "sampleRatio": {"action": "Revert"}}).criteria)
    baking.run(10)
    baking.crowding = 10.0

    # Then the next evaluation proves nothing, says so, and no clock of blindness runs
    status = baking.tick(1).status
    assert (status.phase, status.reason, status.blind_since) == (Phase.PROGRESSING, "CriterionUnknown", None)
    assert "76.9% of requests over 10s (1,300 requests), 25% of subjects asked for: outside of 7.7% to 57.1%" in status.message


def test_a_breach_that_only_warns_blocks_nothing() -> None:
    criteria = {"errorRate": {"action": "Warn"}, "sampleRatio": {"action": "Warn"}, "memoryGrowth": {"window": "30s"}}
    target = SimulatedTarget(quick_spec(criteria={"window": "10s", **criteria}), arms=BAD)

    target.run_to(10)

    assert target.status.criteria[0].verdict is Verdict.BREACH


@pytest.mark.parametrize("away_from_the_start", [True, False])
def test_without_metrics_nothing_advances_though_all_criteria_only_warn(*, away_from_the_start: bool) -> None:
    # Given criteria of which none blocks, and a Prometheus that does not answer
    target = SimulatedTarget(quick_spec(criteria=criteria_that(Action.WARN)))
    if not away_from_the_start:
        target.run_to(5)
    seen, target.arms = target.arms, AWAY

    target.run(300)

    # Then nothing begins, and no step ends
    assert (target.percent, target.status.reason) == (0 if away_from_the_start else 5, "MetricsUnavailable")
    assert target.status.phase is (Phase.PENDING if away_from_the_start else Phase.PROGRESSING)

    # And it goes on when there is something to see
    target.arms = seen
    target.run_to(100)


def test_a_custom_criterion_reverts_too() -> None:
    custom = [{"name": "queueDepth", "query": "max(queue_depth)", "max": "7.5"}]
    target = SimulatedTarget(quick_spec(criteria={"window": "10s", "memoryGrowth": {"window": "30s"}, "custom": custom}))
    target.custom = {"queueDepth": 1.0}
    target.run_to(5)
    target.custom = {"queueDepth": 8.0}

    assert reverts(target.tick(1))


def test_blindness_holds_first_and_reverts_after_blind_for(baking: SimulatedTarget) -> None:
    baking.arms = AWAY

    baking.run(60)
    assert (baking.percent, baking.status.reason) == (25, "MetricsUnavailable")

    decision = baking.tick(1)
    assert reverts(decision)
    assert decision.status.reason == "BlindTooLong"
    assert "not seen for 1m (rollback.blindFor is 1m): errorRate Unknown: http://prometheus:9090" in decision.records[0].message


def test_sight_that_returns_ends_blindness(baking: SimulatedTarget) -> None:
    seen, baking.arms = baking.arms, AWAY
    baking.run(59)
    baking.arms = seen
    baking.tick(1)
    baking.arms = AWAY

    baking.run(59)

    assert baking.percent == 25


def test_too_few_requests_are_blindness_too(baking: SimulatedTarget) -> None:
    baking.arms = {ARM_NEW: arm(3), ARM_BASELINE: arm()}
    baking.run(61)

    assert baking.status.reason == "BlindTooLong"


def test_memory_that_is_only_too_young_is_not_blindness(baking: SimulatedTarget) -> None:
    baking.memory_age = timedelta(seconds=5)

    baking.run(120)

    assert (baking.percent, baking.status.reason) == (25, "CriterionUnknown")
    assert baking.status.blind_since is None


def test_blind_for_zero_never_reverts(baking: SimulatedTarget) -> None:
    baking.ask(rollback=Rollback(blind_for=timedelta(0)))
    baking.arms = AWAY

    baking.run(3600, every=2)

    assert baking.percent == 25


def test_a_fleet_moved_as_a_whole_is_not_taken_back_for_lack_of_data(completed: SimulatedTarget) -> None:
    completed.ask(watch_after=timedelta(hours=48))
    completed.arms = AWAY

    completed.run(3600, every=2)

    assert (completed.percent, completed.status.phase) == (100, Phase.COMPLETED)


def test_a_revert_whose_operator_died_before_the_status_is_never_raised_again(baking: SimulatedTarget) -> None:
    good, baking.arms = baking.arms, BAD
    baking.tick(1, die_after=1)
    assert (baking.percent, baking.status.phase) == (0, Phase.PROGRESSING)
    baking.arms = good

    decision = baking.tick(1)

    # Every sidecar has already heard of it, so that the way back is over in the same tick.
    assert [record.reason for record in decision.records] == ["RevertAdopted", "BaselineRestored"]
    assert decision.status.reason == "RevertAdopted"
    assert not any(isinstance(action, WriteFlags) for action in decision.actions)
    baking.run(100)
    assert (baking.percent, baking.status.phase) == (0, Phase.REVERTED)


@pytest.mark.parametrize("percent", [25, 100])
@pytest.mark.parametrize("age", [timedelta(minutes=1), timedelta(hours=1)])
def test_a_backup_from_before_a_revert_raises_nobodys_share(target: SimulatedTarget, percent: int, age: timedelta) -> None:
    # Given a rollout that was taken back after its backup was made
    good = target.arms
    target.run_to(percent)
    target.run(3)
    backup = (target.status, target.flags, dict(target.filed))
    target.arms = {ARM_NEW: arm(1000, 500), ARM_BASELINE: arm()}
    target.run(6)
    assert (target.percent, target.status.phase) == (0, Phase.REVERTED)

    # When status and flags are restored, with all looking well
    target.arms, target.now = good, target.now + age
    (target.status, target.flags, target.filed), target.filing = backup, None
    shares = []
    for _ in range(90):
        target.tick(1)
        shares += [sidecar.report("gw", target.now).percent for sidecar in target.sidecars.values()]

    # Then what the sidecars have heard counts
    assert set(shares) == {0}
    assert (target.percent, target.status.phase, target.status.reason) == (0, Phase.REVERTED, "RevertAdopted")
    assert "the flag document that pod gw-0 follows, revision" in target.status.message


@pytest.mark.parametrize("raised", [False, True], ids=["renewed since", "gone up since"])
def test_a_backup_from_before_a_renewal_goes_on_however_long_the_restore_took(target: SimulatedTarget, raised: bool) -> None:
    # Given a backup of a rollout that was never taken back, older than what the sidecars follow
    target.run_to(25)
    target.run(3)
    backup = (target.status, target.flags, dict(target.filed))
    if raised:
        target.run_to(50)
    else:
        target.run(6)
    target.ask(valid_for=timedelta(minutes=4))
    target.tick(1)
    newest = target.document
    assert newest is not None

    # When it is restored after their documents have expired
    target.now += timedelta(hours=1)
    (target.status, target.flags, target.filed), target.filing = backup, None
    assert target.document is not None
    assert target.document.revision < newest.revision
    records = [record.reason for decision in target.run(60) for record in decision.records]

    # Then it goes on from there
    assert "RevertAdopted" not in records
    assert "Advanced" in records


def test_a_revert_counts_though_another_document_has_its_revision_by_now(target: SimulatedTarget) -> None:
    # Given a rollout that was taken back by the write that followed its backup
    good = target.arms
    target.run_to(25)
    target.run(3)
    backup = (target.status, target.flags, dict(target.filed))
    target.arms = BAD
    target.run(4)
    reverted = target.document
    target.arms, target.now = good, target.now + timedelta(hours=1)
    (target.status, target.flags, target.filed), target.filing = backup, None

    # When nobody answers at the first evaluation, which renews the old share under the same revision
    for sidecar in target.sidecars.values():
        sidecar.reachable = False
    target.tick(1)
    assert reverted is not None
    assert target.document is not None
    assert (target.document.revision, target.percent) == (reverted.revision, 25)

    # Then the next one is told that it is another
    for sidecar in target.sidecars.values():
        sidecar.reachable = True
    decision = target.tick(1)
    assert [record.reason for record in decision.records] == ["RevertAdopted"]
    assert {sidecar.report("gw", target.now).percent for sidecar in target.sidecars.values()} == {0}


@pytest.mark.parametrize("pod", ["silent", "of another", "older", "unbelievable", "expired", "told before"])
def test_what_a_sidecar_says_takes_a_share_back_only_where_it_tells_of_a_newer_one(baking: SimulatedTarget, pod: str) -> None:
    assert baking.document is not None
    newest, early = baking.document.revision, baking.now - timedelta(hours=1)
    said = {
        "silent": PodReport("gw-9", percent=0, revision=newest + 1, rollout="shop/gateway", error="GET /flags: timed out"),
        "of another": PodReport("gw-9", percent=0, revision=newest + 1, rollout="shop/other"),
        "older": PodReport("gw-9", percent=0, revision=newest, rollout="shop/gateway"),
        "unbelievable": PodReport("gw-9", percent=0, revision=2**53, rollout="shop/gateway"),
        "expired": PodReport("gw-9", percent=0, revision=newest + 1, rollout="shop/gateway", expired=True),
        "told before": PodReport("gw-9", percent=0, revision=newest + 1, rollout="shop/gateway", since=early),
    }[pod]
    seen = baking.observe()
    assert not isinstance(seen.pods, Missing)

    decision = decide(baking.identity, baking.spec, baking.status, replace(seen, pods=(*seen.pods, said)), baking.now)

    assert (decision.status.phase, decision.actions and decision.records) == (Phase.PROGRESSING, ())


def test_a_lower_share_written_by_hand_is_taken_as_a_revert(baking: SimulatedTarget) -> None:
    assert baking.document is not None
    lower = FeatureFlags(rust_opa_enabled=True, rust_cache_enabled=True, rollout_percentage=5)
    by_hand = baking.document.model_copy(update={"feature_flags": lower, "revision": baking.document.revision + 1})
    baking.put(by_hand.sealed())

    assert reverts(baking.tick(1))
    assert baking.status.reason == "RevertAdopted"


def test_a_higher_share_written_by_hand_is_taken_back_to_what_the_status_wants(baking: SimulatedTarget) -> None:
    assert baking.document is not None
    higher = FeatureFlags(rust_opa_enabled=True, rust_cache_enabled=True, rollout_percentage=90)
    by_hand = baking.document.model_copy(update={"feature_flags": higher, "revision": baking.document.revision + 1})
    baking.put(by_hand.sealed())

    decision = baking.tick(1)

    assert (baking.percent, decision.status.phase) == (25, Phase.PROGRESSING)
    write = decision.actions[0]
    assert isinstance(write, WriteFlags)
    assert write.force
    assert write.document.revision == by_hand.revision + 1


@pytest.mark.parametrize("percent", [25, 100])
def test_a_revert_whose_flags_are_refused_is_not_forgotten_with_its_window(target: SimulatedTarget, percent: int) -> None:
    # Given an API server that stores statuses and refuses the flags, as an admission webhook makes it do
    target.run_to(percent)
    target.run(3)
    records = target.status.ledger.records
    target.flags_refused = True

    # When a breach is seen, and is out of sight again before the flags can be written
    good, target.arms = target.arms, BAD
    target.run(6)
    target.arms = good
    target.run(20)
    assert (target.percent, target.status.phase) == (percent, Phase.REVERTING)
    target.flags_refused = False
    target.run(5)

    # Then the share is taken back, with one record of why
    assert (target.percent, target.status.phase) == (0, Phase.REVERTED)
    assert target.status.revert is not None
    assert target.document is not None
    assert target.status.revert.revision == target.document.revision
    reasons = [entry.reason for entry in target.status.history][records - target.status.ledger.records :]
    assert reasons == ["CriterionBreached", "BaselineRestored"]
