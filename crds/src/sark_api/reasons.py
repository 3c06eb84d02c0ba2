"""Every reason the operator gives, in one table: its name, its event type, its sentence, and what it means.

Conditions, events, history, metrics and `status.reason` all take their words from here, so that a reason means the same thing
wherever it is read. A name is a contract: programs match on it; it is never renamed. A sentence is for people and may improve.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

MAX_SENTENCE = 2048
"""Longest sentence, in characters: what a condition and a history entry can hold."""


class EventType(StrEnum):
    """Type of a Kubernetes event."""

    NORMAL = "Normal"
    WARNING = "Warning"


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason, in all the forms it is shown in."""

    name: str
    """CamelCase word a program can match on."""
    event: EventType
    template: str
    """The sentence, with named places for its numbers."""
    doc: str
    """What it means and what to do, in one line of the documentation."""

    def sentence(self, **values: object) -> str:
        """Return the sentence with `values` filled in, cut to what a condition can hold."""
        return shorten(self.template.format(**values), MAX_SENTENCE)


def shorten(text: str, limit: int) -> str:
    """Return `text` with at most `limit` characters; three dots say that something was cut off."""
    return text if len(text) <= limit else text[: limit - 3] + "..."


_TABLE: dict[str, Reason] = {}


def _reason(name: str, event: EventType, template: str, doc: str) -> Reason:
    if name in _TABLE:
        raise ValueError(f"reason {name} stands in the table twice")
    _TABLE[name] = Reason(name, event, template, doc)
    return _TABLE[name]


_N, _W = EventType.NORMAL, EventType.WARNING

