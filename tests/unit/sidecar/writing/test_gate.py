"""The gate: shut, nobody is in the new arm; and it is the flags in force that come back when it opens."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sark_sidecar.flags.state import Share
from sark_sidecar.writing.gate import EngineGate

HALF = Share(rollout="team/gateway", revision=3, percentage=50, salt="s", rust_opa=True, rust_cache=True, shadow=5)


class Gauge:
    def __init__(self) -> None:
        self.is_aside = False

    def engine_set_aside(self, is_aside: bool) -> None:
        self.is_aside = is_aside


def moved(share: Share) -> bool:
    return share.rust_opa or share.rust_cache


def test_shut_before_there_are_flags_nobody_is_ever_moved_until_it_opens():
    applied: list[Share] = []
    gauge = Gauge()
    gate = EngineGate(applied.append, gauge)
    gate.shut("nothing is known")
    gate.apply(HALF)
    assert (moved(applied[-1]), applied[-1].percentage, gauge.is_aside) == (False, 50, True)
    gate.open()
    assert (applied[-1], gauge.is_aside, gate.reason) == (HALF, False, "")


def test_flags_that_come_while_it_is_shut_count_when_it_opens():
    applied: list[Share] = []
    gate = EngineGate(applied.append, Gauge())
    gate.apply(HALF)
    gate.shut("in doubt")
    none = Share(rollout="team/gateway", revision=4)
    gate.apply(none)
    assert not moved(applied[-1])
    assert applied[-1].revision == 4
    gate.open()
    assert applied[-1] == none


def test_a_share_that_comes_back_ends_when_it_was_to_end_before():
    applied: list[Share] = []
    gate = EngineGate(applied.append, Gauge())
    gate.apply(replace(HALF, ends=1000.0))
    gate.shut("in doubt")
    gate.open()
    assert [share.ends for share in applied] == [1000.0] * 3


def test_shut_twice_it_is_opened_once_and_says_the_last_reason():
    applied: list[Share] = []
    gate = EngineGate(applied.append, Gauge())
    gate.apply(HALF)
    gate.shut("one")
    gate.shut("two")
    assert gate.reason == "two"
    gate.open()
    gate.open()
    assert [moved(share) for share in applied] == [True, False, True]


class Reluctant:
    """A data plane that takes no flags while it is told to refuse them."""

    def __init__(self) -> None:
        self.refuses = False
        self.applied: list[Share] = []

    def __call__(self, share: Share) -> None:
        if self.refuses:
            raise RuntimeError("not now")
        self.applied.append(share)


def test_a_share_that_was_not_taken_does_not_come_back():
    # Given a gate that passed on a share, and was given another that the data plane did not take
    plane = Reluctant()
    gate = EngineGate(plane, Gauge())
    gate.apply(HALF)
    plane.refuses = True
    with pytest.raises(RuntimeError):
        gate.apply(replace(HALF, revision=4, percentage=100))
    plane.refuses = False
    # When it shuts and opens
    gate.shut("in doubt")
    gate.open()
    # Then what comes back is what was in force
    assert plane.applied[-1] == HALF


def test_a_gate_that_could_not_be_shut_is_open_and_is_shut_by_the_next_try():
    # Given a data plane that does not take it when the gate shuts
    plane, gauge = Reluctant(), Gauge()
    gate = EngineGate(plane, gauge)
    gate.apply(HALF)
    plane.refuses = True
    with pytest.raises(RuntimeError):
        gate.shut("in doubt")
    # Then the gate does not pretend to be shut
    assert (gate.reason, gauge.is_aside) == ("", False)
    # And the same reason shuts it as soon as that can be
    plane.refuses = False
    gate.shut("in doubt")
    assert (gate.reason, gauge.is_aside, moved(plane.applied[-1])) == ("in doubt", True, False)


def test_a_gate_that_could_not_be_opened_is_shut():
    plane, gauge = Reluctant(), Gauge()
    gate = EngineGate(plane, gauge)
    gate.apply(HALF)
    gate.shut("in doubt")
    plane.refuses = True
    with pytest.raises(RuntimeError):
        gate.open()
    assert (gate.reason, gauge.is_aside, moved(plane.applied[-1])) == ("in doubt", True, False)
