"""Which rules stay on baseline, as the admin port, the log and the operator are told."""

from __future__ import annotations

from sark_engine import Policies
from structlog.testing import capture_logs

from sark_api.report import MAX_BASELINE_ONLY, MAX_PATH, MAX_REASON, MAX_REPORT_BYTES, FlagReport, FlagState
from sark_sidecar.policies.verdicts import MAX_SHOWN, PolicyVerdicts


def verdicts(rules: str) -> PolicyVerdicts:
    return PolicyVerdicts.of(Policies([("authz.rego", f"package authz\n{rules}")]))


def test_a_rule_that_reaches_a_missing_builtin_is_left_with_the_reason():
    found = verdicts('allow if input.admin\nremote := http.send({"url": "http://localhost", "method": "get"})')
    assert (found.rules, list(found.left)) == (2, ["authz/remote"])
    shown = found.shown()
    assert (shown["served_by_rust"], shown["baseline_only_count"]) == (1, 1)
    (left,) = found.reported()
    assert left.path == "authz/remote"
    assert "http.send" in left.reason
    with capture_logs() as logged:
        found.warn()
    assert [(line["log_level"], line["path"]) for line in logged] == [("warning", "authz/remote")]


def test_policies_that_the_engine_answers_for_leave_nothing():
    found = verdicts("allow if input.admin")
    assert found.shown() == {"rules": 1, "served_by_rust": 1, "baseline_only": [], "baseline_only_count": 0}
    assert found.reported() == ()
    with capture_logs() as logged:
        found.warn()
    assert logged == []


def test_however_many_are_left_the_report_and_the_log_stay_short():
    left = {f"authz/{'x' * 1_000}{number:05}": ("y" * 500, "z") for number in range(5_000)}
    found = PolicyVerdicts(rules=6_000, left=left)
    reported = found.reported()
    assert len(reported) == MAX_BASELINE_ONLY
    assert {(len(path.path), len(path.reason)) for path in reported} == {(MAX_PATH, MAX_REASON)}
    report = FlagReport(
        state=FlagState.NONE,
        revision=0,
        percentage=0,
        since="2026-01-01T00:00:00Z",
        baseline_only=reported,
        baseline_only_count=5_000,
    )
    assert len(report.model_dump_json()) < MAX_REPORT_BYTES
    assert len(found.shown()["baseline_only"]) == MAX_SHOWN
    with capture_logs() as logged:
        found.warn()
    assert len(logged) == MAX_BASELINE_ONLY + 1
    assert logged[-1]["count"] == 5_000
