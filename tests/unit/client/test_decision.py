from __future__ import annotations

from typing import Any

import pytest

from sark_client import (
    BusyError,
    ClosedError,
    Decision,
    DecisionError,
    NoDecisionError,
    QuestionError,
    decision_in,
    refusal,
)
from sark_client.asking import read_decision


@pytest.mark.parametrize(
    ("answer", "allow"),
    [
        ({"result": True}, True),
        ({"result": {"allow": True}}, True),
        ({"result": False}, False),
        ({"result": {"allow": False}}, False),
        ({"result": {"allow": 1}}, False),
        ({"result": {"allow": "true"}}, False),
        ({"result": 1}, False),
        ({"result": "true"}, False),
        ({"result": [True]}, False),
        ({"result": None}, False),
        ({}, False),
    ],
)
def test_only_true_allows_and_a_condition_reads_the_decision_so(answer: dict[str, Any], allow: bool):
    decision = decision_in(answer, "authz/allow")
    assert decision.allow is allow
    assert bool(decision) is allow


def test_the_whole_result_is_there():
    result = {"allow": False, "reason": "not yours", "filtered_parameters": {"a": 1}, "more": [1]}
    decision = decision_in({"result": result}, "authz/decision", "rust", "cache")
    assert (decision.reason, decision.filtered_parameters, decision.result) == ("not yours", {"a": 1}, result)
    assert (decision.path, decision.arm, decision.source) == ("authz/decision", "rust", "cache")


def test_an_undefined_decision_is_told_apart_from_null():
    assert decision_in({}, "p") == Decision(allow=False, result=None, path="p", is_defined=False)
    assert decision_in({"result": None}, "p").is_defined


@pytest.mark.parametrize("result", [True, [1], {"reason": 1}, "text"])
def test_a_result_without_reason_has_none(result: Any):
    decision = decision_in({"result": result}, "p")
    assert (decision.reason, decision.filtered_parameters) == (None, None)


@pytest.mark.parametrize("answer", [[], None, True, "text"])
def test_what_is_no_answer_is_no_decision(answer: Any):
    with pytest.raises(NoDecisionError):
        decision_in(answer, "p")


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, QuestionError),
        (404, QuestionError),
        (413, QuestionError),
        (500, NoDecisionError),
        (502, NoDecisionError),
        (204, NoDecisionError),
        (503, BusyError),
    ],
)
def test_every_other_status_is_an_error(status: int, kind: type[DecisionError]):
    error = refusal(status, "why")
    assert (type(error), str(error)) == (kind, "why")


def test_one_name_catches_them_all_and_only_a_busy_one_may_be_asked_again():
    assert issubclass(BusyError, NoDecisionError)
    assert all(issubclass(kind, DecisionError) for kind in (QuestionError, NoDecisionError, ClosedError))


@pytest.mark.parametrize("status", [201, 202, 203, 204, 206, 299, 304])
def test_only_200_decides_whatever_stands_in_the_body(status: int):
    assert read_decision(200, b'{"result":true}', "authz/allow").allow
    with pytest.raises(NoDecisionError):
        read_decision(status, b'{"result":true}', "authz/allow")
