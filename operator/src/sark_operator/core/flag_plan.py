"""Which flag document should be in force, whether it must be written for that, and under which revision.

The flags follow the status at every tick, whatever happened before. Where the world and the status disagree:

- A document of ours that serves the wanted share stays; only its revision is taken over. One older than the status knows of is
  written anew: sidecars that saw the newer one ignore it.
- A document of another rollout is replaced only by a live rollout that wants a share, or that is taking its own back, and only
  when nobody else holds the target. A rollout that rests never does so.
- A document that cannot be read is replaced: sidecars keep the last good one, but a new pod has none.
- A ConfigMap that is gone is not made again while a share is wanted: its deletion is no evidence against the new arm, and
  someone may have meant it. Sidecars follow their last document until it expires, the bake is frozen, and an empty ConfigMap
  in its place is filled at once. It is created only to take a share back: by a revert, be the rollout deleted meanwhile, and by
  a new attempt. The same write is tried when the ConfigMap cannot be read: it fails where there is one, and is tried again. In
  a namespace that is going away nothing can be created, and nobody follows it for long.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sark_api import reasons
from sark_api.flags import FlagDocument
from sark_api.spec import SarkRolloutSpec
from sark_api.status import FlagsApplied, Phase, SarkRolloutStatus

from .decision import WriteFlags
from .finding import Finding, found
from .flag_document import desired_document, is_ours, needs_renewal, readable_document, serves
from .instants import to_milliseconds
from .lifecycle import in_step, wanted_percent
from .observation import Identity, Missing, Observation, ObservedFlags
from .owners import held_by_others
from .plan import sample
from .problems import config_map_missing

MAX_REVISION: Final = 2**53 - 1
MAX_REPORTED_REVISION: Final = 2**52
"""A sidecar that claims a higher one is not believed: it would use up all revisions."""


@dataclass(frozen=True, slots=True)
class Claim:
    """Who asks for the flags: the rollout, the status it has come to in this tick, and what it saw."""

    identity: Identity
    spec: SarkRolloutSpec
    status: SarkRolloutStatus
    observation: Observation
    resting: bool
    now: datetime

    @property
    def percent(self) -> int:
        """The share that should be in force."""
        return wanted_percent(self.status)

    @property
    def in_step(self) -> bool:
        """Whether anything should be in force: a share, or comparisons without one."""
        return in_step(self.status)

    @property
    def sample(self) -> int:
        """Percent of the requests that should be compared in the shadow."""
        return sample(self.spec, self.status, self.now)


@dataclass(frozen=True, slots=True)
class FlagPlan:
    """What comes of a claim."""

    applied: FlagsApplied | None
    """The document in force once `write` is done."""
    write: WriteFlags | None
    trouble: Finding | None
    """What is wrong with the flags, whether or not the write mends it."""


def plan_flags(claim: Claim) -> FlagPlan:
    """Return the write that makes the document in force what the status wants, or none when it is already, or may not be."""
    document, trouble = readable_document(claim.observation.flags), _trouble(claim)
    if not _must_write(claim, document):
        return FlagPlan(in_force(claim) or claim.status.flags, None, trouble)
    down = _going_down(claim, document)
    held = held_by_others(claim.spec, claim.observation)
    if held is not None and not down:
        return FlagPlan(in_force(claim) or claim.status.flags, None, held)
    revision = _next_revision(claim, document)
    if revision > MAX_REVISION:
        name = claim.spec.target.flags_config_map
        revision, trouble = MAX_REVISION, found(reasons.REVISIONS_EXHAUSTED, limit=MAX_REVISION, name=name)
    wanted = desired_document(claim.identity, claim.spec, claim.percent, claim.sample, revision=revision, now=claim.now)
    flags = claim.observation.flags
    write = WriteFlags(
        document=wanted,
        resource_version="" if isinstance(flags, Missing) else flags.resource_version,
        force=down or _unreadable(claim.observation) or _owned(claim.observation),
    )
    return FlagPlan(_written(claim, document, wanted), write, trouble)


def in_force(claim: Claim) -> FlagsApplied | None:
    """Return the document in force as the one applied, or None when it is not what is wanted, or older than what was applied.

    What was known of the same share is kept.
    """
    document, before = readable_document(claim.observation.flags), claim.status.flags
    if document is None or not serves(claim.identity, claim.spec, document, claim.percent, claim.sample):
        return None
    if before is not None and document.revision < before.revision:
        return None
    if before is None or before.percent != document.percentage or before.share_revision > document.revision:
        return _applied(document, document.revision, claim.now)
    return _applied(document, before.share_revision, before.written_at)


def _must_write(claim: Claim, document: FlagDocument | None) -> bool:
    """Return whether the document in force is not what it should be, and may be replaced."""
    restoring = claim.status.phase is Phase.REVERTING
    if document is not None and is_ours(claim.identity, document):
        return in_force(claim) is None or needs_renewal(claim.spec, document, claim.now)
    if document is not None:
        holds_target = not claim.resting and not claim.observation.rival and not claim.identity.deleting
        return holds_target and (claim.in_step or restoring)
    if isinstance(claim.observation.flags, Missing):
        return _takes_back(claim) and not claim.observation.namespace_ending
    if claim.observation.rival and not restoring:
        return False
    before = claim.status.flags
    stale = before is not None and (before.percent > 0 or _unreadable(claim.observation))
    return claim.in_step or restoring or stale


def _takes_back(claim: Claim) -> bool:
    """Return whether a share that sidecars may still follow is no longer wanted."""
    before = claim.status.flags
    abandoned = not claim.in_step and not claim.resting and before is not None and before.percent > 0
    return claim.status.phase is Phase.REVERTING or abandoned


def _next_revision(claim: Claim, document: FlagDocument | None) -> int:
    """Return a revision above every one known, so that no sidecar ignores it.

    What sidecars report counts too: when the ConfigMap was deleted or mangled, theirs may be the only trace of the last
    revision.
    """
    pods = () if isinstance(claim.observation.pods, Missing) else claim.observation.pods
    reported = (pod.revision for pod in pods if pod.revision is not None and pod.revision <= MAX_REPORTED_REVISION)
    known = claim.status.flags.revision if claim.status.flags else 0
    return max(known, document.revision if document else 0, *reported, 0) + 1


def _going_down(claim: Claim, document: FlagDocument | None) -> bool:
    before = claim.status.flags.percent if claim.status.flags else 0
    restoring = claim.status.phase is Phase.REVERTING
    return restoring or claim.percent < (document.percentage if document else before)


def _owned(observation: Observation) -> bool:
    """Return whether the API server would refuse a write without force: somebody else owns a key, be it an empty one."""
    return isinstance(observation.flags, ObservedFlags) and bool(observation.flags.owners)


def _unreadable(observation: Observation) -> bool:
    return isinstance(observation.flags, ObservedFlags) and observation.flags.error != ""


def _trouble(claim: Claim) -> Finding | None:
    if isinstance(claim.observation.flags, ObservedFlags) and claim.observation.flags.error:
        return found(reasons.FLAGS_REPAIRED, error=_quoted(claim.observation.flags), percent=claim.percent)
    if config_map_missing(claim.observation) and claim.percent > 0:
        name, namespace = claim.spec.target.flags_config_map, claim.identity.namespace
        return found(reasons.FLAGS_CONFIG_MAP_MISSING, name=name, namespace=namespace)
    document = readable_document(claim.observation.flags)
    foreign = document is not None and not is_ours(claim.identity, document)
    if foreign and claim.observation.rival and claim.percent > 0:
        return found(reasons.FLAGS_NOT_IN_FORCE, percent=claim.percent)
    return None


def _quoted(flags: ObservedFlags) -> str:
    """Return why the document cannot be read, and who wrote it."""
    return f"{flags.error}; written by {', '.join(flags.owners)}" if flags.owners else flags.error


def _written(claim: Claim, replaced: FlagDocument | None, document: FlagDocument) -> FlagsApplied:
    """Return the document about to be written.

    Where it only renews the one in force, sidecars need not confirm the share again.
    """
    before = claim.status.flags
    renewal = replaced is not None and serves(claim.identity, claim.spec, replaced, document.percentage, claim.sample)
    if renewal and before is not None and before.percent == document.percentage:
        return _applied(document, before.share_revision, before.written_at)
    return _applied(document, document.revision, claim.now)


def _applied(document: FlagDocument, share_revision: int, written_at: datetime) -> FlagsApplied:
    return FlagsApplied(
        revision=document.revision,
        share_revision=share_revision,
        percent=document.percentage,
        sha256=document.sha256,
        written_at=to_milliseconds(written_at),
        valid_until=document.valid_until,
    )
