"""Figures, their sources, and the document that takes nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from sark_e2e.performance.report.cell import Cell, change, given, measured, shown, times, word
from sark_e2e.performance.report.document import Document
from sark_e2e.performance.report.facts import Facts, NoSourceError
from sark_e2e.performance.report.opening import head

from .test_raw import MACHINE, measurement

ROOT = Path("/somewhere")
FILE = ROOT / "tests" / "performance" / "load" / "reports" / "r" / "target.rust.open-loop.json"


def document() -> Document:
    return Document(ROOT, ROOT / "docs" / "PERFORMANCE_REPORT.md")


def figure(value: float = 1.5, unit: str = "ms") -> Cell:
    return measured(value, unit, [FILE])


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (1234.5, "1/s", "1,234/s"),
        (0.123456, "ms", "0.123 ms"),
        (0.0123456, "ms", "12.3 \N{MICRO SIGN}s"),
        (0.000123456, "ms", "123 ns"),
        (-0.0123456, "ms", "-12.3 \N{MICRO SIGN}s"),
        (12.0, "%", "12%"),
        (99.96, "x", "100x"),
        (0, "ms", "0 ms"),
        (-1.26, "MB/h", "-1.26 MB/h"),
        (7, "", "7"),
    ],
)
def test_figures_have_three_digits_and_their_unit(value: float, unit: str, text: str):
    assert shown(value, unit) == text


def test_what_is_calculated_comes_from_all_it_is_made_of():
    other = measured(3, "ms", [FILE.with_name("target.python.open-loop.json")])
    assert times(other, figure()).text == "2x"
    assert times(other, figure()).sources == other.sources | figure().sources
    assert change(other, figure()).text == "-50%"
    assert change(figure(), other).text == "+100%"


def test_facts_are_found_by_name_and_a_missing_one_is_an_error():
    facts = Facts({FILE: measurement(p95=2)})
    assert facts.of("load", "target", "rust").cell("p95") == measured(2, "ms", [FILE])
    with pytest.raises(NoSourceError, match="no number 'p42'; it has p95"):
        facts.of("load", "target", "rust").cell("p42")
    with pytest.raises(NoSourceError, match=r"no raw file for load/target\.python.*--match target"):
        facts.of("load", "target", "python")
    with pytest.raises(NoSourceError, match="nothing to report"):
        Facts({})


def test_a_table_names_its_raw_files():
    page = document()
    page.table(("Metric", "Rust"), [["p95 latency", figure()]])
    assert page.text() == (
        "| Metric | Rust |\n| --- | ---: |\n| p95 latency | 1.5 ms |\n\n"
        "<sub>Raw: [`target.rust.open-loop.json`](../tests/performance/load/reports/r/target.rust.open-loop.json)</sub>\n"
    )
    assert page.used == {FILE}


def test_a_number_without_a_source_is_refused_wherever_it_stands():
    page = document()
    with pytest.raises(NoSourceError, match=r"without a source: '1\.5 ms'"):
        page.table(("Metric", "Rust"), [["p95 latency", "1.5 ms"]])
    with pytest.raises(NoSourceError, match="without a source"):
        page.say("The p95 is 1.5 ms.")
    with pytest.raises(NoSourceError, match="without a source"):
        page.points(("It is {p} and 3 more.", {"p": figure()}))
    with pytest.raises(NoSourceError, match="no figure 'q'"):
        page.say("The p95 is {q}.", p=figure())
    page.say("The p95 is {p}, below {limit}.", p=figure(), limit=given(5, "ms"))
    assert page.text() == "The p95 is 1.5 ms, below 5 ms.\n"


@pytest.mark.parametrize("left", ["[X]ms", "[X.X.X]", "[Analysis]", "✅/❌", "{{p95}}", "TODO", "n/a", "[Recommendation 1]"])
def test_a_placeholder_that_is_left_is_refused(left: str):
    page = document()
    page.verbatim("# Title")
    page.verbatim(f"the p95 is {left}")
    with pytest.raises(NoSourceError, match="line 3 of the report"):
        page.text()


def test_a_figure_that_is_no_number_ends_as_a_placeholder():
    page = document()
    page.table(("Metric", "Rust"), [["p95 latency", word(str(times(figure(), figure(0))), figure())]])
    with pytest.raises(NoSourceError, match="n/a"):
        page.text()


def test_a_row_must_fill_its_table():
    with pytest.raises(NoSourceError, match="has 3 cells; the table has 2 columns"):
        document().table(("Metric", "Rust"), [["p95", figure(), figure()]])


def test_what_was_measured_on_another_machine_says_on_which():
    versions = {"sark-engine": "0.1.0"}
    other = MACHINE.model_copy(update={"cpu": "another CPU", "commit": "0123456789ab", "versions": versions})
    benchmark = measurement(section="benchmarks", p95=2).model_copy(
        update={"environment": other, "started": "2026-01-02T00:00:00Z"}
    )
    page = document()

    head(page, Facts({FILE: measurement(), FILE.with_name("benchmark.json"): benchmark}))

    assert f"another CPU, {MACHINE.cores} cores" in page.text()
    assert f"{MACHINE.os} (benchmarks); {MACHINE.cpu}, {MACHINE.cores} cores" in page.text()
    assert f"commit `0123456789ab` (benchmarks); commit `{MACHINE.commit}` (load), engine" in page.text()


def test_arms_that_were_measured_on_two_machines_are_not_compared():
    other = MACHINE.model_copy(update={"cpu": "another CPU"})
    facts = Facts({FILE: measurement(), FILE.with_name("b.json"): measurement().model_copy(update={"environment": other})})

    with pytest.raises(NoSourceError, match=r"load was measured on .*another CPU.*measure it whole: --only load"):
        facts.by_machine()
