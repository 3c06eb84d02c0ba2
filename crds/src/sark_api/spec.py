"""The spec of a SarkRollout: what the user asks for.

Every field's docstring is its description in the CRD, so it is what `kubectl explain` prints: meaning, unit, default and edge.
Numbers are whole: a share is an integer percent, a ratio is in basis points or percent, a time is a duration string.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from typing import Annotated

from pydantic import ConfigDict, Field, JsonValue, StringConstraints

from .duration import Duration
from .model import ApiModel

DnsName = Annotated[str, StringConstraints(min_length=1, max_length=253, pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")]
LabelKey = Annotated[str, StringConstraints(min_length=1, max_length=317)]
LabelValue = Annotated[str, StringConstraints(max_length=63, pattern=r"^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$")]


def rule(expression: str, message: str) -> JsonValue:
    """Return one CEL rule of the CRD; `message` is what `kubectl apply` prints when `expression` is false."""
    return {"rule": expression, "message": message}


class Mode(StrEnum):
    """What the user wants the operator to do."""

    AUTO = "Auto"
    PAUSED = "Paused"
    ROLLBACK = "Rollback"


class SchedulePreset(StrEnum):
    """A schedule known by name."""

    SEED = "Seed"
    MIGRATION = "Migration"


class Action(StrEnum):
    """What a breach of a criterion does."""

    REVERT = "Revert"
    HOLD = "Hold"
    WARN = "Warn"


class Toggle(StrEnum):
    """A feature's switch."""

    ENABLED = "Enabled"
    DISABLED = "Disabled"


class OnDelete(StrEnum):
    """What deleting the object does to the fleet."""

    BASELINE = "Baseline"
    KEEP = "Keep"


class FlagEdits(StrEnum):
    """What is done when somebody else has written the flags."""

    CORRECT = "Correct"
    HOLD = "Hold"


class Approval(StrEnum):
    """Whether a step needs a human's word before it begins."""

    NONE = "None"
    REQUIRED = "Required"


class OnExpiry(StrEnum):
    """What an approval that did not come in time does."""

    HOLD = "Hold"
    REVERT = "Revert"


class RequestAction(StrEnum):
    """What is asked of the operator once."""

    PROMOTE = "Promote"
    SKIP = "Skip"
    APPROVE = "Approve"


class Day(StrEnum):
    """A day of the week."""

    MON = "Mon"
    TUE = "Tue"
    WED = "Wed"
    THU = "Thu"
    FRI = "Fri"
    SAT = "Sat"
    SUN = "Sun"


class Target(ApiModel):
    """Whose sidecars are steered."""

    match_labels: dict[LabelKey, LabelValue] = Field(
        min_length=1, max_length=16, json_schema_extra={"x-kubernetes-map-type": "atomic"}
    )
    """Labels of the pods that carry the sidecar, in the rollout's own namespace. Every label must match; at least one is required.
    Only ready pods count; a rollout that selects none waits and says so."""

    flags_config_map: DnsName
    """Name of the ConfigMap that carries the flag document, in the rollout's own namespace. It must exist (an empty one will do),
    because pods mount it; the operator owns its keys flags.json and flagd.json. One ConfigMap belongs to one rollout."""

    admin_port: int = Field(default=8182, ge=1, le=65535)
    """TCP port of the sidecar's admin endpoint on the pod's address, where the operator reads /flags. Default 8182."""


class Features(ApiModel):
    """Which halves of the new arm are moved."""

    opa: Toggle = Toggle.ENABLED
    """Whether the new arm evaluates in the embedded engine (rust_opa_enabled). Default Enabled; Disabled leaves evaluation with OPA."""

    cache: Toggle = Toggle.ENABLED
    """Whether the new arm keeps decisions in the in-process cache (rust_cache_enabled). Default Enabled; Disabled leaves them in Redis."""


