"""Waiting for a rollout always ends, and a failure tells what it did instead."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from kubernetes import client
from kubernetes.client.exceptions import ApiException

from sark_api.status import Phase
from sark_cli.rollout import Rollout
from sark_e2e.applied_rollout import AppliedRollout, ExpectationError


@pytest.fixture
def seen() -> list[Rollout]:
    return []


@pytest.fixture
def applied(seen: list[Rollout]) -> Iterator[AppliedRollout]:
    with client.ApiClient(client.Configuration()) as api:
        yield AppliedRollout(api, "shop", "gateway", watch=seen.append)


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let the API answer these statuses in turn, the last for ever; None is an object that does not exist."""

    def answering(*statuses: dict[str, Any] | None) -> None:
        left = list(statuses)

        def get(*_: Any) -> dict[str, Any]:
            status = left.pop(0) if len(left) > 1 else left[0]
            if status is None:
                raise ApiException(status=404)
            spec = {"target": {"matchLabels": {"a": "b"}, "flagsConfigMap": "c"}, "prometheus": {"address": "http://p:9090"}}
            return {"metadata": {"namespace": "shop", "name": "gateway"}, "spec": spec | {"schedule": "Seed"}, "status": status}

        monkeypatch.setattr(client.CustomObjectsApi, "get_namespaced_custom_object", lambda _, *place: get(*place))

    return answering


def test_it_waits_until_the_phase_is_there_and_shows_every_reading(
    applied: AppliedRollout, answer: Callable[..., None], seen: list[Rollout]
):
    answer({}, {"phase": "Progressing"}, {"phase": "Completed"})
    assert applied.becomes(Phase.COMPLETED, seconds=10).status.phase is Phase.COMPLETED
    assert [rollout.status.phase for rollout in seen] == [Phase.PENDING, Phase.PROGRESSING, Phase.COMPLETED]


def test_a_wait_that_is_over_tells_what_was_expected_and_what_there_is(applied: AppliedRollout, answer: Callable[..., None]):
    answer({"phase": "Progressing", "reason": "Baking", "message": "Baking 5%: 3s of 15s proven"})
    with pytest.raises(ExpectationError, match=r"expected phase Completed within 0 s\n(.|\n)*Baking 5%: 3s of 15s proven"):
        applied.becomes(Phase.COMPLETED, seconds=0)


def test_a_revert_ends_the_wait_for_completion_at_once(applied: AppliedRollout, answer: Callable[..., None]):
    answer({"phase": "Reverting", "message": "Reverted from 5%: errorRate"})
    with pytest.raises(ExpectationError, match=r"expected phase Completed; that will not come any more\n(.|\n)*errorRate"):
        applied.becomes(Phase.COMPLETED, seconds=600)


def test_what_must_stay_is_looked_at_more_than_once(applied: AppliedRollout, answer: Callable[..., None]):
    answer({"phase": "Pending"}, {"phase": "Progressing", "message": "5% already"})
    with pytest.raises(ExpectationError, match=r"expected no start for 600 s\n(.|\n)*5% already"):
        applied.stays("no start", lambda rollout: rollout.status.phase is Phase.PENDING, seconds=600)


def test_a_rollout_that_is_gone_is_said_to_be(applied: AppliedRollout, answer: Callable[..., None]):
    answer(None)
    with pytest.raises(ExpectationError, match="shop/gateway: it should exist, and it is gone"):
        applied.read()
    applied.vanishes(seconds=0)
