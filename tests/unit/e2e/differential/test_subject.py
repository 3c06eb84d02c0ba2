from __future__ import annotations

import pytest
from sark_engine import EvaluationTimeout

from sark_e2e.differential.case import Case
from sark_e2e.differential.outcome import Answer, Failed, Inconsistent, Mistyped, Outcome, Refused, Undefined
from sark_e2e.differential.subject import Subject, compile_or_reason


def refusal(body: str) -> object:
    return compile_or_reason(Case("test", (("p.rego", f"package p\n{body}\n"),), "{}", (None,), ("p/r",)))


@pytest.mark.parametrize(
    "body",
    [
        "r if startswith(input.x, 5)",
        "r if lower(input.x)[_]",
        'r if count(input.x) == "5"',
        "r if lower(input.x) in [5]",
    ],
)
def test_each_sentence_about_types_is_known_as_one(body: str):
    assert isinstance(refusal(body), Mistyped)


@pytest.mark.parametrize("body", ["r if {", "r if no.such(5)", "r if { x }"])
def test_other_refusals_are_not_taken_for_one_about_types(body: str):
    assert isinstance(refusal(body), Refused)


INPUTS = ('{"n": 1}', '{"n": 2}', '{"n": 1.0}', "{}", '{"n": "x"}', None)


def subject(body: str) -> Subject:
    made = compile_or_reason(Case("test", (("p.rego", f"package p\n{body}\n"),), "{}", INPUTS, ("p/r",)))
    assert isinstance(made, Subject)
    return made


def test_what_is_decided_and_remembered_is_what_is_evaluated():
    rows = subject("r := input.n + 1").ask(["p/r"], INPUTS)
    assert [type(outcome) for (outcome,) in rows[:4]] == [Answer, Answer, Answer, Undefined]
    assert not any(isinstance(outcome, Inconsistent) for (outcome,) in rows)


def test_a_decision_taken_for_another_is_a_finding_and_what_changes_by_itself_is_none(monkeypatch: pytest.MonkeyPatch):
    # Given an engine that decides on every input as on the first
    forgetful = subject("r := input.n")
    engine = forgetful._engine
    monkeypatch.setattr(
        forgetful,
        "_engine",
        type(
            "Forgetful",
            (),
            {
                "evaluate": staticmethod(engine.evaluate),
                "decide": staticmethod(lambda path, _given: engine.decide(path, b'{"n": 1}')),
            },
        ),
    )

    # When it is asked, then all that have another answer are findings
    kinds: list[type[Outcome]] = [type(outcome) for (outcome,) in forgetful.ask(["p/r"], INPUTS)]
    assert kinds == [Answer, Inconsistent, Answer, Inconsistent, Inconsistent, Inconsistent]

    # And what is another answer each time is none of the cache's
    assert isinstance(subject("r := time.now_ns()").ask(["p/r"], ["{}"])[0][0], Answer)


@pytest.mark.parametrize("late", ["decide", "evaluate"])
def test_a_machine_that_was_busy_is_no_finding(monkeypatch: pytest.MonkeyPatch, late: str):
    # Given an engine that has no time for one of the two
    busy = subject("r := input.n")
    engine = busy._engine

    def no_time(*_: object) -> bytes:
        raise EvaluationTimeout("the evaluation took too long")

    asks = {"evaluate": engine.evaluate, "decide": engine.decide} | {late: no_time}
    monkeypatch.setattr(busy, "_engine", type("Busy", (), {name: staticmethod(ask) for name, ask in asks.items()}))

    # When it is asked, then what it says is what it evaluated, which may be nothing
    (outcome,) = busy.ask(["p/r"], INPUTS[:1])[0]
    assert isinstance(outcome, Answer if late == "decide" else Refused)


def test_errors_are_the_same_by_their_kind():
    rows = subject("r := x if some x in [1, 2]").ask(["p/r"], ["{}"])
    assert isinstance(rows[0][0], Failed)
