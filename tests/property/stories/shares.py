"""When a share may go up, when it must come down, and when it must do neither."""

from __future__ import annotations

from datetime import timedelta

from sark_api.spec import Action, FlagEdits, Mode, OnDelete, OnExpiry
from sark_api.status import Phase, Verdict
from sark_e2e.simulated_target import SimulatedSidecar
from sark_operator.core.decision import WriteFlags
from sark_operator.core.lifecycle import in_step, wanted_percent
from sark_operator.core.observation import Missing

from .limits import action_of
from .moment import RESTARTS, Moment, gates_between
from .plans import NEVER, OFTEN
from .requests import approved_now, promoted
from .symptoms import Found
from .tally import TALLY, noted

WAYS_BACK = {
    "CriterionBreached",
    "BlindTooLong",
    "ApprovalMissed",
    "RolledBackByUser",
    "RolloutDeleted",
    "RevertAdopted",
    "FlagsTakenOver",
}
SEASONED = 2
"""Counting windows before one look may be a breach by itself."""
TESTS = {"denyShift": ("denyShift/more", "denyShift/fewer")}
"""Names of the tests of a criterion, where they are not its own."""


def check_advance(moment: Moment) -> None:
    """A share is raised only by the plan's next step, and only when everything is seen, confirmed and wanted."""
    spec, target, share, wanted = moment.spec, moment.target, moment.share, wanted_percent(moment.after)
    starts = moment.after.step is not None and (moment.before.step is None or bool(RESTARTS & moment.reasons))
    if wanted <= share and not starts:
        return
    noted("raised to 100" if wanted == 100 else "raised")
    if wanted > share:
        first = min(step.percent for step in spec.plan() if step.percent > share)
        assert wanted == (promoted(moment) or first)
    gates = gates_between(moment, wanted)
    assert gates <= _approved(moment) | approved_now(moment)
    assert not {each.percent for each in moment.after.approvals} & gates, "an approval was not used up"
    assert spec.windows in ([], OFTEN)
    assert spec.mode is Mode.AUTO
    assert not target.identity.deleting
    assert not target.rival
    assert target.sidecars
    assert all(sidecar.reachable for sidecar in target.sidecars.values())
    assert not unfiled(moment), "advanced although an earlier decision is in no ConfigMap"
    assert not moment.unanswered(), "advanced without metrics"
    if spec.schedule is not None and not spec.steps:
        noted(f"raised by the schedule {spec.schedule}")
    if starts:
        assert len({policy for each in target.sidecars.values() for policy in (each.policy, each.baseline_policy)}) == 1
        served = {each.report("", moment.now).percent for each in target.sidecars.values()}
        ours = target.document is not None and target.document.rollout == target.identity.key
        assert not ours or served == {0}, "began before all were back at 0%"
        broken = moment.broken(wanted)
        harmless = not broken or moment.action(broken) is Action.WARN
        assert harmless or moment.found in (Found.BY_WINDOWS, Found.BY_WINDOWS_ALONE), f"began in spite of {broken}"
        return
    noted("advanced on proof")
    _check_proof(moment)


def check_completion(moment: Moment) -> None:
    """The last step ends as every other does."""
    if "Completed" in moment.reasons:
        assert moment.share == max(step.percent for step in moment.spec.plan()) or moment.promoted == moment.share
        _check_proof(moment)


def _check_proof(moment: Moment) -> None:
    """The present step is proven, for as long as it has to be."""
    spec = moment.spec
    assert moment.proven, "advanced although not all was proven"
    if not moment.bake_is_over:
        assert moment.promoted is not None, "advanced before the step was proven for as long as it has to be"
        noted("advanced before its bake was over")
    elif moment.promoted is None:
        assert moment.held_long_enough, "advanced before the step had lasted for as long as it has to"
        if moment.here.hold:
            noted("advanced after its hold")
    since = moment.known.converged_since
    assert since is not None
    full = spec.criteria.window + moment.metrics.age
    assert moment.now - since >= full, "the last metric window does not lie wholly inside the step"
    assert all(one.verdict is Verdict.PASS for one in moment.after.criteria if one.action != Action.WARN)
    if any(one.verdict is Verdict.BREACH for one in moment.after.criteria if one.name not in ("throughput", "cpu")):
        noted("advanced past a warning")


