from __future__ import annotations

import json
import random

from sark_e2e.differential.document import Number, mutated, parse, render
from sark_e2e.differential.mining import Inputs, mine

POLICY = """package p
allow if {
	input.user.name == "alice"
	"admin" == input.roles[_]
	input["odd key"].n > 1.50
	startswith(input.path, "/x")
	data.table[input.key] = true
}
"""


def test_paths_and_what_they_are_compared_with_are_found():
    found = mine([POLICY], '{"table": {"k1": 1}, "list": ["v"]}')
    assert found.paths == [("user", "name"), ("roles", "*"), ("odd key", "n"), ("path",), ("key",)]
    assert found.guards[("user", "name")] == ["alice"]
    assert found.guards[("roles", "*")] == ["admin"]
    assert found.guards[("odd key", "n")] == [Number("1.50")]
    assert {"/x", "table", "k1", "v"} <= set(found.strings)
    assert found.numbers == ["1.50"]


def test_inputs_reach_the_guards_and_are_equal_for_an_equal_seed():
    words = mine([POLICY], "{}")
    texts = Inputs(words, random.Random(3), ['{"seed": 1.0}']).texts(300)
    assert texts == Inputs(words, random.Random(3), ['{"seed": 1.0}']).texts(300)
    assert texts[0] is None
    given = [json.loads(text) for text in texts if text is not None]
    reached = [one for one in given if isinstance(one, dict) and isinstance(one.get("user"), dict)]
    assert sum(one["user"].get("name") == "alice" for one in reached) > 20
    assert any('"seed": 1.0' in text for text in texts if text)


def test_a_document_keeps_its_spelling():
    text = '{"a": 1.0, "a": [1e0, -0, "é", null], "": {}}'
    assert render(parse(text)) == text.replace("é", "\\u00e9")


def test_a_mutation_is_another_document_most_of_the_time():
    chance = random.Random(5)
    document = parse('{"a": [1, "x", {"b": true}], "c": 1.0}')
    changed = [render(mutated(document, chance, ["a", "x"], ["1", "2"])) for _ in range(200)]
    assert len(set(changed)) > 60
    for text in changed:
        parse(text)
