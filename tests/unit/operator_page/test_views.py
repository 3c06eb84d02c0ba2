"""What the page shows of a rollout, from plain values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from sark_api.evidence import EvidenceRecord, digest, to_text
from sark_api.status import CriterionStatus, Ledger, LedgerSegment, Verdict
from sark_operator.page.view.badge import Tone, verdict_badge
from sark_operator.page.view.criteria import card
from sark_operator.page.view.listing import PAGE_ROWS, listing, row
from sark_operator.page.view.record import record_view
from sark_operator.page.view.rollout import view
from sark_operator.page.view.seen import Seen, Unreadable
from sark_operator.page.view.timeline import Place, timeline

from .conftest import NOW

Read = Callable[..., Seen]


def criterion(**members: Any) -> CriterionStatus:
    known = {"name": "errorRate", "verdict": Verdict.PASS, "action": "Revert", "message": "errorRate is fine"}
    return CriterionStatus(**(known | members))


# The list.


def test_the_list_begins_with_what_needs_a_look(seen: Read):
    rows = [row(seen(name), NOW) for name in ("completed", "fresh", "paused", "reverted", "baking")]
    shown = listing(rows, ())
    assert [each.phase.text for each in shown.rows] == ["Progressing", "Paused", "Reverted", "Pending", "Completed"]
    assert (shown.counts[0][0].text, shown.counts[0][1]) == ("Progressing", 1)


def test_a_row_says_what_is_asked_and_what_is_seen(seen: Read):
    made = row(seen("baking"), NOW)
    assert (made.target, made.observed, made.step, made.replicas) == ("25%", "25%", "2/3", "3/3")
    assert made.bake is not None
    assert (made.bake.value, made.bake.whole, made.bake.text) == (720_000, 1_800_000, "12m/30m")
    assert not made.lagging


def test_a_share_that_is_not_measured_any_more_is_not_shown(seen: Read, now: datetime):
    back = seen("reverted", lambda body: body["status"].update(observedBasisPoints=5350))
    assert (row(back, NOW).target, row(back, NOW).observed) == ("0%", "-")
    assert view(back, now).observed == "-"


def test_the_list_says_of_a_verdict_that_it_is_old(seen: Read, now: datetime):
    assert row(seen("baking"), now).doubts == ()
    [late] = row(seen("baking"), now + timedelta(hours=1)).doubts
    assert "is the operator running?" in late


def test_the_list_is_searched_by_every_word(seen: Read):
    rows = [row(seen("baking"), NOW), row(seen("reverted"), NOW)]
    assert listing(rows, (), "shop reverted").found == 1
    assert listing(rows, (), "shop").found == 2
    assert listing(rows, (), "nothing of the kind").rows == ()


@pytest.mark.parametrize(("asked", "shown"), [(1, 1), (2, 2), (3, 3), (99, 3), (0, 1), (-5, 1)])
def test_a_long_list_is_cut_into_pages(seen: Read, asked: int, shown: int):
    one = row(seen("baking"), NOW)
    rows = [replace(one, name=f"r{number:04}") for number in range(2 * PAGE_ROWS + 1)]
    made = listing(rows, (), "", asked)
    assert (made.page, made.pages, made.found) == (shown, 3, 2 * PAGE_ROWS + 1)
    assert len(made.rows) == (1 if shown == 3 else PAGE_ROWS)


def test_what_cannot_be_read_is_counted_and_named(seen: Read):
    made = listing([row(seen("baking"), NOW)], [Unreadable("shop/odd", "spec.steps: wrong")])
    assert (made.total, made.unreadable[0].key) == (2, "shop/odd")


def test_one_that_nobody_has_looked_at_has_no_figures(seen: Read):
    made = row(seen("fresh", lambda body: body.pop("status", None)), NOW)
    assert (made.target, made.observed, made.bake, made.verdict) == ("0%", "-", None, None)
    assert made.message == "No operator has looked at it yet."


# Stages.


def test_stages_are_behind_now_and_ahead(seen: Read):
    stages = timeline(seen("baking"))
    assert [(each.percent, each.place) for each in stages] == [(5, Place.DONE), (25, Place.NOW), (100, Place.AHEAD)]
    assert [each.bake is not None for each in stages] == [False, True, False]
    assert stages[0].began_at is not None
    assert stages[2].began_at is None


def test_the_stage_it_was_taken_back_from_is_marked(seen: Read):
    made = seen("reverted")
    assert made.status.revert is not None
    places = {each.percent: each.place for each in timeline(made)}
    assert places[made.status.revert.from_percent] is Place.BACK
    assert Place.NOW not in places.values()


def test_only_what_was_proven_is_said_to_be(seen: Read):
    def change(body: dict[str, Any]) -> None:
        started, advanced = body["status"]["history"]
        asked = {**started, "reason": "StepsSkipped", "fromPercent": 5, "time": "2026-01-01T12:31:00.000Z"}
        body["status"]["history"] = [started, asked, advanced]
        body["spec"]["steps"].insert(1, {"percent": 10, "bake": "30m"})

    # Given a request that left the first step early, and out the second
    places = [(each.percent, each.place, each.said, each.needs) for each in timeline(seen("baking", change))][:2]
    assert places == [(5, Place.LEFT, "Promoted", "30m asked for"), (10, Place.LEFT, "Left out", "30m asked for")]

    # And where the history does not go back so far, nothing is known
    def forget(body: dict[str, Any]) -> None:
        body["status"]["history"] = body["status"]["history"][1:]

    first = timeline(seen("baking", forget))[0]
    assert (first.place, first.said) == (Place.LEFT, "Behind")
    # And what was neither is proven
    first = timeline(seen("baking"))[0]
    assert (first.place, first.said, first.needs) == (Place.DONE, "Proven", "30m proven")


def test_a_share_that_is_no_step_of_the_plan_any_more_has_a_stage(seen: Read):
    def edited(body: dict[str, Any]) -> None:
        body["spec"]["steps"] = [{"percent": 5, "bake": "30m"}, {"percent": 100, "bake": "30m"}]

    assert [(each.percent, each.place) for each in timeline(seen("baking", edited))] == [
        (5, Place.DONE),
        (25, Place.NOW),
        (100, Place.AHEAD),
    ]


# Criteria.


@pytest.mark.parametrize(
    ("members", "text", "tone"),
    [
        ({}, "Pass", Tone.GOOD),
        ({"verdict": Verdict.BREACH}, "Breach", Tone.BAD),
        ({"verdict": Verdict.BREACH, "action": "Warn"}, "Breach, warns only", Tone.WARN),
        ({"verdict": Verdict.UNKNOWN}, "Unknown", Tone.WARN),
        ({"verdict": Verdict.UNKNOWN, "action": "Warn"}, "Unknown", Tone.IDLE),
        ({"verdict": Verdict.UNKNOWN, "seen": True}, "Not proven", Tone.WARN),
    ],
)
def test_a_verdict_is_a_word_with_a_tone(members: dict[str, Any], text: str, tone: Tone):
    badge = verdict_badge(criterion(**members))
    assert (badge.text, badge.tone) == (text, tone)


def test_evidence_is_shown_on_a_logarithmic_scale():
    made = card(criterion(evidence="26 to 1", evidence_needed="700 to 1", windows=12)).confidence
    assert made is not None
    assert 490 <= made.value <= 505  # ln 26 is half of ln 700
    assert made.text == "26 to 1 after 12 counting windows; a breach at 700 to 1"


@pytest.mark.parametrize(("evidence", "value"), [("1 to 1", 0), ("700 to 1", 1000), ("90,000 to 1", 1000)])
def test_the_scale_of_evidence_has_two_ends(evidence: str, value: int):
    made = card(criterion(evidence=evidence, evidence_needed="700 to 1", windows=1)).confidence
    assert made is not None
    assert made.value == value


def test_a_value_is_measured_against_its_limit():
    assert card(criterion(value="0.5%", limit="1.0%")).nearness.value == 500
    assert card(criterion(value="3.0%", limit="1.0%")).nearness.value == 1000
    assert card(criterion(name="throughput", value="3,000 req/s", limit="1,500 req/s")).nearness.value == 500
    assert card(criterion(value="", limit="1.0%")).nearness is None


@pytest.mark.parametrize(("verdict", "more"), [(Verdict.PASS, ", which is not proven"), (Verdict.BREACH, "")])
def test_a_value_beyond_its_limit_that_passes_is_not_proven_to_be_there(verdict: Verdict, more: str):
    made = card(criterion(value="641.5 MiB/h", limit="2.0 MiB/h", verdict=verdict)).nearness
    assert made is not None
    assert made.text == f"32,075% of the limit{more}"


def test_too_few_samples_are_said_to_be_too_few():
    assert card(criterion(samples=40, min_samples=100)).samples == "40 of 100 needed"
    assert card(criterion(samples=1234, min_samples=100)).samples == "1,234"


# One rollout.


def test_it_says_what_would_take_it_back(seen: Read, now: datetime):
    made = view(seen("baking"), now)
    assert "errorRate proven beyond 1.0%" in made.dangers
    assert "a criterion that reverts not seen for 15m" in made.dangers
    assert not any("queueDepth" in each for each in made.dangers)  # it holds


def test_nothing_takes_back_what_is_back(seen: Read, now: datetime):
    made = view(seen("reverted"), now)
    assert made.dangers == ()
    assert made.revert is not None
    assert made.revert.title.startswith("Went back from ")


def test_it_says_what_comes_next_and_when(seen: Read, now: datetime):
    coming = view(seen("baking"), now).coming
    assert coming is not None
    assert coming.what == "100%"
    assert coming.earliest is not None
    assert any("bake" in wait.text for wait in coming.waits)


def test_an_operator_that_is_silent_is_doubted(seen: Read, now: datetime):
    assert view(seen("baking"), now).doubts == ()
    late = view(seen("baking"), now + timedelta(hours=1)).doubts
    assert len(late) == 1
    assert "is the operator running?" in late[0]


def test_a_completed_rollout_that_nobody_watches_is_doubted_for_as_long_as_it_should_be_watched(seen: Read):
    made = seen("completed")
    assert made.status.completed_at is not None
    assert view(made, made.status.completed_at + timedelta(minutes=2)).doubts == ()
    [late] = view(made, made.status.completed_at + timedelta(hours=40)).doubts
    assert "is the operator running?" in late
    assert view(made, made.status.completed_at + timedelta(hours=49)).doubts == ()


def test_laggards_are_named_and_the_rest_counted(seen: Read, now: datetime):
    def lagging(body: dict[str, Any]) -> None:
        body["status"]["convergence"] = {"confirmed": 3, "total": 12, "laggards": ["gw-1: at revision 4"]}

    made = view(seen("baking", lagging), now).replicas
    assert made is not None
    assert (made.text, made.complete, made.laggards, made.more) == ("3 of 12", False, ("gw-1: at revision 4",), 8)


def test_decisions_are_newest_first(seen: Read, now: datetime):
    made = view(seen("baking"), now).decisions
    assert [(each.share, each.way, each.reason) for each in made] == [
        ("5% → 25%", "up", "Advanced"),
        ("0% → 5%", "up", "Started"),
    ]


@pytest.mark.parametrize("name", ["baking", "completed", "fresh", "paused", "reverted", "unknown"])
def test_the_view_does_not_change_by_itself(seen: Read, now: datetime, name: str):
    """A stream sends what has changed: what depends on the time alone must not be in it."""
    made = seen(name)
    assert view(made, now) == view(made, now + timedelta(seconds=30))


# A decision.


def test_a_record_is_shown_with_its_digest_and_its_neighbours(now: datetime):
    record = EvidenceRecord(
        number=2,
        previous="0" * 64,
        rollout="shop/gateway",
        uid="u",
        generation=1,
        attempt=1,
        time=now,
        actor="operator",
        reason="Advanced",
        from_percent=5,
        to_percent=25,
        revision=3,
        message="Advanced from 5% to 25%",
        spec_sha256="ab" * 32,
        window_seconds=300,
        counting_window_seconds=15,
        criteria=[criterion()],
    )
    text = to_text(record)
    ledger = Ledger(records=3, head="", segments=[LedgerSegment(index=1, first=2)])
    made = record_view(record, text, ledger)
    assert (made.before, made.after) == (None, 3)  # record 1 has been given up
    assert ("SHA-256 of this record", digest(text)) in made.facts
    assert ("Metric window", "5m") in made.facts
    assert made.cards[0].title == "Errors"
