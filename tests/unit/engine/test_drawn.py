"""Requests drawn for comparison: which, what is told of them, and that those who wait are bounded."""

from __future__ import annotations

from typing import Any

import pytest


def drawing(plane: Any, percentage: int = 100, *, opa: bool = True, cache: bool = True, shadow: int = 100) -> None:
    plane.server.set_flags(
        rollout="shop/gateway", revision=2, percentage=percentage, salt="salt", rust_opa=opa, rust_cache=cache, shadow=shadow
    )


@pytest.mark.parametrize(
    ("opa", "cache", "percentage", "arm", "decider"),
    [
        (True, True, 100, "rust", "engine"),
        (True, False, 100, "rust", "either"),
        (False, True, 100, "rust", "opa"),
        (True, True, 0, "python", "opa"),
    ],
)
def test_a_drawn_request_tells_who_decided(  # noqa: PLR0917 - the table has these columns
    start: Any, opa: bool, cache: bool, percentage: int, arm: str, decider: str
):
    plane = start()
    drawing(plane, percentage, opa=opa, cache=cache)
    for _ in range(2):
        # The second one is found in the cache, where there is one
        plane.ask("authz/allow")
    told = [(one.path, one.input, one.arm, one.decider, one.status, one.body, one.result) for one in plane.server.take_drawn()]
    one = ("authz/allow", b'{"user": {"id": "alice"}}', arm, decider, 200, b'{"result":true}\n', "allow")
    assert told == [one, one]


def test_it_carries_the_revision_of_the_policies_and_why_the_engine_gave_up(start: Any, engine: Any):
    plane = start()
    drawing(plane)
    plane.ask("authz/allow")
    plane.ask("authz/conflict")
    plane.request("GET", "/v1/data/authz/allow")
    decided, failed, without = plane.server.take_drawn()
    assert decided.revision == engine.policies.revision
    assert (decided.fallback, failed.fallback, failed.result) == ("", "evaluation", "error")
    assert without.input is None


def test_nobody_is_drawn_without_a_shadow_and_about_the_share_with_one(start: Any):
    plane = start(shadow_queue=10_000)
    for _ in range(50):
        plane.ask("authz/allow")
    assert plane.server.take_drawn(1000) == []
    drawing(plane, shadow=50)
    for _ in range(400):
        plane.ask("authz/allow")
    # Fewer than 100 or more than 300 of 400 would happen once in 10^23 runs
    assert 100 <= len(plane.server.take_drawn(1000)) <= 300


def test_what_finds_no_room_is_counted_and_what_is_too_large_as_well(start: Any):
    plane = start(shadow_queue=3, shadow_request_bytes=2000)
    drawing(plane)
    for _ in range(5):
        plane.ask("authz/allow")
    plane.ask("authz/allow", user="x" * 4000)
    assert plane.metric("sark_shadow_comparisons_total", path="other", result="dropped") == 2
    assert plane.metric("sark_shadow_skipped_total", reason="too_large") == 1
    assert len(plane.server.take_drawn(2)) == 2
    assert len(plane.server.take_drawn()) == 1


def test_what_is_not_confirmed_is_shown(start: Any):
    plane = start()
    assert plane.metric("sark_shadow_unconfirmed_mismatches") == 0
    plane.server.show_unconfirmed(3)
    assert plane.metric("sark_shadow_unconfirmed_mismatches") == 3
    with pytest.raises(OverflowError):
        plane.server.show_unconfirmed(-1)


def test_counts_begin_anew_with_another_rollout(start: Any):
    plane = start()
    plane.server.count_comparison("authz/allow", "mismatch", "allow")
    plane.server.count_comparison(None, "match")
    assert plane.metric("sark_shadow_mismatches_total", path="other", kind="allow") == 1
    plane.flags(rollout="shop/other")
    assert plane.metric("sark_shadow_mismatches_total", rollout="shop/other", path="other", kind="allow") == 0


@pytest.mark.parametrize(("result", "detail"), [("equal", ""), ("match", "allow"), ("mismatch", ""), ("skipped", "because")])
def test_a_result_that_does_not_exist_is_refused(start: Any, result: str, detail: str):
    with pytest.raises(ValueError, match="result must be one of"):
        start().server.count_comparison("p", result, detail)


def test_an_impossible_share_is_refused(start: Any):
    with pytest.raises(ValueError, match="shadow must be 0 to 100"):
        drawing(start(), shadow=101)


def test_an_evaluation_aside_is_counted_nowhere(start: Any, engine: Any):
    plane = start()
    assert engine.evaluate_aside("authz/allow", b'{"user":{"id":"alice"}}') == b"true"
    assert plane.metric("opa_evaluation_total", implementation="rust", result="allow") == 0
