"""The end of the flags' validity, which the data plane keeps by itself: whoever feeds it may hang."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from sark_engine import BaselineJob

ALICE = b'{"input":{"user":{"id":"alice"}}}'
VALID_SECONDS = 1.5


def apply(plane: Any, valid_seconds: float | None, *, percentage: int = 100, revision: int = 2) -> float:
    """Apply flags, and return the earliest time at which their validity may end."""
    began = time.monotonic()
    plane.server.set_flags(
        rollout="shop/gateway",
        revision=revision,
        percentage=percentage,
        salt="salt",
        rust_opa=True,
        rust_cache=True,
        shadow=10,
        valid_seconds=valid_seconds,
    )
    return began + (math.inf if valid_seconds is None else valid_seconds)


def until(condition: Callable[[], bool]) -> float:
    """Wait for a condition, and return when it was seen."""
    give_up = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < give_up
        time.sleep(0.005)
    return time.monotonic()


def over_http(plane: Any) -> str:
    """Ask over HTTP; return the arm that answered."""
    before = len(plane.jobs)
    assert plane.ask("authz/allow").status == 200
    return "rust" if len(plane.jobs) == before else plane.jobs[-1].arm


def inside(plane: Any) -> str:
    """Ask inside the process, where a kept decision is answered on the caller's thread; return the arm that answered."""
    arm: str = plane.server.ask("authz/allow", ALICE)[2]
    return arm


@pytest.mark.parametrize("ask", [over_http, inside])
def test_past_its_end_baseline_answers_everybody_although_nobody_says_so(start: Any, ask: Callable[[Any], str]):
    # Given a share that is valid for a moment
    plane = start()
    ends = apply(plane, VALID_SECONDS)

    # When nothing is said any more
    assert ask(plane) == "rust"
    seen = until(lambda: ask(plane) == "python")

    # Then it ends, not before its time, and the metrics say what the arms do
    assert seen >= ends
    for feature in ("rust_opa", "rust_cache"):
        assert plane.metric("feature_flag_rollout_percentage", feature=feature) == 0
    assert plane.metric("sark_shadow_sample_percentage") == 0
    assert plane.metric("sark_flag_revision") == 2
    assert ask(plane) == "python"


def test_the_metrics_know_of_the_end_although_nobody_asks(start: Any):
    plane = start()
    ends = apply(plane, VALID_SECONDS)
    assert plane.metric("feature_flag_rollout_percentage", feature="rust_opa") == 100
    assert until(lambda: plane.metric("feature_flag_rollout_percentage", feature="rust_opa") == 0) >= ends


def test_a_split_fleet_goes_to_baseline_as_a_whole(start: Any):
    plane = start()
    apply(plane, VALID_SECONDS, percentage=50)

    def arms() -> set[str]:
        before = len(plane.jobs)
        for number in range(40):
            plane.ask("authz/allow", user=f"user{number}")
        moved = 40 - (len(plane.jobs) - before)
        return {"rust"} if moved == 40 else {"rust", "python"} if moved else {"python"}

    assert "rust" in arms()
    until(lambda: arms() == {"python"})


def test_a_renewed_end_takes_the_place_of_the_one_before_and_so_does_none(start: Any):
    # Given an end, and then a later one
    plane = start()
    first = apply(plane, 0.3)
    apply(plane, None, revision=3)

    # Then the first one ends nothing
    until(lambda: time.monotonic() > first + 0.2)
    assert over_http(plane) == "rust"

    # And when the new ones have ended as well, flags that come then are in force
    apply(plane, 0.0, revision=4)
    until(lambda: over_http(plane) == "python")
    apply(plane, 3600.0, revision=5)
    assert over_http(plane) == "rust"
    assert plane.metric("feature_flag_rollout_percentage", feature="rust_opa") == 100


def test_a_request_under_way_at_the_end_is_finished(start: Any):
    # Given a request of the new arm that waits for its decision
    waiting: list[BaselineJob] = []
    plane = start(lambda _, job: waiting.append(job), in_process=True)
    apply(plane, VALID_SECONDS)
    plane.server.set_faults(rust_error_ratio=1.0)
    told: list[int] = []

    def asker() -> None:
        told.append(plane.server.ask("authz/allow", ALICE)[0])

    thread = threading.Thread(target=asker)
    thread.start()
    until(lambda: bool(waiting))

    # When validity ends meanwhile, then it is answered all the same
    until(lambda: plane.metric("feature_flag_rollout_percentage", feature="rust_opa") == 0)
    plane.answer(waiting[0])
    thread.join(20)
    assert told == [200]


@pytest.mark.parametrize("seconds", [-1.0, math.nan, math.inf])
def test_an_impossible_end_is_refused(start: Any, seconds: float):
    with pytest.raises(ValueError, match="seconds must be zero or more"):
        apply(start(), seconds)
