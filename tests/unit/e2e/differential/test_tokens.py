from __future__ import annotations

import pytest

from sark_e2e.differential.case import Case
from sark_e2e.differential.parts import parts, without_rows
from sark_e2e.differential.tokens import source_of, tokens

POLICY = """package p

import data.x

# A comment with } in it.
allow if {
	input.a == "}" # another
	x := [1,
		2]
}

deny contains msg if msg := `raw
text`
else_like := {"a": 1}
"""


def test_a_policy_is_its_parts():
    assert "".join(parts(POLICY)) == POLICY
    assert [part.split()[0] for part in parts(POLICY)] == ["package", "import", "#", "allow", "deny", "else_like"]


def test_the_rule_at_a_row_is_dropped_and_nothing_else():
    case = Case("t", (("p.rego", POLICY),), "{}", (), ())
    changed = without_rows(case, [(0, 7), (0, 14)])
    assert changed is not None
    assert [part.split()[0] for part in parts(changed.modules[0][1])] == ["package", "import", "#", "deny"]
    assert without_rows(case, [(0, 1)]) is None
    assert without_rows(case, [(1, 7)]) is None


@pytest.mark.parametrize("source", [POLICY, "p := f (x)[0]\n", 'p if not a.b["c"] in {1.5e3}\n', ""])
def test_tokens_written_again_are_the_same_tokens(source: str):
    words = [word for word in tokens(source) if word.kind != "break"]
    assert [word for word in tokens(source_of(tokens(source))) if word.kind != "break"] == words


def test_strings_and_comments_are_one_word_or_none():
    assert [word.text for word in tokens('a := "x # \\" y" # z')] == ["a", ":=", '"x # \\" y"']