def check_going_on(moment: Moment) -> None:
    """A step that is surely proven for long enough ends, unless something that is known keeps the next one from beginning."""
    if not (moment.sure and moment.known.sure) or moment.after.bake is None:
        return
    short = moment.after.bake.proven_milliseconds < moment.here.bake.total_seconds() * 1000
    seen, full = moment.after.convergence, moment.spec.criteria.window + moment.metrics.age
    filling = seen is None or seen.since is None or moment.now - seen.since < full
    if short or filling or not moment.held_long_enough or unfiled(moment):
        return
    noted("surely goes on, but for a gate")
    above = [step.percent for step in moment.spec.plan() if step.percent > moment.share]
    gated = bool(above) and bool(gates_between(moment, above[0]))
    shut = bool(above) and moment.spec.windows == NEVER
    assert gated or shut, f"nothing was in the way, and it does not go on: {moment.after.message}"


def check_held_back(moment: Moment) -> None:
    """What is a breach already keeps a rollout from beginning."""
    first = moment.spec.plan()[0].percent
    broken = moment.broken(first)
    if moment.before.phase is not Phase.PENDING or not broken or moment.action(broken) is Action.WARN:
        return
    if moment.found in (Found.AT_ONCE, Found.BY_THE_FLOOR):
        noted("a breach keeps it from beginning")
        assert moment.after.step is None


def _approved(moment: Moment) -> set[int]:
    """Return the steps that were approved, not too long ago."""
    lasts, granted = moment.spec.approvals.valid_for, moment.known.granted
    return {each.percent for each in moment.before.approvals if not lasts or moment.now - granted[each.request] < lasts}


def check_breach(moment: Moment) -> None:
    """What is a breach is called one in this very evaluation, and one that reverts leads to 0 %, whatever else goes on."""
    broken = moment.broken(moment.share) if moment.running else ""
    if not broken or moment.found in (Found.BY_WINDOWS, Found.BY_WINDOWS_ALONE) or RESTARTS & moment.reasons:
        return
    if broken == "latencyP95" and moment.uncompared:
        return
    if moment.found is Found.BY_THE_FLOOR and _unseasoned(moment, broken):
        noted("breach, too early for the floor")
        return
    verdicts = {one.name: one.verdict for one in moment.after.criteria}
    assert verdicts[broken] is Verdict.BREACH
    if moment.action(broken) is Action.REVERT:
        noted("breach")
        noted(f"breach {_standing(moment)}")
        check_way_back(moment)


def _standing(moment: Moment) -> str:
    """Return what else goes on, for the count."""
    before, target = moment.before, moment.target
    standing = {
        "in the watch": before.phase is Phase.COMPLETED,
        "while an approval is awaited": before.awaited is not None,
        "outside every window": before.phase is Phase.PROGRESSING and before.reason == "OutsideWindow",
        "while paused": before.phase is Phase.PAUSED,
        "beside a rival": bool(target.rival),
        "while others own the flags": not isinstance(target.flags, Missing) and bool(target.flags.owners),
        "while the pods cannot be listed": target.pods_missing is not None,
        "unconverged": not moment.converged,
    }
    return next((what for what, so in standing.items() if so), "while it is proven")


def check_way_back(moment: Moment) -> None:
    """The share is taken back in this evaluation, and the flags come first."""
    target, document = moment.target, moment.target.document
    assert moment.after.phase in (Phase.REVERTING, Phase.REVERTED)
    assert wanted_percent(moment.after) == 0
    ours = document is not None and (document.rollout, document.salt) == (target.identity.key, target.identity.uid)
    if ours and document is not None and document.percentage == 0:
        return
    if document is not None and not ours and (target.rival or target.identity.deleting):
        return
    gone = isinstance(target.flags, Missing) and target.flags.reason == "FlagsConfigMapMissing"
    if gone and target.identity.deleting and target.namespace_ending:
        return
    first = moment.decision.actions[0]
    assert isinstance(first, WriteFlags)
    assert first.force
    assert first.document.percentage == 0


