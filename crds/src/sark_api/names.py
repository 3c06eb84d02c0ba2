"""Names that two or more parts must spell alike: API group, annotations, metric and label names."""

from __future__ import annotations

from typing import Final

GROUP: Final = "sark.dev"
VERSION: Final = "v1alpha1"
API_VERSION: Final = f"{GROUP}/{VERSION}"
KIND: Final = "SarkRollout"
PLURAL: Final = "sarkrollouts"
FIELD_MANAGER: Final = "sark-operator"
FINALIZER: Final = f"{GROUP}/restore-baseline"

FLAGS_KEY: Final = "flags.json"
"""Key of the flag document in the flags ConfigMap."""
FLAGD_KEY: Final = "flagd.json"
"""Key of the same state as a flagd flag set, for OpenFeature providers."""

ARM_NEW: Final = "rust"
"""Value of the `implementation` label for the new arm."""
ARM_BASELINE: Final = "python"
"""Value of the `implementation` label for the baseline arm."""

LABEL_ROLLOUT: Final = "sark_rollout"
"""Label every series carries: namespace/name of the rollout in force, empty when there is none."""
LABEL_IMPLEMENTATION: Final = "implementation"
LABEL_ALERT_ACTION: Final = "sark_action"
"""Label of an alert that says what its firing does to the rollout it is about: Revert, Hold or Warn."""

METRIC_REQUESTS: Final = "sark_requests_total"
"""Counter{implementation,result}: authorization requests by the arm they were assigned to; result is allow, deny, undefined or
error, where error is a request without a genuine decision of that arm's engine, so a fallback and a fail-closed deny count."""
METRIC_REQUEST_SECONDS: Final = "sark_request_duration_seconds"
"""Histogram{implementation}: seconds from reading the request's last byte to the answer as it is sent, by assigned arm."""
METRIC_MEMORY: Final = "process_resident_memory_bytes"
"""Gauge: resident memory of the sidecar process, in bytes."""
METRIC_CPU: Final = "process_cpu_seconds_total"
"""Counter: user and system CPU time of the sidecar process, in seconds."""
METRIC_FLAG_REVISION: Final = "sark_flag_revision"
"""Gauge: revision of the flag document the sidecar applies; 0 while it has none."""
METRIC_OPA_SECONDS: Final = "opa_evaluation_duration_seconds"
METRIC_OPA: Final = "opa_evaluation_total"
METRIC_OPA_ERRORS: Final = "opa_evaluation_errors_total"
METRIC_CACHE_SECONDS: Final = "cache_operation_duration_seconds"
METRIC_CACHE: Final = "cache_operations_total"
METRIC_FALLBACK: Final = "implementation_fallback_total"
METRIC_ROLLOUT_PERCENTAGE: Final = "feature_flag_rollout_percentage"
METRIC_ASSIGNMENTS: Final = "feature_flag_assignments_total"
METRIC_SHADOW_COMPARISONS: Final = "sark_shadow_comparisons_total"
"""Counter{path,result}: requests drawn for comparison with the other arm; result is match, mismatch, unknown (an arm could not
decide), skipped or dropped. At most 50 paths, the rest is `other`; no series begins above zero, so `increase` loses nothing."""
METRIC_SHADOW_MISMATCHES: Final = "sark_shadow_mismatches_total"
"""Counter{path,kind}: the mismatches by the gravest difference: undefined, allow, filtered_parameters, reason or other."""
METRIC_SHADOW_SKIPPED: Final = "sark_shadow_skipped_total"
"""Counter{reason}: what was not compared, and why."""
METRIC_SHADOW_SAMPLE: Final = "sark_shadow_sample_percentage"
"""Gauge: share of the requests a sidecar draws for comparison, in percent; 0 while there is no shadow."""
METRIC_SHADOW_UNCONFIRMED: Final = "sark_shadow_unconfirmed_mismatches"
"""Gauge: decisions that differ and are in no count yet, because OPA is to be looked at once more before."""

FEATURE_OPA: Final = "rust_opa"
FEATURE_CACHE: Final = "rust_cache"
