"""How far each address has come, over deaths at any moment, addresses that fail, and edits of the file."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from sark_api.status import HISTORY_LIMIT, HistoryEntry, Notified, NotifiedAddress
from sark_operator.core.notices import Notice
from sark_operator.shell.api import RolloutObject
from sark_operator.shell.news import MOST, News

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
ROLLOUT = RolloutObject({"metadata": {"namespace": "shop", "name": "gateway", "uid": "u1", "resourceVersion": "1"}})
LABELS = ("a", "b", "c", "d")
labels = st.sampled_from(LABELS)


@dataclass(frozen=True)
class Named:
    """One address."""

    label: str

    @property
    def name(self) -> str:
        return self.label

    @property
    def key(self) -> str:
        return self.label

    def wants(self, _rollout: str, notice: Notice) -> bool:
        """Have one that is told only a part."""
        return self.label != "d" or int(notice.entry.message) % 2 == 0

    def send(self, _title: str, _text: str, *, warning: bool) -> bool:
        raise AssertionError(warning)


class Deliveries(RuleBasedStateMachine):
    """A process that tells, stores and dies, and what each address has been told."""

    def __init__(self) -> None:
        super().__init__()
        self.history: list[HistoryEntry] = []
        self.stored = Notified(until=NOW)
        self.file = [Named("a"), Named("b")]
        self.told: dict[str, list[int]] = {"a": [], "b": []}
        self.due: dict[str, list[int]] = {"a": [], "b": []}
        self.under_way: dict[str, set[int]] = {"a": set(), "b": set()}
        """What was delivered and not noted when a process died: it may come again."""
        self.unsaved: dict[str, set[int]] = {}
        """What was delivered and is not stored."""
        self.begin()

    def begin(self) -> None:
        self.news = News(ROLLOUT, self.stored)
        self.news.take_over(self.history)
        self.news.set_addresses(self.file)
        self.news.advance()

    @precondition(lambda self: len(self.history) < HISTORY_LIMIT)
    @rule(later=st.booleans())
    def happens(self, later: bool) -> None:
        number = len(self.history)
        last = self.history[-1].time if self.history else NOW
        time = last + timedelta(seconds=1 if later or not number else 0)
        entry = HistoryEntry(
            time=time, actor="operator", reason="Advanced", from_percent=0, to_percent=5, revision=1, message=str(number)
        )
        self.history.append(entry)
        self.news.take_over(self.history)
        self.news.set_addresses(self.file)
        for address in self.file:
            if address.wants("", Notice(entry, Notified(until=time))):
                self.due[address.label].append(number)

    @rule(label=labels, dies=st.booleans())
    def delivers(self, label: str, dies: bool) -> None:
        notice = self.news.next_for(label)
        if notice is None or not self.news.is_stored(label):
            return
        self.told[label].append(int(notice.entry.message))
        self.unsaved[label] = {int(notice.entry.message)}
        if dies:
            self.dies()
        else:
            self.news.settle(label, notice)
            self.news.advance()

    @rule()
    def stores(self) -> None:
        self.news.advance()
        self.unsaved = {}
        self.stored = self.news.stored = Notified.model_validate(self.news.mark.to_wire())

    @rule()
    def dies(self) -> None:
        for address in self.file:
            self.under_way[address.label] |= self.unsaved.get(address.label, set())
        self.unsaved = {}
        self.begin()

    @rule(order=st.permutations(LABELS), keep=st.sets(labels, min_size=1))
    def is_edited(self, order: list[str], keep: set[str]) -> None:
        """Edit the file while all is stored, so that it is known from when on a new address is to be told."""
        self.stores()
        before = {address.label for address in self.file}
        furthest = max((told for each in before for told in set(self.told[each]) - self.under_way[each]), default=-1)
        self.file = [Named(label) for label in order if label in keep]
        self.news.set_addresses(self.file)
        self.stores()
        for label in keep - before:
            first = self.news.next_for(label)
            begin = len(self.history) if first is None else int(first.entry.message)
            assert begin > furthest or label == "d"
            wanted = range(begin, len(self.history))
            self.told[label], self.under_way[label] = [], set()
            self.due[label] = [each for each in wanted if label != "d" or each % 2 == 0]

    @invariant()
    def none_is_lost_or_told_twice_but_the_one_under_way(self) -> None:
        for address in self.file:
            told, due = self.told[address.label], self.due[address.label]
            assert list(dict.fromkeys(told)) == due[: len(set(told))]
            assert {each for each in told if told.count(each) > 1} <= self.under_way[address.label]
            rest = self.news.next_for(address.label)
            assert rest is not None or set(told) == set(due)


TestDeliveries = Deliveries.TestCase
TestDeliveries.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)


@dataclass(frozen=True)
class Line:
    """A line of the file: one without a name shares its label with those of its scheme."""

    key: str
    label: str
    wanting: bool = True

    @property
    def name(self) -> str:
        return self.key

    def wants(self, _rollout: str, _notice: Notice) -> bool:
        return self.wanting

    def send(self, _title: str, _text: str, *, warning: bool) -> bool:
        raise AssertionError(warning)


def history(*seconds: int) -> list[HistoryEntry]:
    return [
        HistoryEntry(
            time=NOW + timedelta(seconds=at),
            actor="operator",
            reason="Advanced",
            from_percent=0,
            to_percent=5,
            revision=1,
            message=str(at),
        )
        for at in seconds
    ]


def begun(entries: list[HistoryEntry], *lines: Line, mark: Notified | None = None) -> News:
    """Return what is told of these transitions by a process that has just read the file."""
    news = News(ROLLOUT, mark or Notified(until=NOW))
    news.take_over(entries)
    news.set_addresses(lines)
    news.advance()
    return news


def next_of(news: News, *lines: Line) -> list[str]:
    """Return what each line is to be told next."""
    return [notice.entry.message if (notice := news.next_for(line.key)) else "" for line in lines]


def takes_one(news: News, line: Line) -> None:
    notice = news.next_for(line.key)
    assert notice is not None
    news.settle(line.key, notice)
    news.advance()


def test_lines_that_share_a_label_keep_their_own_places_and_leave_that_of_the_slowest() -> None:
    # Given two lines without names of their own and one with a name, of which only one has taken anything
    quick, slow, named = Line("1", "json://"), Line("2", "json://"), Line("3", "on-call")
    news = begun(history(1, 2), quick, slow, named)
    for _ in range(2):
        takes_one(news, quick)

    # When the file is read again, then each goes on where it was
    news.set_addresses([named, slow, quick])
    assert next_of(news, quick, slow, named) == ["", "1", "1"]
    # And what is noted is how far the slowest is: a process that takes over tells one too often, and none too little
    assert news.mark == Notified(until=NOW)
    takes_one(news, slow)
    again = begun(history(1, 2), quick, slow, named, mark=Notified.model_validate(news.mark.to_wire()))
    assert next_of(again, quick, slow, named) == ["2", "2", "1"]


def test_a_line_whose_place_has_left_the_history_is_told_all_that_is_in_it() -> None:
    # Given two lines that are behind, and a history that has forgotten where either of them was
    ahead, behind = Line("1", "ahead"), Line("2", "behind")
    places = [NotifiedAddress(name=name, until=NOW + timedelta(seconds=at)) for name, at in (("ahead", 2), ("behind", 1))]

    news = begun(history(3, 4), ahead, behind, mark=Notified(until=NOW + timedelta(seconds=1), addresses=places))

    assert next_of(news, ahead, behind) == ["3", "3"]


def test_what_is_given_up_is_wanted_no_more_and_counts_as_told() -> None:
    # Given a line that has taken nothing, and one transition more than is kept
    line = Line("1", "a")
    news = begun(history(*range(1, MOST + 2)), line)
    first = news.next_for(line.key)
    assert first is not None
    assert news.wanted(line.key, first) is line

    # When the oldest is given up
    assert [(notice, left) for notice, left in news.give_up_oldest()] == [(first, [line])]

    # Then nobody tries it any longer, and a process that takes over does not begin with it
    assert news.wanted(line.key, first) is None
    assert news.mark == first.mark


def test_a_line_that_is_edited_to_want_less_is_not_told_what_is_under_way() -> None:
    before, after = Line("1", "on-call"), Line("1", "on-call", wanting=False)
    news = begun(history(1), before)
    notice = news.next_for(before.key)
    assert notice is not None

    news.set_addresses([after])

    assert news.wanted(after.key, notice) is None
