from __future__ import annotations

from itertools import islice

from sark_e2e.differential.campaign import Plan, cases


def test_null_is_asked_as_no_input():
    """OPA's data API knows no null input, and a query does: the same question would have two answers."""
    inputs = [given for _, case in islice(cases(Plan(2, 60.0, [])), 100) for given in case.inputs]

    assert None in inputs
    assert "null" not in inputs
