from __future__ import annotations

import pytest

from sark_e2e.differential.comparison import agree
from sark_e2e.differential.outcome import (
    Answer,
    Failed,
    Inconsistent,
    Mistyped,
    Outcome,
    Panicked,
    Refused,
    Undefined,
    read,
    same,
    write,
)


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        ("1", "1.0", True),
        ("1", "1e0", True),
        ("[10, 0.5]", "[1e1, 5e-1]", True),
        ("0.3", "0.30000000000000004", False),
        ("9007199254740993", "9007199254740992", False),
        ("1" * 5000, "1" * 5000, True),
        ("1", "true", False),
        ("0", "false", False),
        ("[1]", "[true]", False),
        ("1", '"1"', False),
        ("null", "false", False),
        ("[]", "{}", False),
        ("[1, 2]", "[2, 1]", False),
        ('{"a": 1, "b": 2}', '{"b": 2, "a": 1}', True),
        ('{"a": 1}', '{"a": 1, "b": null}', False),
    ],
)
def test_values_are_the_same_by_what_they_are_worth(one: str, other: str, equal: bool):
    assert same(read(one), read(other)) is equal
    assert same(read(other), read(one)) is equal


@pytest.mark.parametrize(
    ("opa", "engine", "alike"),
    [
        (Answer(1), Answer(1), True),
        (Answer(1), Answer(2), False),
        (Answer(0), Undefined(), False),
        (Undefined(), Undefined(), True),
        (Undefined(), Failed("x"), False),
        (Failed("x"), Failed("y"), True),
        (Failed("x"), Answer(1), False),
        (Answer(1), Refused("no such builtin"), True),
        (Refused("out of time"), Answer(1), True),
        (Refused("rego_type_error"), Mistyped("operand 1"), True),
        (Undefined(), Mistyped("operand 1"), False),
        (Failed("x"), Mistyped("operand 1"), False),
        (Refused("out of time"), Inconsistent("it is decided otherwise"), False),
        (Refused("out of time"), Panicked("index out of bounds"), False),
    ],
)
def test_outcomes_agree_unless_both_answered_and_differ(opa: Outcome, engine: Outcome, alike: bool):
    assert agree(opa, engine) is alike


def test_what_is_written_keeps_every_digit():
    text = '{"a": [1.10, 123456789012345678901234567890, "x", null, true]}'
    assert write(read(text)) == text
