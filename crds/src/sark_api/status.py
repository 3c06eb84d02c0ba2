"""The status of a SarkRollout: where it is, since when, until when, why not further, and what it has proven."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field, StringConstraints

from .instant import Instant, PreciseInstant
from .model import ApiModel

HISTORY_LIMIT = 20
NOTIFIED_LIMIT = 50
SpecPath = Annotated[str, StringConstraints(max_length=128)]
SpecText = Annotated[str, StringConstraints(max_length=64)]


class Phase(StrEnum):
    """One word for people; machines use the conditions."""

    PENDING = "Pending"
    PROGRESSING = "Progressing"
    PAUSED = "Paused"
    REVERTING = "Reverting"
    REVERTED = "Reverted"
    COMPLETED = "Completed"


class Verdict(StrEnum):
    """What a criterion says. Unknown is neither pass nor breach."""

    PASS = "Pass"
    BREACH = "Breach"
    UNKNOWN = "Unknown"


class ConditionStatus(StrEnum):
    """Status of a condition."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


class Condition(ApiModel):
    """One observation about the rollout, in the form of metav1.Condition."""

    type: str = Field(min_length=1, max_length=64)
    """Name of the condition."""
    status: ConditionStatus
    """True, False or Unknown."""
    reason: str = Field(min_length=1, max_length=128, pattern="^[A-Za-z][A-Za-z0-9]*$")
    """One CamelCase word a program can act on."""
    message: str = Field(max_length=2048)
    """One sentence a person can act on."""
    last_transition_time: Instant
    """When status last changed."""
    observed_generation: int
    """The metadata.generation this was observed at."""


class FlagsApplied(ApiModel):
    """The flag document last written."""

    revision: int
    """Its revision; it only grows."""
    share_revision: int
    """Revision at which the present share was first written; later revisions only renewed it."""
    percent: int
    """The share it asks for, integer percent."""
    sha256: str = Field(max_length=64)
    """Its checksum, which every sidecar must confirm."""
    written_at: PreciseInstant
    """When this share was first written."""
    valid_until: PreciseInstant | None = None
    """When sidecars stop following it unless it is renewed; absent at 0% and 100%."""


class StepProgress(ApiModel):
    """The step the rollout is in."""

    index: int
    """Position in the plan, from 1."""
    total: int
    """Number of steps in the plan."""
    percent: int
    """Share this step asks for, integer percent."""
    started_at: PreciseInstant
    """When the step began."""
    promoted_to: int | None = None
    """Share the user asked to go on to without the rest of bake and hold; absent otherwise."""


class Convergence(ApiModel):
    """Which sidecars have confirmed the flag document."""

    confirmed: int
    """Ready sidecars that apply it."""
    total: int
    """Ready pods of the target."""
    since: PreciseInstant | None = None
    """Since when all of them do; absent while one does not."""
    laggards: list[str] = Field(default=[], max_length=5)
    """Up to five pods that do not, each with the reason."""


class BaselineOnlyPath(ApiModel):
    """A decision path that stays on baseline at every share."""

    path: str = Field(max_length=256)
    """The path, as in authz/allow."""
    reason: str = Field(max_length=256)
    """Why the engine does not answer for it."""


class PolicyStatus(ApiModel):
    """The policies the sidecars serve, and what of them the new arm does not answer."""

    revision: str = Field(default="", max_length=64)
    """The policy revision most sidecars reported."""
    baseline_only_count: int = 0
    """How many rules stay on baseline at every share, because the engine does not answer for them."""
    baseline_only: list[BaselineOnlyPath] = Field(default=[], max_length=20)
    """The first of them, each with the reason."""


class Bake(ApiModel):
    """Proven time of the present step."""

    required_seconds: int
    """Proven seconds the step needs."""
    proven_milliseconds: int
    """Proven time so far, in milliseconds."""
    counted_at: PreciseInstant | None = None
    """When time was last added."""
    frozen: str = Field(default="", max_length=512)
    """Why time is not being counted; empty while it is."""


