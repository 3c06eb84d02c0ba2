"""Step 1 of a tick: look at the newest data, and go back at once when it is bad. Nothing stands before this.

It runs while paused, while converging, at 100 % and after completion as long as the watch lasts.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from math import isfinite

from sark_api import reasons
from sark_api.names import ARM_NEW
from sark_api.spec import Action
from sark_api.status import CriterionStatus, Verdict

from .blindness import half_seen, unseen, what_is_unseen
from .figures import span
from .flag_document import is_ours, readable_document
from .flag_plan import MAX_REPORTED_REVISION
from .judgement import dated, judge, spoken, weigh_windows, with_verdict
from .lifecycle import is_split
from .observation import Metrics, Missing, PodReport
from .revert import revert
from .tick import Tick
from .verdicts.latency_p95 import baseline_p95_microseconds, followed


def safety(tick: Tick) -> None:
    """Evaluate every criterion; revert on a breach, on lasting blindness, or when the way back was already taken."""
    if not tick.in_step:
        return
    if not tick.resting:
        _evaluate(tick)
        _revert_on_breach(tick)
        _revert_when_blind(tick)
    _adopt_revert_in_force(tick)
    _adopt_revert_of_sidecars(tick)


def _evaluate(tick: Tick) -> None:
    """Judge, and keep what later ticks need: since when we cannot see, and the baseline's p95."""
    metrics, percent = tick.observation.metrics, tick.percent
    if is_split(percent):
        tick.change(baseline_p95_microseconds=_baseline_p95(tick))
    weighing = weigh_windows(
        tick.spec, percent, metrics, tick.status, now=tick.now, settled_since=tick.sighting.convergence.since
    )
    since = tick.sighting.convergence.since
    settled = since is not None and tick.now - since >= tick.spec.criteria.window + metrics.age
    p95_known = tick.status.baseline_p95_microseconds
    verdicts = judge(tick.spec, percent, metrics, p95_known, weighing.weights, settled=settled)
    tick.change(
        evidence=weighing.evidence,
        counted_until=weighing.counted_until,
        criteria=dated(verdicts, tick.before.criteria, tick.now),
        evaluated_at=tick.now,
        observed_basis_points=_observed_basis_points(metrics),
        blind_since=_blind_since(tick, verdicts),
    )


def _baseline_p95(tick: Tick) -> int | None:
    """Return the baseline's p95 that 100 % will be compared with, by what is measured now."""
    criteria, last = tick.spec.criteria, tick.status.evaluated_at
    measured = baseline_p95_microseconds(criteria.latency_p95, tick.observation.metrics.arms)
    windows = (tick.now - last) / criteria.window if last is not None else 0.0
    return followed(tick.status.baseline_p95_microseconds, measured, min(max(windows, 0.0), 1.0))


def _blind_since(tick: Tick, criteria: Sequence[CriterionStatus]) -> datetime | None:
    """Return since when what should be able to revert, or a part of the fleet, is not seen; None while all is."""
    since = tick.status.blind_since
    if unseen(criteria, tick.observation.metrics) or half_seen(criteria, tick.identity, tick.observation):
        return since or tick.now
    # While the pods cannot be listed nobody knows whether all are seen: that ends no blindness, and begins none.
    return since if isinstance(tick.observation.pods, Missing) else None


def _revert_on_breach(tick: Tick) -> None:
    breaches = with_verdict(tick.status.criteria, Verdict.BREACH, Action.REVERT)
    if breaches:
        revert(tick, reasons.CRITERION_BREACHED, criterion=breaches[0].name, verdicts=spoken(breaches))


def _revert_when_blind(tick: Tick) -> None:
    """Go back after rollback.blindFor without sight, between 0 % and 100 % only.

    Too few requests right after a step are blindness too: a share that nobody uses proves nothing. So is a fleet of which a
    part is not scraped, and one among whose series are those of others: what is bad in it may stay unseen without limit. A pod
    that has just become ready is scraped long before. At 100 % sidecars have no validity to fall back on and no arm to compare
    with, and a fleet that has been moved as a whole is not taken back for lack of data.
    """
    limit, since = tick.spec.rollback.blind_for, tick.status.blind_since
    if not limit or since is None or not is_split(tick.percent) or tick.now - since < limit:
        return
    unknown = unseen(tick.status.criteria, tick.observation.metrics)
    part = half_seen(tick.status.criteria, tick.identity, tick.observation)
    if not unknown and part is None:
        return
    revert(
        tick,
        reasons.BLIND_TOO_LONG,
        criterion=unknown[0].name if unknown else "",
        blind=span(tick.now - since),
        limit=span(limit),
        verdicts=what_is_unseen(unknown, part),
    )


def _adopt_revert_in_force(tick: Tick) -> None:
    """Follow a flag document that is as new as the status and asks for less, or that someone else wrote after us.

    The first is a revert whose operator died between writing the flags and writing the status: it must not be raised again.
    Going up, the status is written before the flags, so an operator that died on the way up leaves an older document, never a
    newer one.
    """
    document, known = readable_document(tick.observation.flags), tick.before.flags
    percent = tick.percent
    if document is None or percent == 0 or document.revision < (known.revision if known else 0):
        return
    if is_ours(tick.identity, document):
        if document.percentage < percent:
            lower = document.percentage
            revert(tick, reasons.REVERT_ADOPTED, where="in force", revision=document.revision, lower=lower)
    elif not tick.resting:
        revert(tick, reasons.FLAGS_TAKEN_OVER, revision=document.revision, owner=document.rollout or "nobody")


def _adopt_revert_of_sidecars(tick: Tick) -> None:
    """Follow sidecars that were told of less by a document that is not known here, and is no older: it was taken back since.

    So it is after cluster and status were restored from a backup, and where the document of a revert was lost before the status
    was written.
    """
    pods = () if isinstance(tick.observation.pods, Missing) else tick.observation.pods
    for pod in pods:
        if pod.percent is not None and pod.percent < tick.percent and _follows_unknown(tick, pod):
            where = f"that pod {pod.name} follows"
            revert(tick, reasons.REVERT_ADOPTED, where=where, revision=pod.revision, lower=pod.percent)
            return


def _follows_unknown(tick: Tick, pod: PodReport) -> bool:
    """Return whether the pod applies a document of this rollout that neither status nor ConfigMap has, and no older one.

    One that has expired may have been renewed since the backup, as any share is; it tells nothing. Nor does one that was told
    before this attempt began: it may be of a rollout that had the name before, whose revisions began anew with its ConfigMap.
    """
    revision, began = pod.revision, tick.status.started_at
    if pod.error or pod.expired or pod.rollout != tick.identity.key or revision is None:
        return False
    if revision > MAX_REPORTED_REVISION or (pod.since is not None and began is not None and pod.since < began):
        return False
    here = [each for each in (tick.before.flags, readable_document(tick.observation.flags)) if each is not None]
    newest = max((each.revision for each in here), default=0)
    # Where the revert was the next write after the backup, another may have its revision by now.
    return revision > newest or (revision == newest and pod.sha256 not in {"", *(each.sha256 for each in here)})


def _observed_basis_points(metrics: Metrics) -> int | None:
    if isinstance(metrics.arms, Missing):
        return None
    total = sum(arm.requests for arm in metrics.arms.values())
    new = metrics.arms[ARM_NEW].requests if ARM_NEW in metrics.arms else 0.0
    if not isfinite(total) or not isfinite(new) or total <= 0 or not 0 <= new <= total:
        return None
    return round(new / total * 10_000)