# Transitions: each is one history entry, one event, one count.
STARTED: Final = _reason(
    "Started", _N, "Started: 0% to {percent}% (step {index} of {total})", "The first step began; every sidecar had answered."
)
ADVANCED: Final = _reason(
    "Advanced",
    _N,
    "Advanced from {from_percent}% to {percent}% (step {index} of {total}): {proof}",
    "A step was proven and the next one began.",
)
COMPLETED: Final = _reason(
    "Completed",
    _N,
    "Completed at {percent}%: {proof}; {watch}",
    "The last step was proven. The criteria are watched for watchAfter.",
)
CRITERION_BREACHED: Final = _reason(
    "CriterionBreached",
    _W,
    "Reverted from {percent}%: {verdicts}",
    "A criterion whose breach takes it back was breached; the baseline is restored. Raise spec.attempt to try again.",
)
BLIND_TOO_LONG: Final = _reason(
    "BlindTooLong",
    _W,
    "Reverted from {percent}%: not seen for {blind} (rollback.blindFor is {limit}): {verdicts}",
    "For longer than rollback.blindFor between 0% and 100% a criterion with action Revert was Unknown, Prometheus did not "
    "scrape all ready sidecars, or others had series that name the rollout.",
)
ROLLED_BACK_BY_USER: Final = _reason(
    "RolledBackByUser",
    _W,
    "Reverted from {percent}%: spec.mode is Rollback",
    "The user asked for the baseline. Set mode Auto and raise spec.attempt to try again.",
)
ROLLOUT_DELETED: Final = _reason(
    "RolloutDeleted",
    _N,
    "Reverted from {percent}%: the rollout is being deleted and rollback.onDelete is Baseline",
    "The object is being deleted; the baseline is restored first.",
)
REVERT_ADOPTED: Final = _reason(
    "RevertAdopted",
    _W,
    "Reverted from {percent}%: the flag document {where}, revision {revision}, is newer than the status and asks for "
    "{lower}% only; a share that was taken back is never raised again without a new attempt",
    "A revert was written to the flags but not to the status, by an operator that died in between, or by hand; or the cluster "
    "was restored from a backup made before a revert that sidecars still follow.",
)
FLAGS_TAKEN_OVER: Final = _reason(
    "FlagsTakenOver",
    _W,
    "Reverted from {percent}%: the flag document in force, revision {revision}, was written later and belongs to {owner}",
    "Someone else's flag document replaced ours. Find out who writes the ConfigMap, then raise spec.attempt.",
)
BASELINE_RESTORED: Final = _reason(
    "BaselineRestored", _N, "Baseline restored: {proof}, {seconds} s after the decision", "Every ready sidecar confirmed 0%."
)
PAUSED_BY_USER: Final = _reason(
    "PausedByUser",
    _N,
    "Paused at {percent}%: spec.mode is Paused; the bake is frozen, a breach still reverts",
    "The user asked to stay at this share. Set mode Auto to go on.",
)
RESUMED_BY_USER: Final = _reason("ResumedByUser", _N, "Resumed at {percent}%: spec.mode is {mode}", "The pause was ended.")
ATTEMPT_RAISED: Final = _reason(
    "AttemptRaised",
    _N,
    "Attempt {attempt} begins: all progress of attempt {before} is discarded",
    "The user asked for a new try.",
)
PLAN_EDITED: Final = _reason(
    "PlanEdited",
    _N,
    "The steps were edited ({edits}): the share stays at {percent}%, which is now step {step}",
    "spec.steps changed while the rollout was on its way; an edit never raises the share.",
)
FEATURES_EDITED: Final = _reason(
    "FeaturesEdited",
    _N,
    "The features were edited at {percent}% ({edits}): what was proven was proven for other features, so the step begins again",
    "spec.features changed while the rollout was on its way.",
)
SPEC_EDITED: Final = _reason(
    "SpecEdited",
    _N,
    "The spec was edited at {percent}% ({edits}): it applies from now on",
    "Somebody changed what must be proven, how, or when: the message names the fields, and from what to what they changed.",
)
PROMOTED: Final = _reason(
    "Promoted",
    _N,
    "Promoted at {percent}% by {by}: it goes on to {to} without the rest of bake and hold, once nothing else is in the way",
    "A request to Promote was granted. It never goes past a breached or unknown criterion.",
)
STEPS_SKIPPED: Final = _reason(
    "StepsSkipped",
    _N,
    "Skipped from {percent}% by {by}: it goes on to {to}, leaving out {skipped}, once nothing else is in the way",
    "A request to Skip was granted. It never goes past a breached or unknown criterion.",
)
STEP_APPROVED: Final = _reason(
    "StepApproved", _N, "Approved by {by}: the step of {step}% may begin", "A request to Approve was granted; it is used once."
)
REQUEST_REFUSED: Final = _reason(
    "RequestRefused",
    _W,
    "Request {id} ({action}) of {by} was refused: {why}",
    "spec.request asked for what makes no sense here, or was meant for another attempt or share. Write one with a higher id.",
)
APPROVAL_AWAITED: Final = _reason(
    "ApprovalAwaited",
    _W,
    "Holding at {percent}%: the step of {step}% waits for approval{until}",
    "The step has approval Required. `sark-rollout approve`, or spec.request with action Approve.",
)
APPROVAL_EXPIRED: Final = _reason(
    "ApprovalExpired",
    _W,
    "Holding at {percent}%: the step of {step}% has waited for approval for longer than {limit}; it can still be given",
    "approvals.expireAfter has passed and onExpiry is Hold.",
)
APPROVAL_MISSED: Final = _reason(
    "ApprovalMissed",
    _W,
    "Reverted from {percent}%: the step of {step}% was not approved within {limit} and approvals.onExpiry is Revert",
    "Nobody approved the next step in time. Raise spec.attempt to try again.",
)
RETRIED: Final = _reason(
    "Retried",
    _N,
    "Retry {retry} of {limit} begins: {cooled} have passed since the baseline was restored",
    "rollback.retry started the rollout again from the first step.",
)
FLAGS_REPAIRED: Final = _reason(
    "FlagsRepaired",
    _W,
    "The flag document could not be read ({error}) and was written anew at {percent}%",
    "The flags ConfigMap was edited by hand or cut off; sidecars had kept the last good document.",
)

