from __future__ import annotations

import json
from pathlib import Path

from sark_e2e.differential.case import Case
from sark_e2e.differential.comparison import Disagreement
from sark_e2e.differential.finding import as_text, read_case, signature
from sark_e2e.differential.minimiser import Minimiser
from sark_e2e.differential.outcome import Answer, Outcome, Undefined

SOURCE = """package p

import data.unused

helper := 1

allow if {
	input.x == 1
	count(input.list) > 0; upper(input.s) == "A"
}

other contains x if some x in input.list
"""
CASE = Case(
    "test",
    (("p.rego", SOURCE), ("q.rego", "package q\n")),
    '{"a": {"b": 1}}',
    ('{"x": 2}', '{"x": 1, "s": "a", "list": [[1, 2]]}'),
    ("p/allow",),
)


def disagree(case: Case) -> Disagreement | None:
    """Stands for two engines that differ whenever `upper` is called on an input with `s`."""
    called = any("upper" in source for _, source in case.modules)
    last = json.loads(case.inputs[-1] or "{}")
    engine: Outcome = Undefined() if called and isinstance(last, dict) and "s" in last else Answer(1)
    return Disagreement(case, Answer(1), engine) if engine != Answer(1) else None


def test_everything_that_does_not_matter_is_dropped():
    found = disagree(CASE)
    assert found is not None
    small = Minimiser(disagree).smallest(found).case
    assert "".join(source for _, source in small.modules).split() == ["upper"]
    assert small.inputs == ('{"s": null}',) or json.loads(small.inputs[0] or "") == {"s": "a"}
    assert small.data == "{}"


def test_a_finding_stays_within_its_kind():
    found = Disagreement(CASE, Answer(1), Undefined())

    def other_kind(case: Case) -> Disagreement:
        return Disagreement(case, Undefined(), Answer(1))

    assert Minimiser(other_kind).smallest(found) is found


def test_time_that_is_over_leaves_what_there_is():
    found = disagree(CASE)
    assert found is not None
    assert Minimiser(disagree, seconds=-1).smallest(found) is found


def test_a_written_finding_is_read_again(tmp_path: Path):
    found = Disagreement(CASE.single("p/allow", None), Answer([1]), Undefined())
    path = tmp_path / f"{signature(found)}.yaml"
    path.write_text(as_text(found), encoding="utf-8")
    case, opa = read_case(path)
    assert (case.paths, case.inputs, case.data, opa) == (("p/allow",), (None,), CASE.data, "[1]")
    assert [source.split() for _, source in case.modules] == [source.split() for _, source in CASE.modules]
    assert path.stem.startswith("answer-undefined-")
