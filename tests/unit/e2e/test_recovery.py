"""How long the way back took."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from sark_api.report import FlagReport, FlagState
from sark_cli.rollout import Rollout
from sark_e2e.applied_rollout import ExpectationError
from sark_e2e.recovery import Recovery

HURT = datetime(2026, 1, 1, 12, tzinfo=UTC)


def reports(*seconds: float) -> dict[str, FlagReport]:
    """Return what sidecars say that began to serve the baseline so many seconds after the first bad request."""
    return {
        f"gateway-{number}": FlagReport(
            state=FlagState.WATCHING, revision=9, percentage=0, since=HURT + timedelta(seconds=later)
        )
        for number, later in enumerate(seconds)
    }


def test_it_is_counted_from_the_first_bad_request_to_the_last_sidecar(reverted: Rollout):
    recovery = Recovery.of(reverted, HURT, reports(3.6, 3.9, 3.7))
    assert recovery.lines() == [
        "criterion                  errorRate",
        "value                      4.2%, from 512 requests",
        "limit                      1%",
        "first bad request          12:00:00.0",
        "revert decided             3.5 s later",
        "last sidecar on baseline   3.9 s later",
    ]


def test_a_revert_without_a_bad_request_is_not_what_was_expected(reverted: Rollout):
    with pytest.raises(ExpectationError, match="no request was hurt, yet: Reverted from 25%: errorRate"):
        Recovery.of(reverted, None, reports(1))


def test_a_revert_for_another_reason_is_not_what_was_expected(reverted: Rollout):
    assert reverted.status.revert is not None
    blind = reverted.status.revert.model_copy(update={"criterion": "", "reason": "BlindTooLong"})
    other = Rollout(reverted.name, reverted.spec, reverted.status.model_copy(update={"revert": blind}))
    with pytest.raises(ExpectationError, match="not BlindTooLong"):
        Recovery.of(other, HURT, reports(1))