class CriterionStatus(ApiModel):
    """What one criterion said last, with its numbers."""

    name: str = Field(max_length=64)
    """Name as in spec.criteria."""
    verdict: Verdict
    """Pass, Breach or Unknown."""
    action: str = Field(max_length=16)
    """What a breach does: Revert, Hold or Warn."""
    value: str = Field(default="", max_length=64)
    """The measured value with its unit; empty when there is none."""
    limit: str = Field(default="", max_length=64)
    """The limit with its unit."""
    samples: int = 0
    """Requests, or pods, the value rests on."""
    min_samples: int = 0
    """Samples needed for a verdict."""
    message: str = Field(max_length=1024)
    """The verdict as a sentence with its numbers."""
    query: str = Field(default="", max_length=2048)
    """The PromQL the value was computed from."""
    since: PreciseInstant | None = None
    """Since when the verdict is this one."""
    bound: str = Field(default="", max_length=64)
    """The least the value is with 99.9% confidence by this window alone, with its unit; empty where none is reckoned."""
    evidence: str = Field(default="", max_length=64)
    """Evidence of a breach from all windows counted in this attempt, as in 480 to 1; empty for a criterion that counts none."""
    evidence_needed: str = Field(default="", max_length=64)
    """Evidence at which it is a breach, as in 700 to 1."""
    windows: int = 0
    """Counting windows the evidence rests on."""
    seen: bool = False
    """Whether it could be measured, though the verdict is Unknown: not proven either way, which holds the step and is no
    blindness."""


class Evidence(ApiModel):
    """What one test has gathered in this attempt, exactly as the next operator needs it to go on."""

    name: str = Field(max_length=64)
    """Criterion, and the side of it for one with two, as in denyShift/more."""
    percent: int
    """Share at the last count, integer percent."""
    windows: int = 0
    """Windows counted."""
    samples: int = 0
    """Requests in them."""
    hits: int = 0
    """Those of the requests that count against the new arm."""
    pools: list[int] = Field(default=[], max_length=16)
    """Capital of each betting pool as its natural logarithm, in millionths."""


class RequestStatus(ApiModel):
    """The answer to the last request."""

    id: int
    """Its spec.request.id; no request with this or a lower one has any further effect."""
    action: str = Field(max_length=16)
    """What was asked: Promote, Skip or Approve."""
    granted: bool
    """Whether it was granted; else the message says why not."""
    message: str = Field(max_length=2048)
    """What came of it, one sentence."""
    by: str = Field(default="", max_length=128)
    """Who asked: the name given, and the field manager that wrote it."""
    answered_at: PreciseInstant
    """When."""


class ApprovalStatus(ApiModel):
    """An approval that has not been used yet."""

    percent: int
    """The step that may begin."""
    request: int
    """The request that gave it."""
    by: str = Field(default="", max_length=128)
    """Who gave it."""
    given_at: PreciseInstant
    """When."""


class Awaited(ApiModel):
    """The approval that is being waited for."""

    percent: int
    """The step that needs it."""
    since: PreciseInstant
    """Since when everything else is there."""
    expired: bool = False
    """Whether it has been waited for longer than approvals.expireAfter."""


class Revert(ApiModel):
    """The last way back."""

    reason: str = Field(max_length=128)
    """Reason, one CamelCase word."""
    criterion: str = Field(default="", max_length=64)
    """Criterion that was breached; empty when it was another cause."""
    message: str = Field(max_length=2048)
    """Why, as a sentence with its numbers."""
    from_percent: int
    """Share the fleet was at."""
    decided_at: PreciseInstant
    """When it was decided."""
    revision: int = 0
    """Revision of the flag document that restored the baseline; 0 until it is written."""
    completed_at: PreciseInstant | None = None
    """When every ready sidecar had confirmed it; absent until then."""


class LedgerSegment(ApiModel):
    """One ConfigMap of the evidence."""

    index: int
    """Its position, from 1; the end of its name."""
    first: int
    """Number of its first record."""


