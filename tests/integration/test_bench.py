"""The benchmark runs on real servers, and each row is what it says. How fast they are is nobody's business here."""

from __future__ import annotations

from pathlib import Path

import pytest

from sark_e2e import binaries
from sark_e2e.bench import contestants, load_generator
from sark_e2e.bench.decisions import Effort, measure_all, rows
from sark_e2e.bench.sidecar.steady import Plan, measure_steady
from sark_e2e.progress import to_stderr


@pytest.mark.timeout(600)  # the load generator may have to be built first
def test_every_row_is_measured_and_is_what_it_says(tmp_path: Path):
    programs = contestants.Programs(
        bench=load_generator.build(to_stderr), opa=binaries.program("opa"), redis=binaries.redis_server()
    )
    effort = Effort(rounds=1, seconds=1, connections=(4, 1))

    # Given all servers, when each is asked for a moment
    with contestants.running(programs, tmp_path, to_stderr) as measured:
        # Then no answer is anything but a decision, and no cache is used otherwise than the row says: either is an error
        found = rows(measure_all(measured, programs.bench, effort, to_stderr))
        steady = measure_steady(measured, programs.bench, Plan(rates=(50,), rounds=1, seconds=0.5), to_stderr)

    # And there is a row for each server and number of connections, with numbers in order
    assert {(row.key, row.connections) for row in found} == {
        (each.key, connections) for each in measured for connections in effort.connections
    }
    for row in found:
        assert 0 < row.p50_us <= row.p95_us <= row.p99_us
        assert row.per_second > 0
        assert row.cpu_us >= 0

    # And at a fixed rate too, with memory and processor time of each by itself
    assert [each.key for each in steady] == [each.key for each in measured]
    for moment in steady:
        assert moment.load.answers == 25
        assert moment.resident_mib > 0
        assert (moment.others_percent > 0) == (moment.key in {"baseline_cached", "baseline_uncached"})
