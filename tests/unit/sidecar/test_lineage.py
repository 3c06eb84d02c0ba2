"""What decisions are kept under when policies change and come back."""

from __future__ import annotations

from dataclasses import dataclass

from sark_sidecar.opa.lineage import Lineage


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_revision_that_comes_back_has_others_before_it():
    lineage = Lineage(300.0, Clock())
    first = lineage.leading_to("r1")
    assert (first, lineage.leading_to("r1")) == ("", "")
    second = lineage.leading_to("r2")
    again = lineage.leading_to("r1")
    assert len({first, second, again, lineage.leading_to("r2")}) == 4


def test_two_that_saw_the_same_say_the_same():
    one, other = Lineage(300.0, Clock()), Lineage(300.0, Clock())
    for revision in ("r1", "r2", "r1"):
        assert one.leading_to(revision) == other.leading_to(revision)


def test_the_past_is_forgotten_when_nothing_can_be_kept_from_it_any_more():
    clock = Clock()
    lineage = Lineage(300.0, clock)
    lineage.leading_to("r1")
    clock.now = 1000.0
    before = lineage.leading_to("r2")
    clock.now = 1299.0
    assert lineage.leading_to("r2") == before != ""
    clock.now = 1300.0
    assert lineage.leading_to("r2") == ""
