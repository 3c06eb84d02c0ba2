from __future__ import annotations

from sark_e2e.differential.case import Case
from sark_e2e.differential.comparison import Disagreement, Result
from sark_e2e.differential.oracle import Refusal
from sark_e2e.differential.outcome import Answer, Undefined
from sark_e2e.differential.tally import Tally


def test_counts_are_by_what_came_of_each_question():
    tally = Tally()
    case = Case("t", (), "{}", (None,), ("p",))
    found = Disagreement(case, Answer(1), Undefined())
    tally.add(Result(equal=3, undefined=2, failed=1, refused=["baseline: io.jwt.decode", "out of time"], disagreements=[found]))
    tally.add(Result(refused_by_opa=Refusal('rego_type_error: undefined ref: data.p.x1["a"]')))
    tally.add(Result(refused_by_opa=Refusal("rego_type_error: undefined ref: data.q.y2"), refused_by_engine="p.rego:1:2: no"))
    tally.add(Result(refused_by_engine="p.rego:3:9: rule must have a body"))
    tally.add(Result(refused_by_engine="q.rego:4:1: rule must have a body"))

    assert tally.compared == 7
    assert tally.questions == {"equal values": 3, "undefined in both": 2, "errors in both": 1, "DIFFERENT answer/undefined": 1}
    assert tally.refused_policies == {"rule must have a body": 2}
    assert tally.lenient.total() == 1
    assert tally.policies == {
        "compared": 1,
        "refused by OPA alone": 1,
        "refused by both": 1,
        "refused by the engine alone": 2,
    }
    assert "         3  equal values" in tally.lines()[1]
