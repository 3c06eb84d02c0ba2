"""The operator's benchmark in small, on a real control plane and Prometheus: every figure is there."""

from __future__ import annotations

import pytest

from sark_e2e.bench.operator import __main__ as bench


@pytest.mark.timeout(900)
def test_every_figure_is_measured():
    # Given a few rollouts that look often, when all is measured
    options = ["--interval=3", "--scrape=3", "--window=15", "--seconds=10", "--failing=2", "--watchers=8", "--rounds=1"]
    found = {4: bench.measured(4, bench._parser().parse_args(options))}

    # Then everything has a number, nothing failed for good, and breaches were answered
    table = "\n".join(bench.lines(found))
    assert table.count("\n") == 14
    assert "| - |" not in table
    assert found[4]["steady"].ticks_per_minute > 0
    assert found[4]["steady"].queries_per_minute > 0
    assert len(found[4]["reaction"].seconds) == 2
    assert len(found[4]["watchers"]["seconds"]) == 8
