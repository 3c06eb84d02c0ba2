"""What the sidecars say: which of them confirm the share in force, and whether both arms answer by one policy.

A pod confirms a share when it applies that very share, from this rollout's document, at a revision not older than the one that
first asked for it. That holds for 0 % too: a pod that has no document, or a stale one that happens to say 0 %, has not heard
of the way back and may still change its mind.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sark_api import reasons
from sark_api.reasons import shorten
from sark_api.spec import SarkRolloutSpec
from sark_api.status import Convergence, FlagsApplied, Phase, SarkRolloutStatus

from .finding import Finding, found
from .flag_document import is_ours, readable_document, serves
from .lifecycle import in_step, wanted_percent
from .observation import Identity, Missing, Observation, PodReport
from .plan import sample

MAX_LAGGARDS = 5
_MAX_CLAUSE = 200


@dataclass(frozen=True, slots=True)
class Sighting:
    """The state of convergence at one instant."""

    convergence: Convergence
    converged: bool
    """Every ready sidecar confirmed, the document in force is the right one, and there is one policy revision."""
    restored: bool
    """Every ready sidecar, and at least one, confirmed the share; policies do not matter on the way back."""
    answered: bool
    """Every ready sidecar could be asked."""
    policy: str
    """The one policy revision of both arms of all sidecars; empty when there is not exactly one."""
    finding: Finding
    """Why it is not converged, or that it is."""

    @property
    def may_start(self) -> bool:
        """Whether enough is known of the sidecars to begin: all could be asked, and they serve one policy."""
        return self.answered and self.policy != ""


def look(
    identity: Identity, spec: SarkRolloutSpec, status: SarkRolloutStatus, observation: Observation, now: datetime
) -> Sighting:
    """Return how far the sidecars have come with what `status` wants."""
    if isinstance(observation.pods, Missing):
        return _unseen(status, observation.pods)
    percent, pods = wanted_percent(status), observation.pods
    claimed = _claimed(identity, status, observation)
    doubts = {pod.name: doubt for pod in pods if (doubt := _doubt(identity, pod, status.flags, percent, claimed=claimed))}
    policy, strays = _policy(pods)
    restored = (
        bool(pods)
        and not doubts
        and (not claimed or _in_force(identity, spec, observation, percent, sample(spec, status, now)))
    )
    converged = restored and not strays
    since = status.convergence.since if status.convergence else None
    convergence = Convergence(
        confirmed=len(pods) - len(doubts),
        total=len(pods),
        since=(since or now) if converged else None,
        laggards=_clauses(doubts or strays),
    )
    return Sighting(
        convergence=convergence,
        converged=converged,
        restored=restored,
        answered=bool(pods) and not any(pod.error for pod in pods),
        policy=policy,
        finding=_finding(percent, pods, convergence, policy, doubts=bool(doubts), restored=restored),
    )


def laggard_clause(convergence: Convergence) -> str:
    """Return the laggards as the end of a sentence, or nothing."""
    return f": {'; '.join(convergence.laggards)}" if convergence.laggards else ""


def _unseen(status: SarkRolloutStatus, missing: Missing) -> Sighting:
    total = status.convergence.total if status.convergence else 0
    return Sighting(
        convergence=Convergence(confirmed=0, total=total),
        converged=False,
        restored=False,
        answered=False,
        policy="",
        finding=found(reasons.PODS_UNAVAILABLE, message=missing.message),
    )


def _claimed(identity: Identity, status: SarkRolloutStatus, observation: Observation) -> bool:
    """Return whether the sidecars have been asked for anything by this rollout; before that, an answer is all they owe."""
    document = readable_document(observation.flags)
    started = in_step(status) or status.phase is Phase.REVERTING
    return started or (status.flags is not None and document is not None and is_ours(identity, document))


def _in_force(identity: Identity, spec: SarkRolloutSpec, observation: Observation, percent: int, compared: int) -> bool:
    document = readable_document(observation.flags)
    return document is not None and serves(identity, spec, document, percent, compared)


def _doubt(identity: Identity, pod: PodReport, flags: FlagsApplied | None, percent: int, *, claimed: bool) -> str:
    """Return why the pod does not count as confirmed, or nothing when it does."""
    if pod.error or not claimed:
        return pod.error
    if flags is None or flags.percent != percent:
        return f"has not been asked for {percent}% yet"
    if pod.rollout != identity.key:
        return f"follows the flags of {pod.rollout}" if pod.rollout else "has no flag document"
    if pod.percent != percent:
        return f"serves {pod.percent}%"
    if pod.revision is None or pod.revision < flags.share_revision:
        return f"is at flag revision {pod.revision}, at least {flags.share_revision} needed"
    return ""


def _policy(pods: Sequence[PodReport]) -> tuple[str, dict[str, str]]:
    """Return the one policy revision; when there is none, also the pods that stray from the commonest, with the reason."""
    votes = Counter(pod.policy_revision for pod in pods if pod.policy_revision)
    common = max(votes, key=lambda revision: (votes[revision], revision), default="")
    strays: dict[str, str] = {}
    for pod in pods:
        if pod.policy_revision != common or not common:
            strays[pod.name] = f"its engine serves policy {pod.policy_revision or 'of no revision'}, others {common or 'none'}"
        elif pod.baseline_policy_revision != common:
            strays[pod.name] = (
                f"its OPA serves policy {pod.baseline_policy_revision or 'of no known revision'}, its engine {common}"
            )
    return ("" if strays else common), strays


def _clauses(reasons_by_pod: dict[str, str]) -> list[str]:
    return [shorten(f"{name}: {why}", _MAX_CLAUSE) for name, why in list(reasons_by_pod.items())[:MAX_LAGGARDS]]


def _finding(
    percent: int, pods: Sequence[PodReport], convergence: Convergence, policy: str, *, doubts: bool, restored: bool
) -> Finding:
    silent = {pod.name: pod.error for pod in pods if pod.error}
    confirmed, total = convergence.confirmed, convergence.total
    if silent:
        laggards = "; ".join(_clauses(silent))
        return found(reasons.SIDECARS_UNREACHABLE, count=len(silent), total=total, laggards=laggards)
    if doubts or not pods:
        return found(
            reasons.CONVERGING, confirmed=confirmed, total=total, percent=percent, laggards=laggard_clause(convergence)
        )
    if not restored:
        return found(reasons.FLAGS_NOT_IN_FORCE, percent=percent)
    if not policy:
        return found(reasons.POLICY_REVISIONS_DIFFER, laggards="; ".join(convergence.laggards))
    return found(reasons.ALL_CONFIRMED, confirmed=confirmed, total=total, percent=percent, policy=policy)
