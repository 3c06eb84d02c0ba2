"""Asking OPA, also when it ends on a question: a comparison goes on, and what was not answered is told as such."""

from __future__ import annotations

from pathlib import Path

from sark_e2e import binaries
from sark_e2e.differential.case import Case
from sark_e2e.differential.comparison import Comparison
from sark_e2e.differential.oracle import Oracle
from sark_e2e.differential.outcome import Answer, Refused, Undefined
from sark_e2e.loopback import LoopbackNetwork
from sark_e2e.opa import OpaServer


def test_a_server_that_has_ended_is_started_again_and_nothing_is_taken_for_its_answer(tmp_path: Path):
    # Given a server that has answered
    case = Case("test", (("p.rego", "package p\nr := input.a\n"),), '{"d": 1}', ('{"a": 1}', '{"a": 2}'), ("p/r", "d"))
    policies = tmp_path / "policies"
    policies.mkdir()
    with (
        LoopbackNetwork() as network,
        OpaServer(binaries.program("opa"), network=network, folder=tmp_path, policies=policies) as server,
    ):
        oracle = Oracle(server.url, server.revive)
        assert oracle.load(case) is None
        assert oracle.ask(case.paths, case.inputs) == [[Answer(1), Answer(1)], [Answer(2), Answer(1)]]

        # When it ends, then nothing is undefined for want of the policies it had
        server.kill()
        outcomes = [outcome for row in oracle.ask(case.paths, case.inputs) for outcome in row]
        assert {type(outcome) for outcome in outcomes} == {Refused}
        assert isinstance(oracle.ask_one("p/r", case.inputs[0]), Refused)

        # And the next case is answered
        assert oracle.load(case) is None
        assert oracle.ask_one("p/r", case.inputs[1]) == Answer(2)
        assert oracle.ask_one("p/s", case.inputs[1]) == Undefined()
        oracle.close()


def test_what_a_question_writes_into_base_data_is_gone_in_the_next_when_they_are_asked_apart(comparison: Comparison):
    # Given a question that replaces a part of a document of base data, for all that its query reads afterwards
    source = "package p\na := x if { x := input.u with input as data.d with input.u as 5 }\nb := data.d.u\n"
    case = Case("test", (("p.rego", source),), '{"d": {"u": 1}}', ("{}",), ("p/a", "p/b"), apart=True)

    result = comparison.compare(case)

    assert not result.disagreements
    assert result.equal == 1
    assert len(result.refused) == 1
