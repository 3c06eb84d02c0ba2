"""Decisions on Python objects: what goes in comes out, and what cannot is refused with its place."""

from __future__ import annotations

import datetime as dt
import enum
import json
from collections import OrderedDict, namedtuple
from decimal import Decimal
from typing import Any

import pytest
from sark_engine import UNDEFINED, Engine, InputError, Policies, Undefined, UnsupportedInput, UnsupportedPath

ECHO = """package echo
all := input
set := {3, 1, 2}
keyed := {1: "one", [true]: "list"}
nothing := null
refused if input == null
big := 123456789012345678901234567890 + 1
"""


@pytest.fixture
def echo() -> Engine:
    return Engine(Policies([("echo.rego", ECHO)]))


class Colour(enum.StrEnum):
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 3


class Name(str):
    __slots__ = ()

    def __str__(self) -> str:
        raise AssertionError("no code of the caller's runs")


class Count(int):
    def __repr__(self) -> str:
        raise AssertionError("no code of the caller's runs")


Pair = namedtuple("Pair", "left right")  # noqa: PYI024 - an untyped one is what callers have


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        False,
        0,
        -1,
        2**63 - 1,
        -(2**63),
        2**63,
        2**64 - 1,
        2**64,
        -(2**200),
        10**308,
        -(10**307),
        0.5,
        -1e-300,
        2.5e-320,
        "",
        "text with \0 and ä and 日本",
        [],
        {},
        [[[]], {"a": [1, {"b": None}]}],
        {"user": {"id": "alice", "roles": ["a", "b"]}, "": 1, "a b": {"ä": 1.25}},
        {str(number): number for number in range(1000)},
    ],
)
def test_a_value_comes_back_as_it_went_in(echo: Engine, value: Any):
    answer = echo.evaluate_object("echo/all", value)
    assert answer == value
    assert type(answer) is type(value)


@pytest.mark.parametrize(
    ("value", "answer"),
    [
        ((1, (2, 3)), [1, [2, 3]]),
        (Pair(1, "x"), [1, "x"]),
        (OrderedDict(b=1, a=2), {"a": 2, "b": 1}),
        (Colour.RED, "red"),
        (Level.HIGH, 3),
        (Name("n"), "n"),
        ({Name("key"): Count(2**70)}, {"key": 2**70}),
        (1.0, 1),
        (-0.0, 0),
        (1e16, 10**16),
        (1e23, 10**23),
        (-1.7976931348623157e308, -17976931348623157 * 10**292),
    ],
)
def test_kin_of_json_types_become_json_types(echo: Engine, value: Any, answer: Any):
    assert echo.evaluate_object("echo/all", value) == answer


@pytest.mark.parametrize(
    ("value", "place", "reason"),
    [
        ({"user": {"born": dt.date(2000, 1, 1)}}, "input.user.born", "datetime.date is not a JSON type"),
        ([1, [2, b"x"]], "input[1][1]", "bytes is not a JSON type"),
        ({"a b": {1: 2}}, 'input["a b"]', "a key must be text, and this one is int"),
        ({"tags": {"x"}}, "input.tags", "set is not a JSON type"),
        ({"price": Decimal(1)}, "input.price", "decimal.Decimal is not a JSON type"),
        ([float("nan")], "input[0]", "NaN is not a JSON number"),
        (float("-inf"), "input", "-inf is not a JSON number"),
        ({"text": "\ud800"}, "input.text", "half of a surrogate pair"),
        ({"\udfff": 1}, "input", "half of a surrogate pair"),
        (object(), "input", "object is not a JSON type"),
        ({"u": UNDEFINED}, "input.u", "sark_engine.Undefined is not a JSON type"),
    ],
)
def test_what_has_no_json_form_is_refused_with_its_place(echo: Engine, value: Any, place: str, reason: str):
    with pytest.raises(InputError) as refused:
        echo.evaluate_object("echo/all", value)
    assert refused.value.place == place
    assert str(refused.value).startswith(f"{place}: ")
    assert reason in str(refused.value)