class Ledger(ApiModel):
    """The evidence of all decisions: how many records there are, and what of them is not in a ConfigMap yet."""

    records: int = 0
    """How many decisions have been recorded."""
    head: str = Field(default="", max_length=64)
    """SHA-256 of the last record, in hexadecimal."""
    segments: list[LedgerSegment] = Field(default=[], max_length=64)
    """The ConfigMaps that hold the records, oldest first; older ones have been given up."""
    unfiled: list[str] = Field(default=[], max_length=32)
    """Records that were decided and are not known to be in a ConfigMap yet, as text, oldest first."""

    @property
    def kept_from(self) -> int:
        """Number of the first record that is kept."""
        return self.segments[0].first if self.segments else 1

    @property
    def first_unfiled(self) -> int:
        """Number of the first record that is not known to be filed; one above the last when all are."""
        return self.records - len(self.unfiled) + 1


class HistoryEntry(ApiModel):
    """One transition and its evidence."""

    number: int = 0
    """Number of its evidence record; 0 for one from before there were any."""
    time: PreciseInstant
    """When."""
    actor: str = Field(max_length=128)
    """Who decided: operator, or user by spec."""
    reason: str = Field(max_length=128)
    """Reason, one CamelCase word."""
    from_percent: int
    """Share before."""
    to_percent: int
    """Share after."""
    revision: int
    """Revision of the flag document written for it; 0 when none was."""
    message: str = Field(max_length=2048)
    """Why, as a sentence with its numbers."""
    policy_revision: str = Field(default="", max_length=64)
    """Policy revision the sidecars reported."""
    operator_version: str = Field(default="", max_length=64)
    """Version of the operator that decided."""


class Leader(ApiModel):
    """Which operator process keeps the rollout, and under which term of the Lease."""

    identity: str = Field(default="", max_length=256)
    """Name of the process, as in the Lease."""
    lease: str = Field(default="", max_length=64)
    """Uid of the Lease: terms of two Leases say nothing about each other."""
    term: int = 0
    """leaseTransitions of the Lease when the process took it. A process of an earlier term leaves the rollout alone."""


class WaitKind(StrEnum):
    """What ends a wait: a clock, numbers, sidecars, or a person."""

    BAKE = "Bake"
    HOLD = "Hold"
    METRICS = "Metrics"
    SAMPLES = "Samples"
    CRITERION = "Criterion"
    SIDECARS = "Sidecars"
    APPROVAL = "Approval"
    WINDOW = "Window"
    USER = "User"
    RETRY = "Retry"
    WATCH = "Watch"


class Wait(ApiModel):
    """One thing that must come before the rollout goes on."""

    kind: WaitKind
    """Bake, Hold, Metrics, Samples, Criterion, Sidecars, Approval, Window, User, Retry or Watch."""
    text: str = Field(max_length=256)
    """What it is, as a clause."""
    until: PreciseInstant | None = None
    """When it ends at the earliest; absent where no clock alone ends it."""


class Next(ApiModel):
    """What comes next, and what it waits for. Reckoned anew at every evaluation, and the same as long as nothing changes."""

    percent: int | None = None
    """Share of the step that comes next; absent when it is the completion, or the end of the watch."""
    earliest: PreciseInstant | None = None
    """When it comes at the earliest, if all stays as good as it must be; absent while something is missing that no clock brings."""
    waits: list[Wait] = Field(default=[], max_length=16)
    """What it waits for; empty when it is due at the next evaluation."""


class NotifiedAddress(ApiModel):
    """How far one address of notifications has come."""

    name: str = Field(min_length=1, max_length=64)
    """Its name in the operator's file; a scheme, as in json://, stands for all addresses of that scheme that have none."""
    until: PreciseInstant
    """Time of the last transition that it was told."""
    count: int = Field(default=0, ge=0)
    """How many of the transitions at that very time it was told."""


class Notified(ApiModel):
    """How far notifications have gone out."""

    until: PreciseInstant
    """Time of the last transition that every address was told."""
    count: int = Field(default=0, ge=0)
    """How many of the transitions at that very time were told to every address."""
    addresses: list[NotifiedAddress] | None = Field(default=None, max_length=NOTIFIED_LIMIT)
    """How far each address has come, the furthest first; absent while all are level."""


