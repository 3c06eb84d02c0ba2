"""An object and its JSON text have one answer, whatever they hold; what comes back is what went in."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from sark_engine import Engine, Policies, UnsupportedInput, UnsupportedPath

SOURCE = """package p
all := input
types := [type_name(value) | walk(input, [_, value])]
sorted := sort([value | walk(input, [_, value])])
set := {value | walk(input, [_, value])}
keyed := {value: true | walk(input, [_, value])}
told := json.marshal(input)
"""
ENGINE = Engine(Policies([("p.rego", SOURCE)]))

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
NUMBERS = st.integers() | st.integers(-(10**40), 10**40) | st.floats(allow_nan=False, allow_infinity=False)
SCALARS = st.none() | st.booleans() | NUMBERS | TEXT
DOCUMENTS = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=5) | st.dictionaries(TEXT, inner, max_size=5), max_leaves=20
)


@given(DOCUMENTS)
def test_what_comes_back_is_what_went_in(document: Any):
    assert ENGINE.evaluate_object("p/all", document) == by_text(document)


def by_text(value: Any) -> Any:
    """Return `value` with each whole float as the integer that its text stands for: 1e+23 is 10**23."""
    if isinstance(value, float) and value.is_integer():
        return int(Decimal(repr(value)))
    if isinstance(value, list):
        return [by_text(item) for item in value]
    if isinstance(value, dict):
        return {key: by_text(item) for key, item in value.items()}
    return value


@given(DOCUMENTS)
def test_an_object_is_decided_on_as_its_text_is(document: Any):
    text = json.dumps(document).encode()
    for path in ("p/types", "p/sorted", "p/set", "p/keyed", "p/told", "p"):
        try:
            answer = ENGINE.evaluate(path, text)
        except UnsupportedPath:
            # OPA loses a key that comes twice beside one that it files under the same number, as null and [null].
            assert outcome(lambda path=path: ENGINE.evaluate_object(path, document)) is UnsupportedPath
            continue
        except UnsupportedInput:
            # A whole number such as 1e+16 is refused in text only: there OPA does not take it for an index. A text made of a
            # number that is spelled otherwise than the engine spells it is refused of objects as well.
            continue
        assert answer is not None
        assert ENGINE.evaluate_object(path, document) == json.loads(answer)


def outcome(ask: Callable[[], Any]) -> Any:
    """Return the answer, or the class of the error."""
    try:
        return ask()
    except (UnsupportedInput, UnsupportedPath) as error:
        return type(error)


@given(DOCUMENTS)
def test_a_decision_on_an_object_is_that_on_its_text_whoever_asks_first(document: Any):
    text = json.dumps(document).encode()
    for path in ("p/all", "p/types", "p/sorted", "p/set", "p/keyed", "p/told", "p"):
        evaluated = outcome(lambda path=path: ENGINE.evaluate_object(path, document))
        engine = Engine(ENGINE.policies)
        decided = [outcome(lambda path=path, engine=engine: engine.decide_object(path, document)) for _ in range(2)]
        assert decided == [evaluated, evaluated]
        by_bytes = [outcome(lambda path=path, engine=engine: engine.decide(path, text)) for _ in range(2)]
        if UnsupportedInput not in by_bytes:
            assert [answer if answer is UnsupportedPath else json.loads(answer) for answer in by_bytes] == decided
        assert outcome(lambda path=path, engine=engine: engine.decide_object(path, document)) == evaluated