def check_revert_goes_on(moment: Moment) -> None:
    """A revert that has begun writes 0 % in every evaluation until it is in force, or the user begins anew."""
    if moment.before.phase is Phase.REVERTING and not RESTARTS & moment.reasons:
        check_way_back(moment)
        document = moment.target.document
        if document is not None and document.percentage > 0:
            noted("a revert goes on")
        if moment.symptom.bad:
            noted("breach while reverting")


def check_adoption(moment: Moment) -> None:
    """Whoever has taken the share back, or the flags over, is followed: what is lower and no older is not raised again."""
    before, target, document = moment.before, moment.target, moment.target.document
    if not in_step(before) or moment.share == 0 or RESTARTS & moment.reasons:
        return
    known = before.flags.revision if before.flags else 0
    if document is not None and document.revision >= known:
        ours = (document.rollout, document.salt) == (target.identity.key, target.identity.uid)
        if ours and document.percentage < moment.share:
            noted("flags in force say less")
            assert wanted_percent(moment.after) == 0, "lower flags of its own were not followed"
        if not ours and not moment.resting:
            noted("flags of another beside a rival" if target.rival else "flags of another")
            assert wanted_percent(moment.after) == 0, "flags that another one has written were not followed"
    if any(_tells_of_less(moment, sidecar) for sidecar in target.sidecars.values()):
        noted("a sidecar was told of less")
        assert wanted_percent(moment.after) == 0, "a sidecar that was told of less was not followed"


def _tells_of_less(moment: Moment, sidecar: SimulatedSidecar) -> bool:
    """Return whether it follows a newer document of this attempt than is known anywhere else, and that asks for less."""
    before, target, told = moment.before, moment.target, sidecar.document
    if target.pods_missing or not sidecar.reachable or told is None or told.expired(moment.now):
        return False
    here = max(before.flags.revision if before.flags else 0, target.document.revision if target.document else 0)
    begun = before.started_at is None or sidecar.since is None or sidecar.since >= before.started_at
    return told.rollout == target.identity.key and told.percentage < moment.share and told.revision > here and begun


def check_retry(moment: Moment) -> None:
    """What a criterion or blindness took back is tried again as often as may be, and after its cool-down only."""
    if "Retried" not in moment.reasons:
        return
    before, retry = moment.before, moment.spec.rollback.retry
    assert before.phase is Phase.REVERTED
    assert before.retries < retry.limit
    assert before.revert is not None
    assert before.revert.completed_at is not None
    assert before.revert.reason in {"CriterionBreached", "BlindTooLong"}
    cool_down = max(retry.after * 2**before.retries, moment.spec.criteria.window)
    assert moment.now - min(before.revert.completed_at, moment.now) >= cool_down


def check_rivals(moment: Moment) -> None:
    """The flags of another rollout that is live are left alone, and edits of others where the user wants them held."""
    document, key, flags = moment.target.document, moment.target.identity.key, moment.target.flags
    if document is not None and not isinstance(flags, Missing) and flags.owners and moment.spec.flag_edits is FlagEdits.HOLD:
        down = moment.after.phase is Phase.REVERTING or wanted_percent(moment.after) < document.percentage
        assert down or not moment.writes
    if moment.target.rival and document is not None and document.rollout != key:
        noted("a rival's flags in force")
        assert not moment.writes


def _unseasoned(moment: Moment, criterion: str) -> bool:
    """Return whether the attempt has lasted for less than a metric window, and fewer than two windows of it were counted."""
    lasted = moment.now - min(moment.before.started_at or moment.now, moment.now)
    tests = TESTS.get(criterion, (criterion,))
    counted = [evidence.windows for evidence in moment.after.evidence if evidence.name in tests]
    return lasted < moment.spec.criteria.window and (len(counted) < len(tests) or min(counted) < SEASONED)


