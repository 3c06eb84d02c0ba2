"""What can go wrong is a small tree of exceptions with attributes for programs."""

from __future__ import annotations

import copy
import pickle

import pytest
import sark_engine
from sark_engine import (
    Engine,
    EngineError,
    EvaluationError,
    EvaluationTimeout,
    InputError,
    MissingBuiltin,
    PathError,
    Policies,
    PolicyError,
    UnsupportedInput,
    UnsupportedPath,
)


def test_the_tree():
    assert {error.__name__: error.__bases__[0].__name__ for error in tree(EngineError)} == {
        "EngineError": "Exception",
        "PolicyError": "EngineError",
        "InputError": "EngineError",
        "PathError": "InputError",
        "EvaluationError": "EngineError",
        "EvaluationTimeout": "EvaluationError",
        "UnsupportedInput": "EvaluationError",
        "UnsupportedPath": "EvaluationError",
        "MissingBuiltin": "UnsupportedPath",
    }
    for error in tree(EngineError):
        assert error.__module__ == "sark_engine"
        assert getattr(sark_engine, error.__name__) is error
    assert issubclass(UnsupportedInput, InputError)


def tree(error: type[EngineError]) -> list[type[EngineError]]:
    return [error, *(below for child in error.__subclasses__() for below in tree(child))]


@pytest.mark.parametrize("method", ["evaluate", "decide", "evaluate_object"])
def test_a_failed_evaluation_says_of_what_kind_and_where(engine: Engine, method: str):
    question = {} if method == "evaluate_object" else b"{}"
    with pytest.raises(EvaluationError) as failed:
        getattr(engine, method)("/authz//conflict", question)
    assert type(failed.value) is EvaluationError
    assert (failed.value.kind, failed.value.path) == ("evaluation", "authz/conflict")


@pytest.mark.parametrize("method", ["evaluate", "decide", "evaluate_object"])
def test_a_runaway_evaluation_is_a_timeout(method: str):
    loops = "count([1 | some i in numbers.range(1, 5000); some j in numbers.range(1, 5000); i == j])"
    engine = Engine(Policies([("p.rego", f"package p\nslow := {loops}")]), evaluation_timeout_seconds=0.02)
    with pytest.raises(EvaluationTimeout) as failed:
        getattr(engine, method)("p/slow")
    assert (failed.value.kind, failed.value.path) == ("timeout", "p/slow")


@pytest.mark.parametrize("method", ["evaluate", "decide", "evaluate_object"])
def test_a_path_that_reaches_a_missing_builtin_names_it(method: str):
    engine = Engine(Policies([("p.rego", 'package p\nv := f(input)\nf(x) := http.send({"url": x, "method": "get"})')]))
    with pytest.raises(MissingBuiltin) as failed:
        getattr(engine, method)("p/v")
    error = failed.value
    assert isinstance(error, UnsupportedPath)
    assert (error.kind, error.path, error.builtins) == ("unsupported_builtin", "p/v", ("http.send",))
    assert error.reasons == engine.policies.verdict("p/v").reasons
    assert "http.send" in str(error)


@pytest.mark.parametrize("path", ['a"b', "a/\ud800"])
@pytest.mark.parametrize("method", ["evaluate", "evaluate_aside", "decide", "evaluate_object", "decide_object"])
def test_a_path_that_cannot_be_asked_is_a_path_error_and_an_input_error(engine: Engine, method: str, path: str):
    with pytest.raises(PathError):
        getattr(engine, method)(path)
    assert issubclass(PathError, InputError)
    with pytest.raises(PathError):
        engine.policies.verdict(path)


@pytest.mark.parametrize(
    "error",
    [
        PolicyError("m"),
        InputError("m", place="input.a"),
        EvaluationError("m", kind="panic", path="a/b"),
        UnsupportedInput("m", place="input.a", path="a/b"),
        MissingBuiltin("m", path="a/b", reasons=["r"], builtins=["http.send"]),
    ],
)
def test_errors_travel_between_processes(error: EngineError):
    arrived = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert type(arrived) is type(error)
    assert (str(arrived), vars(arrived)) == ("m", vars(error))


@pytest.mark.parametrize("travel", [pickle.dumps, copy.copy, copy.deepcopy])
def test_what_cannot_leave_the_process_says_what_to_do_instead(engine: Engine, travel: object):
    assert callable(travel)
    with pytest.raises(TypeError, match="an Engine cannot be pickled or copied; make one in each process"):
        travel(engine)
    with pytest.raises(TypeError, match="Policies cannot be pickled or copied; compile the same modules again"):
        travel(engine.policies)