class Prometheus(ApiModel):
    """Where the proof comes from."""

    address: str = Field(
        min_length=8,
        max_length=2048,
        pattern=r"^https?://[^\s/?#]+([/][^\s?#]*)?$",
        json_schema_extra={
            "x-kubernetes-validations": [
                rule(
                    "!self.matches('^https?://[^/]*@')",
                    "prometheus.address must not hold a user name or password, which everyone who may read the rollout would see: "
                    "bind them to the address in the operator's --prometheus-config",
                )
            ]
        },
    )
    """Base URL of the Prometheus server, as in http://prometheus.monitoring:9090, without query. Required. No user name and password:
    credentials and authorities belong to the address in the operator's --prometheus-config. Thanos, Mimir and others that answer
    Prometheus' query API will do."""

    tenant: str = Field(default="", max_length=150, pattern=r"^[A-Za-z0-9!._*'()|-]*$")
    """Tenant to ask as, for Mimir or Thanos, sent as X-Scope-OrgID or the header that --prometheus-config names. Default: the first one
    the operator has for the address, else none. At an address with credentials only the tenants listed there are allowed."""

    timeout: Duration = timedelta(seconds=5)
    """How long one query may take, 1s to 60s. Default 5s. A query that takes longer is Unknown: neither pass nor breach."""

    def public_address(self) -> str:
        """Return the address as it may be shown: without the credentials that only a bypassed schema lets in."""
        return re.sub(r"//[^/]*@", "//", self.address)


_STEP_RULES = [
    rule(
        "self.percent > 0 || (has(self.shadow) && self.shadow.samplePercent > 0)",
        "a step of 0 percent serves nobody and proves something only by comparing: give it shadow.samplePercent, as in 10",
    )
]


class StepShadow(ApiModel):
    """Comparing the decisions of both arms, off the requests' path."""

    sample_percent: int = Field(default=0, ge=0, le=100)
    """Share of the requests that the other arm evaluates too, integer percent. Default 0: none. Above 0 criteria.decisionMismatch is judged."""


class Step(ApiModel):
    """One stage of the rollout."""

    model_config = ConfigDict(json_schema_extra={"x-kubernetes-validations": _STEP_RULES})

    percent: int = Field(ge=0, le=100)
    """Share of subjects served by the new arm, integer percent, 0 to 100. Each step must be larger than the one before; the last is 100.
    A first step of 0 serves nobody: it compares decisions in the shadow, and needs shadow.samplePercent."""

    bake: Duration = timedelta(hours=48)
    """Proven time the step needs before the next: time in which every ready sidecar had confirmed the step, metrics were readable and
    no criterion was breached or unknown. Default 48h. At least criteria.window, so that the last window lies wholly inside the step."""

    hold: Duration = timedelta(0)
    """Least wall time the step lasts, whatever has been proven. Default 0s: as soon as the bake is proven."""

    shadow: StepShadow = StepShadow()
    """Comparing the decisions of both arms while this step lasts. Default: not done."""

    approval: Approval = Approval.NONE
    """Whether the step begins only with an approval of it (spec.request with action Approve and this percent). Default None. It may be
    given ahead; it is used up when the step begins, and void after a revert."""


class ErrorRate(ApiModel):
    """Share of new-arm requests without a genuine engine decision; a fail-closed deny and a fallback count as errors."""

    limit_basis_points: int = Field(default=100, ge=1, le=10_000)
    """Breach when the share of errors is proven to be above this, in basis points (1/100 of a percent): by a test over all counting
    windows of the attempt, or at once by a window far beyond it. Above it and not proven holds the step. What the baseline suffers in
    the same time does not count against the new arm. Default 100 = 1%."""

    min_samples: int = Field(default=100, ge=1, le=1_000_000_000)
    """Requests of the new arm the window must hold before a verdict is given; below it the verdict is Unknown. Default 100."""

    action: Action = Action.REVERT
    """What a breach does: Revert to 0% at once, Hold the step, or Warn only. Unknown holds the step unless the action is Warn. Default Revert."""


