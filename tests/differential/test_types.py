"""What can never be right by its types is refused at load, where OPA refuses it, and nothing else is."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import pytest
from sark_engine import Policies, PolicyError

from sark_e2e import binaries, signatures

# Of every kind, with the elements that make a difference; none as their text says it.
OPERANDS: Final = (
    "null",
    "true",
    "5",
    '"a"',
    "[]",
    "[5]",
    '["a"]',
    '[["a"]]',
    "[{}]",
    "{}",
    '{"a": 5}',
    "set()",
    "{5}",
    '{"a"}',
    '{{"a"}}',
)

# A statement each, of every way in which a type is known, and of those in which it is not.
STATEMENTS: Final = (
    'x := 5; startswith(x, "a")',
    'x = 5; startswith(x, "a")',
    'x := "a"; startswith(x, "a")',
    "x := input.x; startswith(x, 5)",
    "x := lower(input.x); x + 1 == 2",
    "count(input.x) + 1 == 2",
    'count(input.x) == "5"',
    "count(input.x) == 5",
    'count(input.x) != "5"',
    'count(input.x) < "5"',
    '"5" == count(input.x)',
    "not startswith(input.x, 5)",
    "not startswith(input.x, limit)",
    "not startswith(input.x, limit_or_text)",
    "not startswith(input.x, count(input.y))",
    "not startswith(input.x, double(5))",
    "not limit[input.x]",
    "not name[input.x]",
    "not lower(input.x)[input.y]",
    "not limit in texts",
    "not startswith(input.x, limit) with data.calls.limit as input.y",
    'concat(",", [count(x) | some x in input.x]) == "a"',
    'concat(",", {count(x) | some x in input.x}) == "a"',
    'not count(input.x) == "5"',
    'x := count(input.x) == "5"; x == false',
    '1 + "a" == 2',
    "1 - {1} == 2",
    "{1} & 1 == {1}",
    "{1} | [1] == {1}",
    '"a" in [5]',
    '5 in [5, "a"]',
    '"a" in {5}',
    '"a" in []',
    '"a" in {"b": 5}',
    '"a" in 5',
    '"a" in count(input.x)',
    "lower(input.x) in amounts",
    "lower(input.x) in texts",
    'some x in amounts; startswith(x, "a")',
    'some x in texts; startswith(x, "a")',
    'x := amounts[_]; startswith(x, "a")',
    'some x in [5]; startswith(x, "a")',
    'every x in [5] { startswith(x, "a") }',
    "every x in input.x { startswith(x, 5) }",
    'startswith(limit, "a")',
    "limit + 1 == 6",
    'startswith(limit_or_text, "a")',
    'startswith(name, "a")',
    'startswith(defaulted, "a")',
    'startswith(either, "a")',
    "either + 1 == 6",
    'startswith(double(5), "a")',
    "double(5) + 1 == 11",
    'double("a") == 10',
    'startswith(table, "a")',
    "table.a + 1 == 2",
    'startswith(table[input.x], "a")',
    'concat(",", amounts) == "a"',
    'concat(",", [x | some x in texts]) == "a"',
    'concat(",", [x | x := count(input.x)]) == "a"',
    'concat(",", {x | x := count(input.x)}) == "a"',
    'concat(",", {x: 1 | x := count(input.x)}) == "a"',
    'concat(",", ["a", 5]) == "a"',
    "sum({x | x := lower(input.x)}) == 5",
    'limit == "5" with input as {}',
    'concat(",", maybe) == "a"',
    '"a" in maybe',
    'some x in maybe; startswith(x, "a")',
    'maybe == ["a"]',
    'concat(",", perhaps) == "a"',
    '"a" in perhaps',
    'perhaps == {"a"}',
    'startswith(limit, "a") with input.x as 5',
    'startswith(limit, "a") with data.calls.limit as "abc"',
    'startswith(double(5), "a") with data.calls.double as "abc"',
    'startswith(double(5), "a") with data.calls.limit as "abc"',
    'startswith(count(input.x), "a") with count as "abc"',
    'startswith(lower(input.x), 5) with lower as "abc"',
    "startswith(data.base, 5)",
    'startswith(data.base, "a")',
    'x := data.base; startswith(x, "a"); x + 1 == 2',
    'startswith(input.x, "a"); input.x + 1 == 2',
    'x := json.unmarshal(input.x); startswith(x, "a")',
    'x := to_number(input.x); startswith(x, "a")',
    'x := object.get(input, "x", 5); startswith(x, "a")',
    'x := min(amounts); startswith(x, "a")',
    '[5, "a"] == [input.x, 5]',
    "[5] == {5}",
    '[5] == ["a"]',
    "null == false",
    "input.x == 5",
    'input.x == 5; input.x == "a"',
    'x := input.x; x == 5; x == "a"',
    'every x in numbers.range("a", 1) { x }',
    "every x in input.x { every y in x { startswith(y, 5) } }",
    "not startswith(input.x, 5) with input as {}",
    "some x in lower(input.x); x",
    "some x in limit; x",
    "some x in 5; x",
    "every x in limit { x }",
    "x := lower(input.x); x[_]",
    "x := lower(input.x); x.y",
    "x := 5; x[_]",
    "limit.y",
    "limit[input.x]",
    "limit_or_text.y",
    "name.y with input as {}",
    "limit.y with data.calls.limit as {}",
    "double(5).y",
    "amounts[input.x] == 5",
    "table[input.x].y",
    'walk(5, [p, x]); startswith(x, "a")',
    "[x, y] := lower(input.x)",
    '[x, y] := [1, "a"]; startswith(x, "a")',
    '[x, y] := [1, 2]; startswith(x, "a")',
    '[x, y] := split(input.x, "a"); x + 1 == 2',
    '{"a": x} := {"a": 5}; startswith(x, "a")',
    '{"a": x} := lower(input.x)',
    'some [x, y] in [[1, 2]]; startswith(x, "a")',
    "some [x, y] in [1, 2]",
    "lower(input.x) = 5",
    "x := 5; x = lower(input.x)",
    'some 5 in ["a"]',
    'some 5 in ["a", 5]',
    'some k, "a" in [5]',
    "lower(input.x, 5)",
    "lower(input.x, x); x + 1 == 2",
    "lower(input.x, input.y)",
    'x := {"a": 5}; x.b',
    'time.clock([5, "a"]) == [1, 2, 3]',
)
# OPA takes the type of a variable from statements in an order of its own, so that here nothing is known of one.
KNOWN_VARIABLES: Final = frozenset(
    {
        '[x, y] := [1, 2]; startswith(x, "a")',
        '[x, y] := split(input.x, "a"); x + 1 == 2',
        'concat(",", [x | x := count(input.x)]) == "a"',
        'concat(",", {x | x := count(input.x)}) == "a"',
        "lower(input.x, x); x + 1 == 2",
        'some x in [5]; startswith(x, "a")',
        'some x in amounts; startswith(x, "a")',
        "sum({x | x := lower(input.x)}) == 5",
        'x := 5; startswith(x, "a")',
        "x := 5; x = lower(input.x)",
        "x := 5; x[_]",
        'x := amounts[_]; startswith(x, "a")',
        "x := lower(input.x); x + 1 == 2",
        "x := lower(input.x); x.y",
        "x := lower(input.x); x[_]",
        'x := to_number(input.x); startswith(x, "a")',
        'x = 5; startswith(x, "a")',
    }
)
# OPA's compiler also knows the fields of an object, the place of each element of an array, what a function takes, and which
# rules a `with` does not reach. The lists may only shrink.
KNOWN: Final = frozenset(
    {
        '"a" in {"b": 5}',
        '[5, "a"] == [input.x, 5]',
        '[x, y] := [1, "a"]; startswith(x, "a")',
        'concat(",", ["a", 5]) == "a"',
        'double("a") == 10',
        'limit == "5" with input as {}',
        'some [x, y] in [[1, 2]]; startswith(x, "a")',
        'startswith(count(input.x), "a") with count as "abc"',
        'startswith(double(5), "a") with data.calls.double as "abc"',
        'startswith(double(5), "a") with data.calls.limit as "abc"',
        'startswith(limit, "a") with input.x as 5',
        'startswith(table, "a")',
        "table[input.x].y",
        'x := {"a": 5}; x.b',
        '{"a": x} := {"a": 5}; startswith(x, "a")',
        "{1} | [1] == {1}",
        # One of the values is an empty array or set, which is one of anything: nothing is known here of the others then.
        'concat(",", perhaps) == "a"',
        '"a" in perhaps',
        'perhaps == {"a"}',
        '"a" in maybe',
        'some x in maybe; startswith(x, "a")',
        'maybe == ["a"]',
    }
)
# The same of operands: kinds of an object's values, and of each place of an array.
KNOWN_BUILTINS: Final = frozenset(
    {
        "graph.reachable",
        "graph.reachable_paths",
        "net.cidr_contains_matches",
        "strings.replace_n",
        "time.clock",
        "time.date",
        "time.diff",
        "time.format",
        "time.weekday",
        "urlquery.encode_object",
    }
)
RULES: Final = """
limit := 5
limit_or_text := 5 if input.y
limit_or_text := "a" if not input.y
name := lower(input.y)
default defaulted := "a"
defaulted := 5 if input.y
either := 5 if { input.y } else := "a" if { input.z }
amounts contains 5
texts contains "a" if input.y
double(x) := x * 2
maybe := [] if input.y
maybe := [5] if not input.y
perhaps := set() if input.y
perhaps := {5} if not input.y
table.a := 1
table.b := 2 if input.y
"""


# Policies that OPA loads, though what they compare or call seems never right: what an empty set or a parameter is a part of has
# no type there, and a negated body is not looked at.
LOADED: Final = (
    *(
        f"import future.keywords\nlimit := 5\nr if not {negated}"
        for negated in (
            "startswith(input.x, 5)",
            '5 == "a"',
            'limit == "a"',
            'startswith(limit, "a")',
            '5 in ["a"]',
            "lower(input.x)[input.y]",
        )
    ),
    *(
        f'{rule}\nr if startswith(e, "a")\ns if e in [5]'
        for rule in (
            "e := set()",
            'e := {"a": set()}',
            "e := [set(), input.x]",
            "e := {k: set() | some k in input.x}",
            "e contains set()",
            "e[x] := set() if some x in input.x",
        )
    ),
    "e := [set()]\nr if 5 in e",
    "e := set()\nf(_) := [set()]\nr if e == f(1)",
    "r if not 5 in [set()]",
    'f(x) if not "a" in [{"k": x}]',
    'f(x) if "a" in [[x]]',
    'g(_) := set()\nf(x) if concat(",", [g(x)])',
    "f(x) if { some 5 in [{x | true}] }",
    "h(x) := {x | true}\nr if 5 in [h(1)]",
    'e := set() if input.x\ne := ["a"] if not input.x\nr if e == {5}',
    'f(1) := set()\nf(2) := {5}\nr if f(1) == {"a"}\ns if concat(",", f(1))',
)


def refused_by_opa(statements: Sequence[str], folder: Path) -> set[str]:
    """Return those of `statements` that OPA does not load, each in a rule of its own."""
    first = RULES.count("\n") + 2
    path = folder / "calls.rego"
    rules = "".join(f"rule_{number} if {{ {statement} }}\n" for number, statement in enumerate(statements))
    path.write_text(f"package calls\n{RULES}{rules}", encoding="utf-8")
    command = [binaries.program("opa"), "check", "--format", "json", "--max-errors", "-1", str(path)]
    checked = subprocess.run(command, capture_output=True, check=False)
    told: dict[str, Any] = json.loads(checked.stderr or checked.stdout or b"{}")
    rows = {error["location"]["row"] for error in told.get("errors", [])}
    return {statement for row, statement in enumerate(statements, start=first) if row in rows}


def refused_here(statement: str) -> bool:
    """Return whether the engine does not load `statement`."""
    try:
        Policies([("calls.rego", f"package calls\n{RULES}rule if {{ {statement} }}\n")])
    except PolicyError:
        return True
    return False


def test_every_operand_of_every_builtin_is_looked_at(tmp_path: Path):
    """A literal in the place of each operand, of each kind; the other operands come from the input."""
    statements = []
    for builtin in signatures.capabilities():
        operands = len(builtin["decl"].get("args") or [])
        if not (
            builtin.get("deprecated")
            or builtin.get("infix")
            or builtin["name"].startswith("internal.")
            or builtin["name"] == "print"
        ):
            for place in range(operands):
                for literal in OPERANDS:
                    given = ", ".join(literal if number == place else "input.x" for number in range(operands))
                    statements.append(f"{builtin['name']}({given})")
    assert len(statements) > 3_000

    of_opa = refused_by_opa(statements, tmp_path)
    here = {statement for statement in statements if refused_here(statement)}

    assert len(of_opa) > 3_000
    assert here - of_opa == set()
    assert {statement.partition("(")[0] for statement in of_opa - here} == KNOWN_BUILTINS
    assert len(of_opa - here) <= 24


def test_what_is_known_of_calls_and_rules_is_known(tmp_path: Path):
    of_opa = refused_by_opa(STATEMENTS, tmp_path)
    here = {statement for statement in STATEMENTS if refused_here(statement)}

    assert len(of_opa) > 60
    assert here - of_opa == set()
    assert of_opa - here == KNOWN | KNOWN_VARIABLES


@pytest.mark.parametrize("policy", LOADED)
def test_what_has_no_type_to_opa_has_none_here(policy: str, tmp_path: Path):
    source = f"package calls\n{policy}\n"
    path = tmp_path / "calls.rego"
    path.write_text(source, encoding="utf-8")

    checked = subprocess.run([binaries.program("opa"), "check", str(path)], capture_output=True, check=False, text=True)
    assert checked.returncode == 0, checked.stderr
    Policies([("calls.rego", source)])


def test_the_sentence_says_which_operand_of_what():
    with pytest.raises(PolicyError, match=r"rule data\.p\.r: operand 2 of startswith is number, and must be string"):
        Policies([("p.rego", "package p\nr if not startswith(input.path, 1)\n")])


def test_the_signatures_are_those_of_this_opa():
    """`make signatures` writes them anew."""
    assert signatures.FILE.read_text(encoding="utf-8") == signatures.text(signatures.capabilities())
