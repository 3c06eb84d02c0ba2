"""What waits for a sink: its order, its bound, and who goes first."""

from __future__ import annotations

from sark_sidecar.decision_logs.backlog import Backlog


def test_the_oldest_are_taken_first_and_at_least_one():
    waiting = Backlog(100)
    assert waiting.add([b"aaaa", b"bb", b"c"]) == 0
    assert waiting.take(1) == [b"aaaa"]
    assert waiting.take(3) == [b"bb", b"c"]
    assert (waiting.take(10), waiting.size, len(waiting)) == ([], 0, 0)


def test_without_room_the_oldest_go():
    waiting = Backlog(10)
    assert waiting.add([b"1234", b"5678"]) == 0
    assert waiting.add([b"90ab"]) == 1
    assert (waiting.take(100), waiting.size) == ([b"5678", b"90ab"], 0)
    assert waiting.add([b"x" * 11]) == 1
    assert (len(waiting), waiting.size) == (0, 0)


def test_what_is_put_back_is_in_front_and_goes_first():
    waiting = Backlog(6)
    waiting.add([b"aa", b"bb"])
    taken = waiting.take(2)
    waiting.add([b"cc"])
    assert waiting.put_back(taken) == 0
    assert waiting.take(100) == [b"aa", b"bb", b"cc"]
    waiting.add([b"dd", b"ee"])
    assert waiting.put_back([b"aa", b"bb"]) == 1
    assert waiting.take(100) == [b"bb", b"dd", b"ee"]
