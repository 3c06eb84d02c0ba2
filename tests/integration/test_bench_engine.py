"""The engine's benchmark runs on real servers, and every goal gets a figure. Which one is nobody's business here."""

from __future__ import annotations

from pathlib import Path

import pytest

from sark_e2e import binaries
from sark_e2e.bench import contestants, load_generator
from sark_e2e.bench.engine.run import QUICK, ROWS, measure
from sark_e2e.progress import to_stderr


@pytest.mark.timeout(900)  # the load generator may have to be built first
def test_every_goal_is_measured(tmp_path: Path):
    programs = contestants.Programs(
        bench=load_generator.build(to_stderr), opa=binaries.program("opa"), redis=binaries.redis_server()
    )

    # When every row is measured for a moment; a wrong answer, or a cache used otherwise than the row says, is an error
    measured = measure(ROWS, programs, tmp_path, QUICK, to_stderr)

    # Then each row has goals with figures, one for each round
    findings = [finding for part in measured for finding in part.findings]
    goals = [finding for finding in findings if finding.limit is not None]
    assert {finding.row for finding in goals} == set(ROWS)
    assert len({(finding.row, finding.what) for finding in findings}) == len(findings)
    for finding in findings:
        assert len(finding.figures) == QUICK.rounds
        assert all(figure > 0 for figure in finding.figures), finding
    # And everything measured is kept
    assert all(part.details for part in measured)