class LatencyP95(ApiModel):
    """95th percentile of the new arm against the baseline arm in the same window (at 100%: against the last baseline measured)."""

    limit_percent_of_baseline: int = Field(default=200, ge=101, le=100_000)
    """Breach when it is proven that more than 5% of new-arm requests take longer than this percentage of the baseline's p95. Above it and
    not proven holds the step. Default 200 = twice."""

    min_samples: int = Field(default=100, ge=20, le=1_000_000_000)
    """Requests each arm must have in the window before a verdict is given; below it the verdict is Unknown. Default 100."""

    action: Action = Action.REVERT
    """What a breach does: Revert, Hold or Warn. Unknown holds the step unless the action is Warn. Default Revert."""


class FallbackRate(ApiModel):
    """Share of new-arm requests that the baseline had to answer. They count as errors too; this limit is the tighter one."""

    limit_basis_points: int = Field(default=10, ge=1, le=10_000)
    """Breach when the share is proven to be above this, in basis points (1/100 of a percent): by a test over all counting windows of the
    attempt, or at once by criteria.window far beyond it. Above it and not proven holds the step, and is no blindness. Default 10 = 0.1%."""

    min_samples: int = Field(default=100, ge=1, le=1_000_000_000)
    """Requests of the new arm the window must hold before a verdict is given; below it the verdict is Unknown. Default 100."""

    action: Action = Action.REVERT
    """What a breach does: Revert, Hold or Warn. Unknown holds the step unless the action is Warn. Default Revert."""


class OpaP95(ApiModel):
    """95th percentile of the embedded engine's evaluations. Not judged while features.opa is Disabled."""

    limit_microseconds: int = Field(default=7500, ge=10, le=10_000_000)
    """Breach when it is proven that more than 5% of the evaluations take longer than this, in microseconds. Default 7500 = 7.5 ms. Above 5%
    and not proven holds the step, and is no blindness. The histogram has a bound at the default."""

    warning_microseconds: int = Field(default=5000, ge=0, le=10_000_000)
    """The message warns when more than 5% take longer than this, in microseconds; it blocks nothing. Default 5000 = 5 ms; 0 turns it off."""

    min_samples: int = Field(default=20, ge=20, le=1_000_000_000)
    """Evaluations the window must hold before a verdict is given. Default 20. With fewer it passes when they are under 5% of the new arm's
    requests, as with a cache that answers nearly all: they cannot move the requests' p95 then. Else it is Unknown."""

    action: Action = Action.REVERT
    """What a breach does: Revert, Hold or Warn. Unknown holds the step unless the action is Warn. Default Revert."""


class CacheP95(ApiModel):
    """95th percentile of look-ups in the in-process cache. Not judged while features.cache is Disabled."""

    limit_microseconds: int = Field(default=750, ge=10, le=10_000_000)
    """Breach when it is proven that more than 5% of the look-ups take longer than this, in microseconds. Default 750 = 0.75 ms. Above 5%
    and not proven holds the step, and is no blindness. The histogram has a bound at the default."""

    warning_microseconds: int = Field(default=500, ge=0, le=10_000_000)
    """The message warns when more than 5% take longer than this, in microseconds; it blocks nothing. Default 500 = 0.5 ms; 0 turns it off."""

    min_samples: int = Field(default=20, ge=20, le=1_000_000_000)
    """Look-ups the window must hold before a verdict is given. Default 20. With fewer it passes when they are under 5% of the new arm's
    requests: they cannot move the requests' p95 then. Else it is Unknown."""

    action: Action = Action.REVERT
    """What a breach does: Revert, Hold or Warn. Unknown holds the step unless the action is Warn. Default Revert."""


