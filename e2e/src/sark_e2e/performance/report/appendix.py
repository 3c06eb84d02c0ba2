"""Charts, test data, raw files."""

from __future__ import annotations

from collections.abc import Mapping

from .cell import Cell, measured, word
from .document import Document
from .facts import Facts

CHARTS: Mapping[str, tuple[str, str]] = {
    "opa-latency.png": (
        "OPA Engine Latency Comparison",
        "p50, p95, p99 latencies for Python and Rust across policy complexities; the scale is logarithmic.",
    ),
    "cache-performance.png": (
        "Cache Performance Comparison",
        "GET, SET and DELETE latencies for Redis and the cache of the engine; the scale is logarithmic.",
    ),
    "throughput.png": (
        "Throughput Over Time",
        "right answers in each second of the target load, asked by the clock at the dashed line.",
    ),
    "memory-24h.png": (
        "Memory Usage Over 24 Hours",
        "memory of a sidecar of each arm while it is asked at an even pace, for as long as was measured.",
    ),
    "cpu-usage.png": (
        "CPU Usage Comparison",
        "processor time of each arm's servers at growing rates, until it no longer keeps up.",
    ),
}
FOLDER = "performance-charts"


def charts(document: Document, facts: Facts) -> None:
    """Add the five charts."""
    document.verbatim("---\n\n## Performance Charts")
    for file, (title, shows) in CHARTS.items():
        document.verbatim(f"### {title}\n\n![{title}]({FOLDER}/{file})\n\n**Chart shows**: {shows}")
    hours = facts.of("memory", "stability", "rust").cell("hours")
    document.say("The memory chart is of {hours}.", hours=hours)


def appendix(document: Document, facts: Facts) -> None:
    """Add test data and the list of all raw files, each with its command."""
    document.verbatim("---\n\n## Appendix\n\n### A. Test Data")
    loads = facts.all("load")
    asked = [each.cell("asked") for each in loads]
    hours = measured(sum(each.raw.scale.seconds for each in loads) / 3600, "h", [each.path for each in loads])
    total = measured(sum(each.value for each in asked) / 1e6, "M", [path for each in asked for path in each.sources])
    size = measured(
        sum(len(each.raw.model_dump_json()) for each in facts.all()) / 1e9, "GB", [each.path for each in facts.all()]
    )
    runs = facts.all("benchmarks")
    document.points(
        ("Total benchmark runs: {runs}", {"runs": measured(len(runs), "", [each.path for each in runs])}),
        ("Total load test duration: {hours}", {"hours": hours}),
        ("Total requests tested under load: {total}", {"total": total}),
        ("Raw data: {size}", {"size": size}),
    )
    document.verbatim("### B. Raw Data Files")
    rows: list[list[Cell | str]] = []
    for each in facts.all():
        scale = each.raw.scale
        number = each.cell(next(iter(each.raw.numbers)))
        length = "in full" if scale.full else "shortened"
        rows.append(
            [
                document.link(each.path),
                each.raw.arm,
                word(f"{scale.seconds:,.0f} s", number),
                length,
                word(each.raw.started, number),
            ]
        )
    document.table(("File", "Arm", "Took", "Scale", "Started (UTC)"), rows)
    document.verbatim("Each file names its command, machine and load in `command` and `environment`.")
    document.verbatim(
        "### C. Configuration Files\n\n"
        "- Benchmark config: [`tests/performance/benchmarks/conftest.py`](../tests/performance/benchmarks/conftest.py)\n"
        "- Load test scenarios: [`tests/performance/load/scenarios.py`](../tests/performance/load/scenarios.py)\n"
        "- CI configuration: [`.github/workflows/performance.yml`](../.github/workflows/performance.yml)\n\n"
        "### D. Related Documentation\n\n"
        "- [What the words mean, how to repeat it, where each question is answered](performance.md)\n"
        "- [Benchmarks of single parts](benchmarks.md)\n"
        "- [Microbenchmark README](../tests/performance/benchmarks/README.md)\n"
        "- [Load Testing README](../tests/performance/load/README.md)\n"
        "- [Stress Testing README](../tests/performance/stress/README.md)\n"
        "- [Memory Testing README](../tests/performance/memory/README.md)\n\n---"
    )
    newest = max(facts.all(), key=lambda each: each.raw.started)
    document.say(
        "**Report Generated** from measurements until {date}  \n**Report Version**: schema {schema}  \n**Contact**: the project's issues",
        date=newest.word(newest.raw.started),
        schema=newest.word(newest.raw.schema_),
    )
