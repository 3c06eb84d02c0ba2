"""When a share may go up, when it must come down, and when it must do neither."""

from __future__ import annotations

from datetime import timedelta

from sark_api.spec import Action, Mode, OnDelete, OnExpiry
from sark_api.status import Phase, Verdict
from sark_operator.core.decision import WriteFlags
from sark_operator.core.lifecycle import wanted_percent
from sark_operator.core.observation import Missing

from .limits import action_of
from .moment import Moment, gates_between
from .plans import OFTEN
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
RESTARTS = {"AttemptRaised", "Retried"}
SEASONED = 2
"""Counting windows before one look may be a breach by itself."""
TESTS = {"denyShift": ("denyShift/more", "denyShift/fewer")}
"""Names of the tests of a criterion, where they are not its own."""


def check_advance(moment: Moment) -> None:
    """A share is raised only by the plan's next step, and only when everything is seen, confirmed and wanted."""
    spec, target, share, wanted = moment.spec, moment.target, moment.share, wanted_percent(moment.after)
    starts = moment.before.step is None and moment.after.step is not None
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
    if starts:
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
    since = moment.known.converged_since
    assert since is not None
    full = spec.criteria.window + moment.metrics.age
    assert moment.now - since >= full, "the last metric window does not lie wholly inside the step"
    assert all(one.verdict is Verdict.PASS for one in moment.after.criteria if one.action != Action.WARN)
    if any(one.verdict is Verdict.BREACH for one in moment.after.criteria if one.name not in ("throughput", "cpu")):
        noted("advanced past a warning")


def _approved(moment: Moment) -> set[int]:
    """Return the steps that were approved, not too long ago."""
    lasts, granted = moment.spec.approvals.valid_for, moment.known.granted
    return {each.percent for each in moment.before.approvals if not lasts or moment.now - granted[each.request] < lasts}


def check_breach(moment: Moment) -> None:
    """What is a breach is called one in this very evaluation, and one that reverts leads to 0 %, whatever else goes on."""
    broken = moment.broken(moment.share) if moment.running else ""
    if not broken or moment.found in (Found.BY_WINDOWS, Found.BY_WINDOWS_ALONE) or RESTARTS & moment.reasons:
        return
    if broken == "latencyP95" and moment.share == 100 and moment.before.baseline_p95_microseconds is None:
        return  # no baseline was ever seen to compare with
    if moment.found is Found.BY_THE_FLOOR and _unseasoned(moment, broken):
        noted("breach, too early for the floor")
        return
    verdicts = {one.name: one.verdict for one in moment.after.criteria}
    assert verdicts[broken] is Verdict.BREACH
    if moment.action(broken) is Action.REVERT:
        noted("breach")
        check_way_back(moment)


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
