"""The curves: what is asked of Prometheus, over which time, and what is made of the answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from sark_operator.page.view import questions
from sark_operator.page.view.curves import Curves, Line, curves, markers, read_mismatches, read_series
from sark_operator.page.view.seen import Seen
from sark_operator.page.view.span import POINTS, Span, Stretch, chosen, stretch

Read = Callable[..., Seen]


def part_of(seen: Seen, now: datetime, span: Span = Span.ATTEMPT) -> Stretch:
    made = stretch(span, seen.status, seen.spec.criteria.window, now)
    assert made is not None
    return made


def line(made: Curves, name: str, label: str) -> Line:
    [curve] = [each for each in made.curves if each.name == name]
    [found] = [each for each in curve.lines if each.label == label]
    return found


def constant(part: Stretch, value: float) -> list[list[Any]]:
    start = int(part.start.timestamp())
    return [[at, str(value)] for at in range(start, int(part.end.timestamp()) + 1, part.step)]


# Time.


@pytest.mark.parametrize("span", list(Span))
@pytest.mark.parametrize("hours", [0, 1, 30, 24 * 20, 24 * 400])
def test_a_stretch_has_a_bounded_number_of_points(seen: Read, now: datetime, span: Span, hours: int):
    part = part_of(seen("baking"), now + timedelta(hours=hours), span)
    points = part.length // timedelta(seconds=part.step) + 1
    assert 2 <= points <= POINTS + 1
    assert part.start.timestamp() % part.step == part.end.timestamp() % part.step == 0


def test_a_stretch_ends_soon_after_a_revert(seen: Read, now: datetime):
    made = seen("reverted")
    assert made.status.revert is not None
    assert made.status.revert.completed_at is not None
    part = part_of(made, now + timedelta(days=30))
    assert part.end <= made.status.revert.completed_at + timedelta(minutes=5)


def test_a_step_is_shown_from_its_beginning(seen: Read, now: datetime):
    made = seen("baking")
    assert made.status.step is not None
    part = part_of(made, now, Span.STEP)
    assert timedelta(0) <= part.start - made.status.step.started_at < timedelta(seconds=part.step)


def test_before_the_beginning_there_is_nothing(seen: Read, now: datetime):
    assert stretch(Span.ATTEMPT, seen("fresh").status, timedelta(minutes=5), now) is None


@pytest.mark.parametrize(("text", "span"), [("", Span.ATTEMPT), ("step", Span.STEP), ("hour", Span.HOUR), ("x", Span.ATTEMPT)])
def test_an_unknown_span_is_the_attempt(text: str, span: Span):
    assert chosen(text) is span


# Questions.


def test_every_question_is_about_this_rollout_alone(seen: Read, now: datetime):
    made = seen("baking")
    asked = questions.questions(made, part_of(made, now))
    own = {name: query for name, query in asked.items() if not name.startswith(questions.CUSTOM)}
    assert all('sark_rollout="shop/gateway"' in query for query in own.values())
    assert asked["custom/queueDepth"] == "max(queue_depth)"
    assert questions.COMPARISONS not in asked  # no step has a shadow


def test_points_far_apart_look_back_over_all_that_is_between_them(seen: Read, now: datetime):
    made = seen("baking")
    part = part_of(made, now + timedelta(days=20))
    assert part.step > 300
    assert f"[{part.step}s]" in questions.questions(made, part)[questions.REQUESTS]


def test_a_quote_in_a_name_does_not_end_the_matcher():
    assert questions._quoted('a"} or vector(1) #\\') == '"a\\"} or vector(1) #\\\\"'


# Answers.


def test_errors_are_shares_of_each_arm_against_the_limit(seen: Read, now: datetime):
    made = seen("baking")
    part = part_of(made, now)
    answer = [
        {"metric": {"implementation": arm, "result": result}, "values": constant(part, number)}
        for arm, result, number in (("rust", "allow", 90), ("rust", "error", 10), ("python", "allow", 300))
    ]
    drawn = curves(made, part, {questions.REQUESTS: read_series(answer)})
    assert set(line(drawn, "errorRate", "new arm").values) == {10.0}
    assert set(line(drawn, "errorRate", "baseline").values) == {0.0}
    assert set(line(drawn, "errorRate", "limit").values) == {1.0}
    assert set(line(drawn, "sampleRatio", "observed").values) == {25.0}
    assert {5.0, 25.0} <= set(line(drawn, "sampleRatio", "target").values)


def test_the_limit_of_the_latency_follows_the_baseline(seen: Read, now: datetime):
    made = seen("baking")
    part = part_of(made, now)
    answer = [
        {"metric": {"implementation": "rust"}, "values": constant(part, 0.002)},
        {"metric": {"implementation": "python"}, "values": constant(part, 0.010)[:-1]},
    ]
    drawn = curves(made, part, {questions.LATENCY: read_series(answer)})
    limit = line(drawn, "latencyP95", "limit").values
    assert limit[0] == 20.0
    assert limit[-1] == pytest.approx(9.75)  # without a baseline now, that of the last measurement counts


def test_no_fallback_at_all_is_zero_and_no_answer_is_nothing(seen: Read, now: datetime):
    made = seen("baking")
    part = part_of(made, now)
    requests = read_series([{"metric": {"implementation": "rust", "result": "allow"}, "values": constant(part, 50)}])
    drawn = curves(made, part, {questions.REQUESTS: requests, questions.FALLBACKS: ()})
    assert set(line(drawn, "fallbackRate", "measured").values) == {0.0}
    drawn = curves(made, part, {questions.REQUESTS: requests})
    assert "fallbackRate" not in [each.name for each in drawn.curves]


def test_without_any_answer_there_is_no_chart_but_the_target(seen: Read, now: datetime):
    made = seen("baking")
    drawn = curves(made, part_of(made, now), {}, problem="Prometheus is away.")
    assert [each.name for each in drawn.curves] == ["sampleRatio"]
    assert drawn.problem == "Prometheus is away."


@pytest.mark.parametrize(
    "answer", [None, {}, "text", [1], [{}], [{"metric": {}, "values": [["x", "y"]]}], [{"metric": 1, "values": []}]]
)
def test_a_foreign_answer_is_no_series(answer: Any):
    assert list(read_series(answer)) == []
    assert read_mismatches(answer) == ()


def test_numbers_that_are_none_are_left_out():
    [(_, values)] = read_series([{"metric": {}, "values": [[1, "NaN"], [2, "+Inf"], [3, "4"]]}])
    assert values == {3.0: 4.0}


def test_what_is_too_large_to_be_a_number_is_left_out(seen: Read, now: datetime):
    """The browser reads JSON, in which there is no infinity: one would have cost it all curves."""
    made = seen("baking")
    part = part_of(made, now)
    arms = [
        {"metric": {"implementation": arm}, "values": constant(part, number)}
        for arm, number in (("rust", 1e307), ("python", 1e305))
    ]
    results = [
        {"metric": {"implementation": "rust", "result": name}, "values": constant(part, 1.7e308)} for name in ("allow", "deny")
    ]
    answers = {questions.LATENCY: read_series(arms), questions.REQUESTS: read_series(results)}
    drawn = curves(made, part, answers | {questions.MEMORY: read_series([{"metric": {}, "values": constant(part, 1.0)}])})
    assert json.loads(json.dumps(drawn.to_wire(), allow_nan=False))["curves"]
    assert line(drawn, "memoryGrowth", "plain slope").values[0] is not None


def test_mismatches_are_listed_the_commonest_first():
    answer = [
        {"metric": {"path": "a/allow", "kind": "reason"}, "value": [1, "1.2"]},
        {"metric": {"path": "b/allow", "kind": "allow"}, "value": [1, "30"]},
        {"metric": {"path": "c/allow", "kind": "allow"}, "value": [1, "NaN"]},
    ]
    assert [(each.path, each.count) for each in read_mismatches(answer)] == [("b/allow", 30), ("a/allow", 1)]


def test_changes_of_the_share_are_marked(seen: Read, now: datetime):
    made = seen("baking")
    drawn = curves(made, part_of(made, now), {})
    assert [(each.label, each.way) for each in drawn.markers] == [("25%", "up")] or len(drawn.markers) == 2
    assert markers(made.status.history, ()) == ()