FLAGS_CORRECTED: Final = _reason(
    "FlagsCorrected",
    _W,
    "The flags were written by {owners} and were corrected at {percent}%",
    "Somebody or some tool edits the flags ConfigMap; spec.flagEdits is Correct, or they asked for more than was proven. Steer "
    "by spec.mode and spec.request instead.",
)
FLAGS_HELD: Final = _reason(
    "FlagsHeld",
    _W,
    "Holding: {owners} wrote flags.json or flagd.json of ConfigMap {name} and spec.flagEdits is Hold: nothing is raised or "
    "renewed until they let go, or flagEdits is Correct; a revert still writes",
    "Somebody or some tool owns the flag document. Take its ownership off, empty the two keys, or write flagEdits: Correct.",
)

# Why it is not further, while nothing is wrong.
BAKING: Final = _reason("Baking", _N, "Baking {percent}%: {proven} of {required} proven", "Proven time is being gathered.")
HOLDING_TIME: Final = _reason(
    "HoldingTime",
    _N,
    "Holding at {percent}%: proven, but the step lasts at least {hold} and {left} are left",
    "The step's hold time has not passed.",
)
FILLING_WINDOW: Final = _reason(
    "FillingWindow",
    _N,
    "Holding at {percent}%: the last metric window of {window} must lie wholly inside the step, {left} are left",
    "The metric window still reaches back to before every sidecar had confirmed the share.",
)
OUTSIDE_WINDOW: Final = _reason(
    "OutsideWindow",
    _N,
    "Holding at {percent}%: ready for {step}%, but outside every window; {opens}",
    "spec.windows limit when a step may begin. Safety goes on.",
)
RETRY_WAITS: Final = _reason(
    "RetryWaits", _N, "{why}; retry {retry} of {limit} in {left}", "The cool-down before an automatic retry is under way."
)
RETRY_SUPERSEDED: Final = _reason(
    "RetrySuperseded",
    _N,
    "{why}; retry {retry} of {limit} is not begun, since rollout {owner} has the target's flags by now: raise spec.attempt to "
    "take the target back",
    "Another rollout has taken the target since the revert. What it has moved is not taken from it without being asked.",
)
ATTEMPT_WAITS: Final = _reason(
    "AttemptWaits",
    _N,
    "Attempt {attempt} begins in {left}: until then the metric window of {window} holds requests of the reverted attempt",
    "spec.attempt was raised soon after a revert; the new attempt must not be judged by the old one's errors.",
)
CONVERGING: Final = _reason(
    "Converging",
    _N,
    "Converging: {confirmed} of {total} sidecars confirmed {percent}%{laggards}",
    "Not every ready sidecar applies the share in force; the bake is frozen.",
)
WATCHING: Final = _reason(
    "Watching",
    _N,
    "Completed at {percent}%: the criteria are watched for another {left}",
    "Completed; a late breach still reverts.",
)
WATCH_OVER: Final = _reason(
    "WatchOver", _N, "Completed at {percent}%: watchAfter has passed", "Nothing more will happen by itself."
)
RESTORING_BASELINE: Final = _reason(
    "RestoringBaseline",
    _N,
    "{why}; restoring the baseline: {confirmed} of {total} sidecars confirmed 0%{laggards}",
    "The flags ask for 0%; the sidecars are asked until each has confirmed it.",
)
RELEASING: Final = _reason("Releasing", _N, "The rollout is being deleted: {what}", "The finalizer goes once onDelete is met.")
STAYS_AT_BASELINE: Final = _reason(
    "StaysAtBaseline", _N, "Not started: spec.mode is Rollback; set mode: Auto to start", "The user asked for 0%."
)
STARTING: Final = _reason(
    "Starting", _N, "Not started: {what}", "The rollout is about to begin; what it waits for stands in the message."
)

