"""How far each address has come, over deaths at any moment, addresses that fail, and edits of the file."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from sark_api.status import HISTORY_LIMIT, HistoryEntry, Notified
from sark_operator.core.notices import Notice
from sark_operator.shell.api import RolloutObject
from sark_operator.shell.news import News

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
