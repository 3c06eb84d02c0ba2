"""The load's questions are the ones the example's policy knows, in realistic shares, the same for the same seed."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from sark_e2e.cluster import POLICIES
from sark_e2e.traffic.mix import ROLES, TOOLS, Mix

DATA = json.loads((POLICIES / "mcp" / "data.json").read_text())


def test_the_same_seed_asks_the_same_questions():
    first, second, other = Mix(seed=3), Mix(seed=3), Mix(seed=4)

    questions = [first.question() for _ in range(50)]
    assert questions == [second.question() for _ in range(50)]
    assert questions != [other.question() for _ in range(50)]


def test_a_user_is_the_same_person_in_every_mix():
    assert Mix(seed=1).user(42) == Mix(seed=2).user(42)


def test_every_tool_and_role_is_known_to_the_policy():
    assert set(TOOLS) <= set(DATA["tools"])
    assert {role for roles in ROLES for role in roles} <= set(DATA["roles"])


def test_a_fifth_of_the_users_asks_most_of_the_questions():
    mix = Mix(users=1_000, seed=0)
    asked = Counter(mix.question()["input"]["user"]["id"] for _ in range(10_000))

    busiest = sum(number for _, number in asked.most_common(200))
    assert busiest > 5_000
    assert len(asked) > 500


def test_a_mix_without_users_is_refused():
    with pytest.raises(ValueError, match="users is 0; a mix needs at least one"):
        Mix(users=0)
