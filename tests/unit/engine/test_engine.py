from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sark_engine import Engine, EvaluationError, InputError, Policies

ALICE = b'{"user": {"id": "alice"}}'
BOB = b'{"user": {"id": "bob"}}'


@pytest.mark.parametrize("method", ["evaluate", "decide"])
@pytest.mark.parametrize(
    ("path", "question", "answer"),
    [
        ("authz/allow", ALICE, b"true"),
        ("authz/allow", BOB, b"false"),
        ("authz/allow", None, b"false"),
        ("authz/reason", ALICE, b'"she is alice"'),
        ("authz/reason", BOB, None),
        ("authz/decision", ALICE, b'{"allow":true}'),
        ("authz/decision/allow", ALICE, b"true"),
        ("authz/nothing", ALICE, None),
        ("nothing/at/all", ALICE, None),
    ],
)
def test_a_decision_is_compact_json_or_none(
    engine: Engine, method: str, path: str, question: bytes | None, answer: bytes | None
):
    assert getattr(engine, method)(path, question) == answer
    assert getattr(engine, method)(path, question) == answer


@pytest.mark.parametrize("question", [b"{", b"", b"{} x", b"[" * 50 + b"]" * 51, b"\xff", b'{"a": 01}'])
def test_an_input_that_cannot_be_read_is_the_callers_mistake(engine: Engine, question: bytes):
    with pytest.raises(InputError):
        engine.evaluate("authz/allow", question)


@pytest.mark.parametrize("question", [b"[" * 200 + b"]" * 200, b'{"a": 1e-999}', b"[" + b"0," * 200_000 + b"0]"])
def test_an_input_beyond_the_engines_limits_is_an_evaluation_that_somebody_else_must_make(engine: Engine, question: bytes):
    with pytest.raises(EvaluationError, match="cannot hold the input"):
        engine.evaluate("authz/allow", question)


@pytest.mark.parametrize("path", ['a"b', "a\\b", "a\nb", "a/" * 40, "x" * 300])
def test_a_path_that_could_leave_its_quotes_is_refused(engine: Engine, path: str):
    with pytest.raises(InputError):
        engine.evaluate(path, b"{}")


def test_an_evaluation_that_fails_is_an_error_and_never_a_decision(engine: Engine):
    with pytest.raises(EvaluationError, match="conflict"):
        engine.evaluate("authz/conflict", b"{}")
    with pytest.raises(EvaluationError, match=r"io\.jwt\.encode_sign"):
        engine.decide("authz/signed", b"{}")


def test_a_runaway_evaluation_is_stopped():
    loops = "count([1 | some i in numbers.range(1, 5000); some j in numbers.range(1, 5000); i == j])"
    engine = Engine(Policies([("p.rego", f"package p\nslow := {loops}\nquick := 1")]), evaluation_timeout_seconds=0.05)
    with pytest.raises(EvaluationError, match="longer than its limit"):
        engine.evaluate("p/slow")
    assert engine.evaluate("p/quick") == b"1"


def test_an_evaluation_that_keeps_too_much_is_stopped():
    keeps = "count({i: [i, i, i] | some i in numbers.range(1, 500000)})"
    policies = Policies([("p.rego", f"package p\nkept := {keeps}\nquick := 1")])
    engine = Engine(policies, evaluation_timeout_seconds=60.0, evaluation_max_bytes=33_554_432)
    with pytest.raises(EvaluationError, match="more memory than its limit"):
        engine.evaluate("p/kept")
    assert engine.evaluate("p/quick") == b"1"


def test_a_clock_is_never_cached_and_everything_else_is(engine: Engine):
    assert engine.decide("authz/clock") != engine.decide("authz/clock")
    engine.cache_clear()
    assert engine.decide("authz/allow", ALICE) == engine.decide("authz/allow", ALICE) == b"true"


def test_replaced_policies_decide_from_the_next_question_on(engine: Engine):
    assert engine.decide("authz/allow", BOB) == b"false"
    engine.replace_policies(Policies([("authz.rego", "package authz\nallow := true")]))
    assert engine.decide("authz/allow", BOB) == b"true"
    assert engine.policies.packages == ["authz"]


def test_a_path_means_the_same_however_many_others_were_asked_for():
    rules = "\n".join(f"r{number} := {number}" for number in range(20))
    engine = Engine(Policies([("p.rego", f"package p\n{rules}\nyes := true\nno := false")]))
    for _ in range(2):
        for number in range(20):
            assert engine.decide(f"p/r{number}") == engine.evaluate(f"p/r{number}") == b"%d" % number
        assert (engine.decide("p/yes"), engine.decide("p/no"), engine.decide("p/none")) == (b"true", b"false", None)
        with pytest.raises(InputError):
            engine.decide('p/"')


def test_threads_ask_side_by_side_while_policies_change(engine: Engine):
    versions = [Policies([("p.rego", f"package p\nv := {number}\nw := {number}")]) for number in range(4)]
    engine.replace_policies(versions[0])

    def ask(number: int) -> bytes | None:
        if number % 10 == 0:
            engine.replace_policies(versions[number // 10 % 4])
        return engine.decide("p", b"{}")

    with ThreadPoolExecutor(8) as threads:
        answers = set(threads.map(ask, range(400)))
    # Each answer comes from one set of policies as a whole.
    assert answers <= {b'{"v":%d,"w":%d}' % (number, number) for number in range(4)}


@pytest.mark.parametrize(
    "settings",
    [
        {"cache_max_entries": 0},
        {"cache_max_bytes": 0},
        {"cache_ttl_seconds": 0.0},
        {"cache_ttl_seconds": float("nan")},
        {"evaluation_timeout_seconds": -1.0},
        {"evaluation_max_bytes": 33_554_431},
    ],
)
def test_settings_that_cannot_work_are_named(engine: Engine, settings: dict[str, Any]):
    with pytest.raises(ValueError, match=next(iter(settings))):
        Engine(engine.policies, **settings)
