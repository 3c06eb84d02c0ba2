"""What people have not been told of yet."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sark_api.status import HistoryEntry, Notified
from sark_operator.core.notices import from_now_on, untold

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def entry(seconds: float, reason: str = "Advanced") -> HistoryEntry:
    at = NOW + timedelta(seconds=seconds)
    return HistoryEntry(
        time=at, actor="operator", reason=reason, from_percent=5, to_percent=10, revision=1, message=f"at {seconds}"
    )


def told(history: list[HistoryEntry], mark: Notified) -> list[str]:
    return [notice.entry.message for notice in untold(history, mark)]


def test_a_fresh_rollout_tells_everything_from_its_first_transition():
    mark = from_now_on([], NOW)
    assert told([entry(0), entry(1)], mark) == ["at 0", "at 1"]


def test_what_happened_before_notices_were_turned_on_is_not_told():
    history = [entry(-9), entry(-5), entry(-5)]
    assert told([*history, entry(3)], from_now_on(history, NOW)) == ["at 3"]


def test_transitions_of_one_tick_are_told_apart():
    # Given three transitions of one tick, of which one was told
    history = [entry(0, "PlanEdited"), entry(0, "Advanced"), entry(0, "Completed")]
    first = untold(history, from_now_on([], NOW))[0]

    # Then the other two are left, each under a key of its own
    left = untold(history, first.mark)
    assert [notice.entry.reason for notice in left] == ["Advanced", "Completed"]
    assert len({notice.key("uid-1") for notice in [first, *left]}) == 3


def test_every_notice_is_told_once_when_each_moves_the_mark():
    history, seen = [entry(second // 2) for second in range(12)], []
    mark = from_now_on([], NOW)
    while notices := untold(history, mark):
        seen.append(notices[0].entry)
        mark = notices[0].mark
    assert seen == history


def test_a_clock_that_was_set_back_hides_nothing():
    # Given a transition that was told, and one that is dated before it
    history = [entry(100), entry(10)]
    assert told(history, untold(history, from_now_on([], NOW))[0].mark) == ["at 10"]


def test_a_clock_that_comes_to_the_same_instant_twice_tells_nothing_for_ever():
    # Given transitions of which two are dated to the same instant, with one before it in between, all of which were told
    history = [entry(100), entry(10), entry(100)]
    last = untold(history, from_now_on([], NOW))[-1]
    assert told(history, last.mark) == []


def test_what_happens_in_the_millisecond_in_which_a_rollout_is_first_seen_is_told():
    # Given a clock that is finer than what a status holds
    first_seen = NOW + timedelta(microseconds=250)
    assert told([entry(0)], from_now_on([], first_seen)) == ["at 0"]


def test_a_mark_that_has_left_the_history_leaves_what_is_later():
    assert told([entry(5), entry(6)], Notified(until=NOW, count=1)) == ["at 5", "at 6"]


def test_the_key_is_the_same_for_every_operator_and_differs_between_rollouts():
    history = [entry(1)]
    one, again = untold(history, from_now_on([], NOW))[0], untold(history, Notified(until=NOW, count=7))[0]
    assert one.key("uid-1") == again.key("uid-1") != one.key("uid-2")


def test_a_reason_from_no_table_had_better_be_seen():
    mark = from_now_on([], NOW)
    assert [notice.warning for notice in untold([entry(0, "Started"), entry(1, "Unheard")], mark)] == [False, True]
