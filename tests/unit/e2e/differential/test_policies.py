from __future__ import annotations

import json
import random
import re
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal

import pytest

from sark_e2e.differential.__main__ import known_specimens
from sark_e2e.differential.corpus import Specimen, paths_of
from sark_e2e.differential.grammar import guards, numerals, policy, tangle
from sark_e2e.differential.grammar.numeral import spelt
from sark_e2e.differential.mutation import mutant
from sark_e2e.differential.tokens import tokens

SPECIMENS = {specimen.name: specimen for specimen in known_specimens()}


def test_paths_are_those_of_packages_and_of_rules_that_are_no_functions():
    rules = ["default p := 1", "p := 2 if {", "\tq", "}", "f(x) := x", "r.s.t contains 1", "q[x] := 1 if x := 2", ""]
    source = "\n".join(["package a.b", "import data.c", *rules])
    assert paths_of((("m.rego", source),)) == ("a/b", "a/b/p", "a/b/r/s/t", "a/b/q")


@pytest.mark.parametrize("specimen", SPECIMENS.values(), ids=SPECIMENS.keys())
def test_mutants_differ_and_are_equal_for_an_equal_seed(specimen: Specimen):
    case = specimen.case(random.Random(1), 2)
    mutants = [mutant(case, random.Random(seed)) for seed in range(30)]
    assert mutants[:10] == [mutant(case, random.Random(seed)) for seed in range(10)]
    before = [[word.text for word in tokens(source)] for _, source in case.modules]
    changed = [one for one in mutants if [[word.text for word in tokens(source)] for _, source in one.modules] != before]
    assert len(changed) > 22


def test_random_policies_use_every_kind_of_rule_and_statement():
    words: Counter[str] = Counter()
    for seed in range(60):
        case = policy(random.Random(seed), 2)
        assert seed > 10 or case == policy(random.Random(seed), 2)
        assert case.paths
        words.update(word.text for _, source in case.modules for word in tokens(source))
    wanted = {"default", "contains", "else", "every", "some", "in", "not", "with", "walk", ":=", "=", "==", "|", "null"}
    assert wanted <= set(words), wanted - set(words)


def test_tangled_policies_read_variables_before_and_after_they_are_bound():
    words: Counter[str] = Counter()
    bound, heads = Counter[bool](), Counter[str]()
    for seed in range(60):
        case = tangle(random.Random(seed), 2)
        assert seed > 10 or case == tangle(random.Random(seed), 2)
        assert case.paths
        words.update(word.text for _, source in case.modules for word in tokens(source))
        for line in case.modules[0][1].splitlines():
            bound.update(place < len(line) / 2 for place in [line.find(" = input.")] if place >= 0)
            heads.update(form for form in ("contains", "] :=", ") :=", "else :=") if form in line)
    wanted = {
        "default",
        "contains",
        "else",
        "every",
        "some",
        "in",
        "not",
        "with",
        "walk",
        ":=",
        "=",
        "==",
        "|",
        "-",
        "count",
        "import",
    }
    assert wanted <= set(words), wanted - set(words)
    assert min(bound[True], bound[False]) > 10
    assert len(heads) == 4


def test_numerals_are_json_of_every_form_and_most_are_worth_what_was_asked():
    chance = random.Random(1)
    texts = [spelt(chance, 12) for _ in range(4000)]
    worths = [Decimal(str(json.loads(text, parse_int=Decimal, parse_float=Decimal))) for text in texts]
    assert 1000 < sum(worth == 12 for worth in worths) < 4000
    assert {"plain", "zeros", "e", "E", "e-"} <= {form for text in texts for form in _forms(text)}


def _forms(text: str) -> Iterator[str]:
    yield "plain" if text.isdecimal() else "other"
    yield "zeros" if ".000" in text else "other"
    yield from (mark for mark in ("e", "E", "e-") if mark in text)


def test_operations_on_numbers_have_all_their_operands():
    operations = Counter[str]()
    for seed in range(60):
        case = numerals(random.Random(seed), 2)
        assert seed > 10 or case == numerals(random.Random(seed), 2)
        source = case.modules[0][1]
        assert not re.search("<[a-z]>", source)
        assert len(case.paths) == source.count("\n\nr")
        operations.update(re.findall(r"[a-z_]+(?:\.[a-z_]+)?(?=\()", source))
    wanted = {"to_number", "json.unmarshal", "substring", "array.slice", "numbers.range", "bits.rsh", "sum", "count", "f", "g"}
    assert wanted <= set(operations), wanted - set(operations)


def test_rules_behind_guards_have_as_many_definitions_as_an_index_needs():
    definitions, guarded = Counter[int](), Counter[str]()
    for seed in range(60):
        case = guards(random.Random(seed), 2)
        assert seed > 10 or case == guards(random.Random(seed), 2)
        source = case.modules[0][1]
        definitions.update(Counter(re.findall(r"^r\d+", source, re.MULTILINE)).values())
        guarded.update(form for form in (" == ", " in {", "glob.match(", "with input", "else :=", "not ") if form in source)
        assert set(case.paths) >= {f"g/{name}" for name in re.findall(r"^[cw]\d+", source, re.MULTILINE)}
    assert min(definitions) >= 3
    assert len(guarded) == 6
    assert min(guarded.values()) > 10
