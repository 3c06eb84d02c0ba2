"""What the operator shows of a rollout, and that it shows nothing of one that is gone."""

from __future__ import annotations

from datetime import UTC, datetime

from prometheus_client.exposition import generate_latest

from sark_api.status import Bake, CriterionStatus, FlagsApplied, Phase, SarkRolloutStatus, StepProgress, Verdict
from sark_operator.shell.telemetry import Telemetry

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ROLLOUT = {"sark_rollout": "shop/gateway"}
STATUS = SarkRolloutStatus(
    phase=Phase.PROGRESSING,
    step=StepProgress(index=3, total=5, percent=25, started_at=NOW),
    bake=Bake(required_seconds=60, proven_milliseconds=1500),
    flags=FlagsApplied(revision=3, share_revision=3, percent=25, sha256="", written_at=NOW),
    criteria=[CriterionStatus(name="errorRate", verdict=Verdict.PASS, action="Revert", message="fine")],
)


def value(telemetry: Telemetry, name: str, **labels: str) -> float | None:
    return telemetry.registry.get_sample_value(f"sark_operator_{name}", ROLLOUT | labels)


def test_it_shows_where_a_rollout_is():
    telemetry = Telemetry()
    telemetry.state("shop/gateway", STATUS, 5)
    assert (value(telemetry, "step"), value(telemetry, "steps"), value(telemetry, "written_percentage")) == (3, 5, 25)
    assert (value(telemetry, "bake_proven_seconds"), value(telemetry, "bake_required_seconds")) == (1.5, 60)
    assert (value(telemetry, "phase", phase="Progressing"), value(telemetry, "phase", phase="Reverted")) == (1, 0)
    assert value(telemetry, "verdict", criterion="errorRate", verdict="Pass") == 1

    # And at the baseline it is in no step
    telemetry.state("shop/gateway", SarkRolloutStatus(phase=Phase.REVERTED), 5)
    assert (value(telemetry, "step"), value(telemetry, "bake_proven_seconds")) == (0, 0)
    assert value(telemetry, "verdict", criterion="errorRate", verdict="Pass") is None


def test_nothing_of_a_rollout_that_is_gone_is_left():
    telemetry = Telemetry()
    telemetry.state("shop/gateway", STATUS, 5)
    telemetry.tick("shop/gateway", "done", 0.1)
    telemetry.transition("shop/gateway", "Advanced")
    telemetry.evidence("shop/gateway", "filed")
    telemetry.forget("shop/gateway")
    assert b"shop/gateway" not in generate_latest(telemetry.registry)


def test_what_it_does_is_counted_and_timed():
    telemetry = Telemetry()
    telemetry.api_call("read", 0.02)
    telemetry.decided(0.0004)
    telemetry.restored(0.3)
    telemetry.notification("sent")
    telemetry.evidence("shop/gateway", "failed")
    text = generate_latest(telemetry.registry).decode()
    for series in (
        'sark_operator_api_calls_total{verb="read"} 1.0',
        'sark_operator_api_seconds_bucket{le="0.025"} 1.0',
        'sark_operator_decide_seconds_bucket{le="0.0005"} 1.0',
        'sark_operator_restore_seconds_bucket{le="0.5"} 1.0',
        'sark_operator_notifications_total{outcome="sent"} 1.0',
        'sark_operator_evidence_records_total{outcome="failed",sark_rollout="shop/gateway"} 1.0',
    ):
        assert series in text