# Why it is not further, because something must be seen to or mended.
CRITERION_UNKNOWN: Final = _reason(
    "CriterionUnknown",
    _W,
    "Holding at {percent}%: {verdicts}",
    "A criterion has no verdict: no data, or too little. Unknown is neither pass nor breach; the bake is frozen.",
)
CRITERION_HOLDS: Final = _reason(
    "CriterionHolds",
    _W,
    "Holding at {percent}%: {verdicts}",
    "A criterion with action Hold is breached and freezes the bake until it passes, or latencyP95 would be at 100%.",
)
TARGET_TAKEN: Final = _reason(
    "TargetTaken",
    _W,
    "The target is held by {rival}: wait until it has ended, or delete one of the two",
    "Two rollouts name one flags ConfigMap, or one selects all pods of the other; the first one has them.",
)
FLAGS_CONFIG_MAP_MISSING: Final = _reason(
    "FlagsConfigMapMissing",
    _W,
    "ConfigMap {name} does not exist in namespace {namespace}: create an empty one, mounted by the pods; the operator fills it",
    "The flags ConfigMap is not there. It is created by the operator only to restore the baseline.",
)
FLAGS_UNAVAILABLE: Final = _reason(
    "FlagsUnavailable", _W, "The flags ConfigMap could not be read: {message}", "The API server did not hand out the ConfigMap."
)
FLAGS_NOT_IN_FORCE: Final = _reason(
    "FlagsNotInForce",
    _W,
    "The flag document in force is not this rollout's document for {percent}%; the operator writes it where it may",
    "The document is being written, or may not be written because another rollout owns it.",
)
REVISIONS_EXHAUSTED: Final = _reason(
    "RevisionsExhausted",
    _W,
    "The flag document's revision has reached {limit} and cannot grow: delete ConfigMap {name}, create an empty one "
    "and restart the pods",
    "Someone wrote an absurdly high revision; of those that are not higher sidecars follow one of 0% only.",
)
NO_READY_PODS: Final = _reason(
    "NoReadyPods",
    _W,
    "No ready pod in namespace {namespace} carries the labels {labels}: correct spec.target.matchLabels, or wait for the pods",
    "The target selects nothing that could be asked.",
)
PODS_UNAVAILABLE: Final = _reason(
    "PodsUnavailable", _W, "The target's pods could not be listed: {message}", "The API server did not list the pods."
)
SIDECARS_UNREACHABLE: Final = _reason(
    "SidecarsUnreachable",
    _W,
    "{count} of {total} sidecars could not be asked: {laggards}",
    "A ready pod's admin port does not answer; check spec.target.adminPort and network policies.",
)
POLICY_REVISIONS_DIFFER: Final = _reason(
    "PolicyRevisionsDiffer",
    _W,
    "Both arms of all sidecars must serve one policy revision: {laggards}",
    "Answers of different policies cannot be compared; a rollout neither starts nor bakes meanwhile.",
)
METRICS_UNAVAILABLE: Final = _reason(
    "MetricsUnavailable",
    _W,
    "Metrics could not be read: {message}",
    "Prometheus did not answer, refused a query, does not see all sidecars, or has another time. The step is held; nothing is "
    "reverted before rollback.blindFor.",
)

EVIDENCE_NOT_FILED: Final = _reason(
    "EvidenceNotFiled",
    _W,
    "Holding at {percent}%: {count} evidence records of earlier decisions are in no ConfigMap yet: {message}",
    "Grant the operator its rights on configmaps, or mend what the message names. An advance waits for it, a revert never.",
)