def nested(levels: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(levels - 1):
        value = [value]
    return value


def test_depth_is_bounded_as_that_of_json_text(echo: Engine):
    assert echo.evaluate_object("echo/all", nested(100)) == nested(100)
    assert echo.evaluate("echo/all", json.dumps(nested(100)).encode()) is not None
    for ask in (
        lambda: echo.evaluate_object("echo/all", nested(101)),
        lambda: echo.evaluate("echo/all", b"[" * 101 + b"]" * 101),
    ):
        with pytest.raises(UnsupportedInput, match="deeper than 100 levels"):
            ask()


def test_an_object_that_contains_itself_is_refused_however_often_it_does(echo: Engine):
    once: dict[str, Any] = {}
    once["self"] = once
    with pytest.raises(UnsupportedInput, match="deeper than 100 levels"):
        echo.evaluate_object("echo/all", once)
    twice: list[Any] = []
    twice += [[], twice, twice]
    with pytest.raises(UnsupportedInput, match="deeper than 100 levels"):
        echo.evaluate_object("echo/all", twice)
    # Eighteen levels of two references each are half a million values.
    shared: list[Any] = []
    for _ in range(18):
        shared = [shared, shared]
    with pytest.raises(UnsupportedInput, match="more than 200000 values"):
        echo.evaluate_object("echo/all", shared)


@pytest.mark.parametrize(("sign", "bits"), [(1, 1_024), (-1, 1_024), (1, 50_000)])
def test_numbers_are_bounded_as_those_of_json_text(echo: Engine, sign: int, bits: int):
    number = sign << bits
    with pytest.raises(UnsupportedInput, match="beyond the largest double") as refused:
        echo.evaluate_object("echo/all", {"n": number})
    assert (refused.value.kind, refused.value.place, refused.value.path) == ("unsupported_input", "input.n", "echo/all")


def test_a_long_place_is_cut(echo: Engine):
    with pytest.raises(InputError) as refused:
        echo.evaluate_object("echo/all", {"k" * 10_000: object()})
    assert len(refused.value.place) < 400


def test_undefined_null_and_false_are_three_answers(echo: Engine, engine: Engine):
    assert echo.evaluate_object("echo/all") is UNDEFINED
    assert echo.evaluate_object("echo/all", UNDEFINED) is UNDEFINED
    assert echo.evaluate_object("echo/all", None) is None
    assert echo.evaluate_object("echo/refused", None) is True
    assert echo.evaluate_object("echo/nothing") is None
    assert engine.evaluate_object("authz/allow", {}) is False
    assert engine.evaluate_object("authz/reason", {}) is UNDEFINED
    assert engine.evaluate_object("authz/reason", {}, default="nobody") == "nobody"
    assert engine.evaluate_object("authz/reason", {}, default=None) is None


def test_undefined_fails_closed_and_is_only_one():
    import copy
    import pickle

    assert not UNDEFINED
    assert repr(UNDEFINED) == "UNDEFINED"
    assert copy.deepcopy(UNDEFINED) is UNDEFINED
    assert pickle.loads(pickle.dumps(UNDEFINED)) is UNDEFINED  # noqa: S301 - our own bytes
    assert isinstance(UNDEFINED, Undefined)


def test_sets_are_lists_and_keys_are_text_as_in_json(echo: Engine):
    assert echo.evaluate_object("echo/set") == [1, 2, 3]
    keyed = echo.evaluate("echo/keyed")
    assert keyed is not None
    assert echo.evaluate_object("echo/keyed") == json.loads(keyed)


def test_integers_of_a_policy_are_exact(echo: Engine):
    assert echo.evaluate_object("echo/big") == 123456789012345678901234567891


def test_what_is_calculated_beyond_the_largest_double_is_no_decision():
    engine = Engine(Policies([("p.rego", "package p\nsquare := input * input")]))
    with pytest.raises(UnsupportedPath, match="beyond the largest double"):
        engine.evaluate_object("p/square", 10**300)


def test_an_object_and_its_text_have_one_answer(engine: Engine):
    for user in ("alice", "bob", "ä"):
        question = {"user": {"id": user}}
        for path in ("authz/allow", "authz/decision", "nothing/here"):
            text = engine.evaluate(path, json.dumps(question).encode())
            assert engine.evaluate_object(path, question, default=None) == (None if text is None else json.loads(text))