class DecisionMismatch(ApiModel):
    """Decisions in which both arms differ, on the whole decision. Judged while the present step has shadow.samplePercent above 0."""

    limit_parts_per_million: int = Field(default=0, ge=0, le=999_999)
    """Breach when more of the comparisons differ than this, in parts per million. Default 0: one that differs is enough. Above 0 it is
    proven by a test over all counting windows of the attempt, or at once by criteria.window far beyond it; above it and not proven holds."""

    min_comparisons: int = Field(default=100, ge=1, le=1_000_000_000)
    """Comparisons the window must hold before it can pass; below it the verdict is Unknown, which holds the step and is no blindness.
    Default 100."""

    action: Action = Action.REVERT
    """What a breach does: Revert, Hold or Warn. Unknown holds the step unless the action is Warn. Default Revert."""


class Throughput(ApiModel):
    """Requests per second of both arms of all sidecars together."""

    min_requests_per_second: int = Field(default=1500, ge=0, le=100_000_000)
    """Breach below this many requests per second, averaged over criteria.window. Default 1500, the report's; 0 turns it off. Set it to what
    the fleet is known to serve before giving it another action than Warn."""

    action: Action = Action.WARN
    """What a breach does: Revert, Hold or Warn. Unknown holds the step unless the action is Warn. Default Warn."""


class Cpu(ApiModel):
    """CPU time of each sidecar."""

    limit_percent: int = Field(default=90, ge=1, le=100)
    """Breach when a sidecar uses more than this share of cpu.millicores, averaged over criteria.window, in percent. Default 90."""

    millicores: int = Field(default=1000, ge=1, le=1_024_000)
    """What one sidecar may use, in thousandths of a core: its CPU limit, or its request when it has none. Default 1000 = one core."""

    action: Action = Action.WARN
    """What a breach does: Revert, Hold or Warn. Unknown holds the step unless the action is Warn. Default Warn."""


class DenyShift(ApiModel):
    """Refusals (deny and undefined) of the new arm against those of the baseline arm in the same windows, both ways."""

    limit_percent_of_odds: int = Field(default=400, ge=110, le=100_000)
    """Breach when the odds of a refusal in the new arm are proven to be more than this percentage of the baseline's, or less than the
    inverse. Default 400: four times, or a quarter. Subjects differ, and a small share may hold few of them: do not set it near 100."""

    min_samples: int = Field(default=100, ge=20, le=1_000_000_000)
    """Decisions each arm must have in criteria.window before a verdict is given; below it the verdict is Unknown. Default 100."""

    action: Action = Action.HOLD
    """What a breach does: Revert, Hold or Warn. Unknown holds the step unless the action is Warn. Default Hold, because few subjects who
    are always refused make a difference by themselves; Revert where there are thousands of subjects. With Hold it reverts all the same
    when, with 99.9% confidence in one criteria.window, the new arm refuses at least nine in ten and the baseline at most half. One that
    permits everything only holds: those who are refused may all be in the other arm."""


class SampleRatio(ApiModel):
    """Share of requests the new arm really gets against the share asked for: a mismatch means that assignment or telemetry is wrong."""

    limit_percent_of_odds: int = Field(default=400, ge=110, le=100_000)
    """Breach when the odds of a request going to the new arm are proven to be more than this percentage of those asked for, or less than
    the inverse. Default 400. The share is of subjects; few busy ones can make that of requests differ, so do not set it near 100."""

    min_samples: int = Field(default=200, ge=20, le=1_000_000_000)
    """Requests both arms together must have in criteria.window before a verdict is given. Default 200."""

    action: Action = Action.HOLD
    """What a breach does: Revert, Hold or Warn. Unknown holds the step unless the action is Warn. Default Hold."""