class Summary(ApiModel):
    """Short texts for `kubectl get`."""

    traffic: str = Field(default="", max_length=64)
    """Target and observed share, as in 25%->25%."""
    step: str = Field(default="", max_length=64)
    """Step of steps, as in 3/5."""
    bake: str = Field(default="", max_length=64)
    """Proven of required time, as in 31h/48h."""
    replicas: str = Field(default="", max_length=64)
    """Sidecars that confirmed of ready pods, as in 14/14."""
    verdict: str = Field(default="", max_length=64)
    """Pass, Breach, Unknown, or Hold."""


class SarkRolloutStatus(ApiModel):
    """What the operator has observed and decided. Written by the operator alone."""

    observed_generation: int = 0
    """The metadata.generation this status answers to."""
    evaluated_spec: dict[SpecPath, SpecText] | None = Field(default=None, max_length=256)
    """What spec said at the last evaluation, which tells an edit and what it changed: fields that differ from their default, by path. A
    long text is its digest, and beyond 1 KiB whole sections are. Absent until an operator that keeps it has evaluated."""
    phase: Phase = Phase.PENDING
    """Pending, Progressing, Paused, Reverting, Reverted or Completed: a display word; use the conditions in programs."""
    reason: str = Field(default="", max_length=128)
    """Why the rollout is not further, one CamelCase word."""
    message: str = Field(default="", max_length=2048)
    """Why the rollout is not further, one sentence."""
    attempt: int = 0
    """The spec.attempt this progress belongs to."""
    started_at: PreciseInstant | None = None
    """When this attempt wrote its first share."""
    completed_at: PreciseInstant | None = None
    """When the last step was proven."""
    blind_since: PreciseInstant | None = None
    """Since when a criterion that must be seen has been Unknown above 0%, or the fleet seen in part or with others."""
    evaluated_at: PreciseInstant | None = None
    """When the criteria were last evaluated."""
    observed_basis_points: int | None = None
    """Share of requests the new arm had in the last window, in basis points; absent without data."""
    baseline_p95_microseconds: int | None = None
    """p95 of the baseline arm, in microseconds; the reference at 100%. Follows the measured one by a tenth in each criteria.window at
    most, so that a slow hour of both arms does not become the measure of the new one."""
    step: StepProgress | None = None
    """The step the rollout is in; absent before the first."""
    flags: FlagsApplied | None = None
    """The flag document last written."""
    convergence: Convergence | None = None
    """Which sidecars have confirmed it."""
    policies: PolicyStatus | None = None
    """The policies they serve, and the paths that stay on baseline whatever the share; absent before a sidecar has answered."""
    request: RequestStatus | None = None
    """The answer to the last request, if any."""
    approvals: list[ApprovalStatus] = Field(default=[], max_length=32)
    """Approvals that have not been used yet."""
    awaited: Awaited | None = None
    """The approval that is being waited for, if any."""
    retries: int = 0
    """How often this attempt was begun again without being asked."""
    bake: Bake | None = None
    """Proven time of the present step."""
    criteria: list[CriterionStatus] = Field(default=[], max_length=32)
    """What each criterion said last."""
    counted_until: PreciseInstant | None = None
    """End of the last counting window in the evidence; the next one begins here or later, so that none counts twice."""
    evidence: list[Evidence] = Field(default=[], max_length=16)
    """What the sequential tests have gathered in this attempt."""
    revert: Revert | None = None
    """The last way back, if any."""
    notified: Notified | None = None
    """How far notifications have gone out; absent while the operator sends none."""
    leader: Leader | None = None
    """Which operator process keeps the rollout, and under which term of the Lease; kept as it was once nothing happens any more."""
    history: list[HistoryEntry] = Field(default=[], max_length=HISTORY_LIMIT)
    """The last 20 transitions, oldest first."""
    ledger: Ledger = Ledger()
    """The evidence of all transitions, in ConfigMaps of their own."""
    conditions: list[Condition] = Field(
        default=[], max_length=16, json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]}
    )
    """Ready, Progressing, Converged, MetricsAvailable, SampleSufficient, CriteriaMet, Paused, Reverting, Completed, FlagsOwned, Degraded."""
    next: Next | None = None
    """What comes next, when at the earliest, and what it waits for; absent when nothing does without the user."""
    summary: Summary = Summary()
    """Short texts for kubectl get."""
