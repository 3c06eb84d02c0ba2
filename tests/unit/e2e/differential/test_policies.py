from __future__ import annotations

import random
from collections import Counter

import pytest

from sark_e2e.differential.__main__ import known_specimens
from sark_e2e.differential.corpus import Specimen, paths_of
from sark_e2e.differential.grammar import policy, tangle
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