class Alerts(ApiModel):
    """Alerts that fire in Prometheus (its series ALERTS) and are about this rollout. None may fire when the rollout starts."""

    match_labels: dict[LabelKey, Annotated[str, StringConstraints(max_length=256)]] = Field(
        default={}, max_length=16, json_schema_extra={"x-kubernetes-map-type": "atomic"}
    )
    """Labels of further alerts that are about this rollout, as in namespace: shop, team: authz. All must match. Default: none, so only
    alerts whose label sark_rollout is its namespace/name, as those over the sidecars' series have by themselves."""

    action: Action = Action.HOLD
    """What a firing alert does: Revert, Hold or Warn. An alert's own label sark_action wins. Unknown holds the step unless the action is
    Warn. Default Hold."""


class MemoryGrowth(ApiModel):
    """Slope of each sidecar's resident memory."""

    limit_kibibytes_per_hour: int = Field(default=2048, ge=1, le=1_073_741_824)
    """Breach when a pod's memory has grown faster than this for sustainedWindows, or five times as fast for one window, with 99.9%
    confidence for all pods together; in KiB per hour. Default 2048 = 2 MiB/h."""

    window: Duration = timedelta(hours=1)
    """Length of memory history the slope is taken over, at least 30s. Default 1h. A pod younger than this is left out; when all are
    younger the verdict is Unknown, so a bake shorter than this window cannot pass with action Revert or Hold."""

    sustained_windows: int = Field(default=4, ge=1, le=24)
    """How many windows growth must have lasted before it is a breach, so 4h by default: memory that comes and goes within hours is no
    leak. Until then growth in one window is Unknown and holds the step, unless it is five times the limit. 1 makes one window enough,
    and takes back healthy fleets. Default 4."""

    action: Action = Action.REVERT
    """What a breach does: Revert, Hold or Warn. Unknown holds the step unless the action is Warn. Default Revert."""

    @property
    def sustained(self) -> timedelta:
        """How long growth must have lasted to be a breach."""
        return self.window * self.sustained_windows


BUILT_IN_CRITERIA = (
    "errorRate",
    "latencyP95",
    "denyShift",
    "sampleRatio",
    "memoryGrowth",
    "decisionMismatch",
    "fallbackRate",
    "opaP95",
    "cacheP95",
    "throughput",
    "cpu",
    "alerts",
)
"""Names of the criteria that are always there, which a custom one may not bear."""

CUSTOM_NAME_RULE = f"!(self in [{', '.join(map(repr, BUILT_IN_CRITERIA))}])"
"""CEL: whether a custom criterion's name is free."""


class CustomCriterion(ApiModel):
    """A query of the user's own."""

    name: str = Field(
        min_length=1,
        max_length=32,
        pattern=r"^[a-z][A-Za-z0-9]*$",
        json_schema_extra={
            "x-kubernetes-validations": [
                rule(
                    CUSTOM_NAME_RULE,
                    "a custom criterion may not bear the name of a built-in one, which status, events and metrics could not tell apart: "
                    "write another, as in checkoutErrors",
                )
            ]
        },
    )
    """Name by which status, events and metrics speak of it: a lower-case letter, then letters and digits. Not that of a built-in one."""

    query: str = Field(min_length=1, max_length=4096)
    """PromQL that yields one number, a scalar or a vector of one series. No series, several, or NaN is Unknown; so is a query that
    does not parse, and the condition quotes Prometheus. Asked as it is: name the rollout in it, as by sark_rollout="shop/gateway"."""

    max: str = Field(min_length=1, max_length=24, pattern=r"^-?[0-9]{1,12}(\.[0-9]{1,9})?$")
    """Breach above this number, written as a decimal string such as "0.05" or "7.5", in the query's own unit."""

    action: Action = Action.REVERT
    """What a breach does: Revert, Hold or Warn. Unknown holds the step unless the action is Warn. Default Revert."""


