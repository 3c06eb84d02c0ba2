"""What is reported of a sidecar at fixed rates: medians, and nothing where it did not keep up."""

from __future__ import annotations

import pytest

from sark_e2e.bench.failure import BenchError
from sark_e2e.bench.load import Load
from sark_e2e.bench.sidecar.beside import Beside, beside_table
from sark_e2e.bench.sidecar.memory import parse_resident_mib
from sark_e2e.bench.sidecar.starting import Start, starts_table
from sark_e2e.bench.sidecar.steady import Moment, steady_rows, steady_table


def moment(rate: int, number: int, *, per_second: float, cpu: float = 10.0, key: str = "rust_cached") -> Moment:
    return Moment(key, rate, number, Load(100, per_second, 100.0 * number, 200.0, 300.0), cpu, 0.0, 80.0)


def test_memory_is_read_in_the_kernels_words():
    assert parse_resident_mib("Name:\tpython\nVmHWM:\t  4096 kB\nVmRSS:\t  2048 kB\n") == 2.0
    with pytest.raises(BenchError, match="VmRSS"):
        parse_resident_mib("Name:\tkthread\n")


def test_rows_are_medians_and_a_rate_that_was_not_kept_up_has_no_latency():
    rows = steady_rows(
        [
            *(moment(100, number, per_second=100.0, cpu=number * 1.0) for number in (1, 2, 9)),
            moment(5000, 1, per_second=1800.0),
        ]
    )
    assert [(row.rate, row.keeps_up) for row in rows] == [(100, True), (5000, False)]
    assert (rows[0].p50_us, rows[0].cpu_percent) == (200.0, 2.0)
    table = steady_table(rows, {"rust_cached": "rust arm, cached"}).splitlines()
    assert table[2] == "| 100 | rust arm, cached | all | 0.200 | 0.200 | 0.300 | 2.0 % | - | 80 MiB |"
    assert table[3] == "| 5,000 | rust arm, cached | 1,800/s | - | - | - | 10.0 % | - | 80 MiB |"


def test_starts_are_told_by_median_and_extremes():
    table = starts_table([Start(1.0, 1.5, 0.9, 70.0), Start(2.0, 2.5, 0.9, 72.0), Start(1.2, 1.6, 0.9, 71.0)])
    assert "| from the process's start until it is ready, by itself | 1.20 s | 1.00 s | 2.00 s |" in table
    assert "| memory then | 71 MiB | 70 MiB | 72 MiB |" in table


def test_the_new_arm_is_told_by_what_the_baseline_does_meanwhile():
    found = [
        Beside(state, number, Load(100, 500.0, p50 * number, 200.0, 300.0))
        for number in (1, 2, 3)
        for state, p50 in (("rests", 100.0), ("hangs", 150.0))
    ]
    assert beside_table(found).splitlines()[2:] == [
        "| rests | 500/s | 0.200 | 0.200 | 0.300 |",
        "| hangs | 500/s | 0.300 | 0.200 | 0.300 |",
    ]
