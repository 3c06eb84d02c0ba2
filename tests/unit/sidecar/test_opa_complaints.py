"""What OPA's errors say of OPA itself: only an outage may open the circuit for everybody."""

from __future__ import annotations

import json

import pytest

from sark_sidecar.opa.client import _complaint

CONFLICT = {
    "code": "internal_error",
    "message": "error(s) occurred while evaluating query",
    "errors": [{"code": "eval_conflict_error"}],
}
IMPOSSIBLE = {
    "code": "internal_error",
    "message": "1 error occurred: 1:1: rego_type_error: undefined ref: data[0]\n\tdata[0]\n\t     have (type): number",
}

UNREADABLE = {"code": "internal_error", "message": "invalid_parameter: invalid path: failed to parse query"}


@pytest.mark.parametrize(
    "body", [CONFLICT, IMPOSSIBLE, UNREADABLE], ids=["a conflict", "a path that cannot be", "a path that cannot be read"]
)
def test_an_error_of_one_question_is_no_outage(body: dict[str, object]):
    message, is_evaluation = _complaint(json.dumps(body).encode())
    assert is_evaluation
    assert message.startswith(str(body["message"])[:20])


@pytest.mark.parametrize(
    "raw",
    [
        b"sorry",
        b"[]",
        b"{}",
        b'{"code": "internal_error", "message": "context deadline exceeded"}',
        b'{"code": "internal_error", "message": "storage_internal_error: disk"}',
        b'{"code": "internal_error", "message": "disk: invalid_parameter: sector"}',
        b'{"code": "internal_error", "errors": "none"}',
    ],
)
def test_any_other_error_may_be_an_outage(raw: bytes):
    assert not _complaint(raw)[1]