class Criteria(ApiModel):
    """What must hold for the rollout to go on. Defaults are the performance report's rollback criteria."""

    window: Duration = timedelta(minutes=5)
    """Length of the metric window that rates and latencies are computed over, at least 5s and at least four scrape intervals. Default 5m."""

    counting_window: Duration | None = None
    """Length of the windows that evidence is counted in, best the scrape interval or a few of it. 0s, or none, is the
    default: a twentieth of criteria.window, so 15s."""

    false_revert_basis_points: int = Field(default=100, ge=1, le=5000)
    """Chance that the sequential tests together ever stop a healthy rollout, over a whole attempt however often they look, in basis
    points. Default 100 = 1%, a seventh of it for each of the seven tests. Less needs more evidence, so takes longer to find trouble."""

    error_rate: ErrorRate = ErrorRate()
    """Errors of the new arm. Default: more than 1% reverts."""

    latency_p95: LatencyP95 = Field(default=LatencyP95(), alias="latencyP95")
    """Latency of the new arm against the baseline arm. Default: p95 above twice the baseline's reverts."""

    deny_shift: DenyShift = DenyShift()
    """Refusals of the new arm against the baseline arm. Default: four times the odds, or a quarter, holds; nearly all refused reverts."""

    sample_ratio: SampleRatio = SampleRatio()
    """Share of requests the new arm gets. Default: four times the odds asked for, or a quarter, holds."""

    memory_growth: MemoryGrowth = MemoryGrowth()
    """Memory of the sidecars. Default: more than 2 MiB/h, sustained, reverts."""

    fallback_rate: FallbackRate = FallbackRate()
    """New-arm requests the baseline had to answer. Default: more than 0.1% reverts."""

    opa_p95: OpaP95 = Field(default=OpaP95(), alias="opaP95")
    """Time of the embedded engine's evaluations. Default: p95 above 7.5 ms reverts, above 5 ms warns."""

    cache_p95: CacheP95 = Field(default=CacheP95(), alias="cacheP95")
    """Time of look-ups in the in-process cache. Default: p95 above 0.75 ms reverts, above 0.5 ms warns."""

    decision_mismatch: DecisionMismatch = DecisionMismatch()
    """Decisions in which both arms differ, in steps with a shadow. Default: one reverts."""

    throughput: Throughput = Throughput()
    """Requests per second of the whole target. Default: below 1,500 warns."""

    cpu: Cpu = Cpu()
    """CPU time of each sidecar. Default: more than 90% of one core warns."""

    alerts: Alerts = Alerts()
    """Alerts that fire and are about this rollout. Default: one that names it holds, unless the alert itself says otherwise."""

    custom: list[CustomCriterion] = Field(
        default=[],
        max_length=8,
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
    )
    """Further queries with a limit each, at most eight. Default: none."""

    def counting(self) -> timedelta:
        """Return the length of a counting window: whole seconds, at least one."""
        return self.counting_window or max(timedelta(seconds=1), timedelta(seconds=self.window // timedelta(seconds=20)))


class Retry(ApiModel):
    """Trying again without being asked, after a revert for a breached criterion or for blindness; never after one the user asked for."""

    limit: int = Field(default=0, ge=0, le=10)
    """How many times. Default 0: never. Raising spec.attempt starts the count anew."""

    after: Duration = timedelta(hours=1)
    """Cool-down at 0% before the first retry; it doubles with each further one, up to a week. Default 1h. At least one criteria.window passes."""


class Rollback(ApiModel):
    """When to go back without a breach, and what deletion means."""

    blind_for: Duration = timedelta(minutes=15)
    """Go back to 0% after this long between 0% and 100% with any criterion of action Revert unknown, a ready sidecar that Prometheus does
    not scrape, or series of other namespaces among the fleet's. Default 15m. 0s turns it off: then a metrics outage, or a part of the
    fleet that nobody sees, holds the step for ever."""

    on_delete: OnDelete = OnDelete.BASELINE
    """What deleting the rollout does first: Baseline restores 0% and waits for the flag to be written, Keep leaves the last share in force. Default Baseline."""

    retry: Retry = Retry()
    """Trying again without being asked. Default: never."""


class Approvals(ApiModel):
    """How long approvals are waited for, and how long they count."""

    valid_for: Duration = timedelta(hours=24)
    """How long an approval counts while its step has not begun; after that it must be given anew. Default 24h; 0s: for ever."""

    expire_after: Duration = timedelta(hours=168)
    """How long a proven step waits for the next one's approval before onExpiry. Default 168h; 0s: for ever."""

    on_expiry: OnExpiry = OnExpiry.HOLD
    """What happens then: Hold stays at the share, warns, and still takes the approval; Revert goes back to 0%. Default Hold."""


class Window(ApiModel):
    """A time of the week at which steps may begin."""

    days: list[Day] = Field(min_length=1, max_length=7, json_schema_extra={"x-kubernetes-list-type": "set"})
    """Days on which the window opens, as in Mon, Tue. Required."""

    start: str = Field(max_length=5, pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")
    """When it opens, local time, as in 09:00. Required."""

    end: str = Field(max_length=5, pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")
    """When it closes, local time, as in 16:30. Not later than start means on the next day; equal means a whole day. Required."""

    time_zone: str = Field(default="UTC", min_length=1, max_length=64, pattern=r"^[A-Za-z][A-Za-z0-9_+/-]*$")
    """IANA name of the time zone, as in Europe/Berlin. Default UTC. It knows summer time: an hour that does not exist opens the window late,
    one that exists twice opens it at the first."""


class Request(ApiModel):
    """One thing asked of the operator. It is answered once, in status.request, and never again: what it was meant for is in it."""

    id: int = Field(ge=1, le=1_000_000_000)
    """Number of the request; each must be higher than the one before. One that was answered, or is lower, has no effect. Required."""

    action: RequestAction
    """Promote goes on without the rest of the present step's bake and hold; Skip does so to a later step, leaving out those in between;
    Approve lets the step of this percent begin. None of them goes past a criterion that is breached or unknown, a sidecar that has not
    confirmed, a closed window, or an approval that is missing. Required."""

    attempt: int = Field(ge=1, le=1_000_000)
    """The attempt it is meant for; in any other it is refused. Required."""

    percent: int = Field(ge=0, le=100)
    """Promote and Skip: the share the rollout is at. Approve: the share of the step that may begin. At any other it is refused. Required."""

    to: int | None = Field(default=None, ge=1, le=100)
    """Skip only: percent of the step to go to."""

    by: str = Field(default="", max_length=96, pattern=r"^[^\x00-\x1f\x7f]*$")
    """Who asks, for the record, beside the field manager that wrote it; it is not verified. Default: nobody named."""


_STEPS_RULES = [
    rule(
        # Sorted and no two alike: a macro with two variables, as all(i, s, ...), is refused by Kubernetes before 1.33.
        "self.map(s, s.percent).isSorted() && self.all(s, self.exists_one(other, other.percent == s.percent))",
        "steps must grow: give each step a larger percent than the one before, as in 5, 10, 25, 50, 100",
    ),
    rule("self[size(self) - 1].percent == 100", "the last step must be 100 percent: end the list with percent: 100"),
]


_REQUEST_RULES = [
    rule(
        "(self.action == 'Skip') == has(self.to)",
        "give request.to (the percent of the step to go to) with Skip, and only there",
    ),
    rule(
        "!has(self.to) || self.to > self.percent", "request.to must be above request.percent: a request never lowers the share"
    ),
]


class SarkRolloutSpec(ApiModel):
    """What the user asks for."""

    target: Target = Field(
        json_schema_extra={
            "x-kubernetes-validations": [
                rule(
                    "self == oldSelf",
                    "target cannot be changed: delete this SarkRollout (its baseline is restored) and create one for the new target",
                )
            ]
        }
    )
    """Whose sidecars are steered. Cannot be changed after creation."""

    features: Features = Features()
    """Which halves of the new arm are moved. Default: both."""

    prometheus: Prometheus
    """Where the proof comes from. Required: without metrics no step can be proven."""

    steps: list[Step] | None = Field(
        default=None,
        min_length=1,
        max_length=32,
        json_schema_extra={"x-kubernetes-validations": _STEPS_RULES, "x-kubernetes-list-type": "atomic"},
    )
    """The stages, in order. Give either steps or schedule."""

    approvals: Approvals = Approvals()
    """How long approvals are waited for, and how long they count. Default: 168h and 24h, then the step is held."""

    windows: list[Window] = Field(default=[], max_length=16, json_schema_extra={"x-kubernetes-list-type": "atomic"})
    """When steps may begin; a bake goes on outside them, and a revert waits for nothing. Default: at any time."""

    request: Request | None = Field(default=None, json_schema_extra={"x-kubernetes-validations": _REQUEST_RULES})
    """One thing asked of the operator: Promote, Skip or Approve. `sark-rollout promote`, `skip` and `approve` write it."""

    schedule: SchedulePreset | None = None
    """A schedule by name instead of steps. Seed: 5% for two weeks, then 10, 25, 50 and 100% for a week each, 48h proven in every one.
    Migration: 0% with a shadow of 10% of the requests and 5% with 24h proven each, then 25, 50 and 100% with 48h. Default: none."""

    criteria: Criteria = Criteria()
    """What must hold for the rollout to go on. Default: the performance report's rollback criteria."""

    rollback: Rollback = Rollback()
    """When to go back without a breach, and what deletion means. Default: back after 15m without sight, back on deletion."""

    flag_edits: FlagEdits = FlagEdits.CORRECT
    """What the operator does when somebody else has written flags.json or flagd.json (the condition FlagsOwned names the field manager):
    Correct writes them anew; Hold leaves them alone, raises and renews nothing and freezes the bake, so that between 0% and 100% sidecars go
    to baseline when validFor ends. A revert always writes, and a share above the proven one is always taken down. Default Correct."""

    mode: Mode = Mode.AUTO
    """What the operator shall do: Auto advances when proven; Paused stays at the present share and freezes the bake, while a breach still
    reverts; Rollback goes to 0% and stays there. Default Auto."""

    attempt: int = Field(default=1, ge=1, le=1_000_000)
    """Number of this try. After a revert the rollout rests at 0%; raise the number to start again from the first step. Default 1."""

    interval: Duration = timedelta(seconds=15)
    """Time between two evaluations, 1s to 10m. Default 15s."""

    valid_for: Duration = timedelta(minutes=15)
    """How long sidecars follow the flag document between 0% and 100% without hearing from the operator; past it they go to baseline by
    themselves. The operator renews it. At least 10s. Default 15m."""

    watch_after: Duration = timedelta(hours=48)
    """How long the criteria are still watched at 100% after completion; a breach reverts. Default 48h. 0s ends the watch at completion."""

    def plan(self) -> tuple[Step, ...]:
        """Return the steps to follow, presets expanded."""
        if self.steps:
            return tuple(self.steps)
        return _PRESETS[self.schedule or SchedulePreset.SEED]


_WEEK, _DAY = timedelta(days=7), timedelta(days=1)
_PRESETS: Mapping[SchedulePreset, tuple[Step, ...]] = {
    SchedulePreset.SEED: tuple(
        Step(percent=percent, hold=_WEEK * weeks) for percent, weeks in ((5, 2), (10, 1), (25, 1), (50, 1), (100, 1))
    ),
    SchedulePreset.MIGRATION: (
        Step(percent=0, bake=_DAY, shadow=StepShadow(sample_percent=10)),
        Step(percent=5, bake=_DAY),
        *(Step(percent=percent, bake=2 * _DAY) for percent in (25, 50, 100)),
    ),
}