# Why an answer of Prometheus is none: counted in sark_operator_prometheus_queries_total. The sentence stands in the criteria,
# and in the condition MetricsAvailable, whose own reason is MetricsUnavailable.
METRICS_TIMEOUT: Final = _reason(
    "MetricsTimeout",
    _W,
    "{message}",
    "No answer within spec.prometheus.timeout.",
)
METRICS_UNREACHABLE: Final = _reason(
    "MetricsUnreachable",
    _W,
    "{message}",
    "The server could not be reached, its certificate is not trusted, or it answered with an HTTP error or a redirect.",
)
METRICS_ACCESS: Final = _reason(
    "MetricsAccess",
    _W,
    "{message}",
    "Credentials, tenant or namespace are not let in, or a credential's file cannot be read.",
)
METRICS_QUERY_REFUSED: Final = _reason(
    "MetricsQueryRefused", _W, "{message}", "The server refused the query, as one of criteria.custom that does not parse."
)
METRICS_PARTIAL: Final = _reason(
    "MetricsPartial",
    _W,
    "{message}",
    "The server warns that its answer is not whole, or does not see every ready sidecar: a part of the fleet may be missing.",
)
METRICS_FOREIGN: Final = _reason(
    "MetricsForeign",
    _W,
    "{message}",
    "Targets outside the rollout's namespace have series that name it: they would count for its fleet.",
)
METRICS_CLOCK: Final = _reason(
    "MetricsClock",
    _W,
    "{message}",
    "The clocks of the server and of the operator differ by more than half a minute: set both right.",
)
METRICS_INVALID: Final = _reason(
    "MetricsInvalid",
    _W,
    "{message}",
    "The answer is none that can be read: not JSON, NaN, infinite, several series where one number is needed, or too long.",
)
METRICS_ABSENT: Final = _reason(
    "MetricsAbsent", _W, "{message}", "There are no series of the rollout, though its sidecars have been told its name."
)
METRICS_STALE: Final = _reason(
    "MetricsStale", _W, "{message}", "The newest sample of the rollout is older than half of criteria.window, 5s at least."
)
METRICS_NOT_ASKED: Final = _reason(
    "MetricsNotAsked", _N, "Prometheus has not been asked for it", "Nobody has asked yet; it is never counted."
)

# Said once by an event, beside what the conditions say.
FLAGS_OWNED_BY_ANOTHER: Final = _reason(
    "FlagsOwnedByAnother",
    _W,
    "{message}; the share is not raised until they let go",
    "The API server refused the flags, because another field manager took their keys since they were read.",
)

BASELINE_NOT_RESTORED: Final = _reason(
    "BaselineNotRestored",
    _W,
    "The baseline is not restored yet: {message}; it is tried until it is",
    "During a revert a write failed, of the flags as a rule: the API server or an admission policy refused it, or was away.",
)

# What conditions say while all is well, or while they do not apply.
AS_EXPECTED: Final = _reason("AsExpected", _N, "Nothing is in the way", "The good state of Ready and Degraded.")
ALL_CONFIRMED: Final = _reason(
    "AllConfirmed",
    _N,
    "{confirmed} of {total} sidecars confirmed {percent}%, policy revision {policy}",
    "Every ready sidecar applies the share in force.",
)
METRICS_READ: Final = _reason("MetricsRead", _N, "All metrics could be read", "Prometheus answered every query.")
NOT_JUDGED: Final = _reason("NotJudged", _N, "At 0% nothing is judged", "Criteria are evaluated above 0% only.")
SAMPLES_SUFFICIENT: Final = _reason(
    "SamplesSufficient", _N, "Every criterion rests on enough samples", "minSamples is met everywhere."
)
TOO_FEW_SAMPLES: Final = _reason(
    "TooFewSamples",
    _W,
    "{verdicts}",
    "A criterion has too few samples for a verdict; wait, lower minSamples or widen the window.",
)
CRITERIA_PASS: Final = _reason("CriteriaPass", _N, "{verdicts}", "Every criterion that can hold or revert passes.")
CRITERIA_BREACHED: Final = _reason("CriteriaBreached", _W, "{verdicts}", "A criterion is breached.")
FLAGS_OURS: Final = _reason("FlagsOurs", _N, "The operator alone writes the flag document", "Nobody else owns its keys.")
FLAGS_SHARED: Final = _reason(
    "FlagsShared",
    _W,
    "The keys of the flag document were written by {owners} too; the operator takes them over with its next write",
    "Somebody or some tool has written the flags ConfigMap, and spec.flagEdits is Correct.",
)
NOT_PAUSED: Final = _reason("NotPaused", _N, "spec.mode is {mode}", "The rollout is not paused.")
NOT_REVERTING: Final = _reason("NotReverting", _N, "No revert is under way", "Nothing is being taken back.")
NOT_COMPLETED: Final = _reason("NotCompleted", _N, "The last step has not been proven", "The rollout is not at its end.")

REASONS: Final[Mapping[str, Reason]] = _TABLE
"""All reasons by name."""
