from __future__ import annotations

import pytest

from sark_e2e.differential.case import Case
from sark_e2e.differential.outcome import Mistyped, Refused
from sark_e2e.differential.subject import compile_or_reason


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