def check_ways_back(moment: Moment) -> None:
    """A share is taken back for a reason that is there: Hold and Warn revert nothing, and no time runs out before its end."""
    found = WAYS_BACK & moment.reasons
    if wanted_percent(moment.after) < moment.share:
        assert found | (RESTARTS & moment.reasons), "taken back without a reason"
    spec, last = moment.spec, moment.after.revert
    if "CriterionBreached" in found:
        assert last is not None
        does = moment.action(last.criterion)
        assert does is Action.REVERT, f"{last.criterion} reverted, and should only {does}"
        assert last.criterion in moment.known.suffered | moment.suffers, f"{last.criterion} was never bad"
    if "BlindTooLong" in found:
        assert spec.rollback.blind_for
        assert 0 < moment.share < 100
        assert moment.blind
        assert blind_for(moment) >= spec.rollback.blind_for
    if "ApprovalMissed" in found:
        rules = spec.approvals
        assert rules.on_expiry is OnExpiry.REVERT
        assert moment.now - (moment.known.awaited_since or moment.now) >= rules.expire_after
    if "RolledBackByUser" in found:
        assert spec.mode is Mode.ROLLBACK
    if "RolloutDeleted" in found:
        assert moment.target.identity.deleting
        assert spec.rollback.on_delete is OnDelete.BASELINE


def check_blindness(moment: Moment) -> None:
    """Blindness that lasts for rollback.blindFor, as it is now, ends a share between 0 % and 100 %."""
    limit = moment.spec.rollback.blind_for
    if not limit or not moment.running or not moment.blind or not 0 < moment.share < 100:
        return
    if blind_for(moment) >= limit:
        noted("blind for too long")
        check_way_back(moment)


def blind_for(moment: Moment) -> timedelta:
    """Return for how long nothing has been seen of a criterion that could revert."""
    return moment.now - min(moment.known.blind_since or moment.now, moment.now)


def check_verdicts(moment: Moment) -> None:
    """What the status says of a criterion and what is done about it agree, and its action is the spec's of this moment."""
    if not moment.running:
        return
    for one in moment.after.criteria:
        if one.name in ("throughput", "cpu"):
            continue
        shown = one.verdict is Verdict.BREACH and one.name == moment.symptom.bad
        alarmed = shown and one.name == "alerts"
        locked_out = shown and moment.symptom.locks_out and not _unseasoned(moment, one.name)
        assert one.action == (moment.action(one.name) if alarmed or locked_out else action_of(moment.spec.criteria, one.name))
        if locked_out and action_of(moment.spec.criteria, one.name) is Action.HOLD:
            noted("an arm without permissions goes back in spite of Hold")
        if one.verdict is Verdict.BREACH:
            assert one.action != Action.REVERT or moment.after.phase in (Phase.REVERTING, Phase.REVERTED)
            before = {each.name: each.verdict for each in moment.before.criteria}
            if before.get(one.name) is not Verdict.BREACH:
                TALLY[f"{one.name} breached"] += 1
                noted(f"{one.name} breached: {one.action}")


def check_rest(moment: Moment, *, asked: bool) -> None:
    """What has ended stays ended until the user acts."""
    before, after, spec = moment.before, moment.after, moment.spec
    if not moment.resting or asked or before.observed_generation != moment.target.identity.generation:
        return
    retries = before.phase is Phase.REVERTED and before.retries < spec.rollback.retry.limit
    if before.attempt < spec.attempt or retries:
        return
    noted("rests")
    assert after.phase is before.phase
    assert after.criteria == before.criteria
    assert wanted_percent(after) == moment.share


def unfiled(moment: Moment) -> bool:
    """Return whether a record waits that the present operator does not know to be filed."""
    ledger, filing = moment.before.ledger, moment.target.filing
    return bool(ledger.unfiled) and (filing is None or filing.last != ledger.head)
