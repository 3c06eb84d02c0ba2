"""How it was measured, with what, for how long, and on which machine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from .cell import Cell, given, measured, shown, word
from .document import Document
from .facts import Facts, Measurement, sections

_TOOLS = {
    "pytest-benchmark": "Microbenchmarks",
    "locust": "Load testing",
    "psutil": "Resource monitoring and memory",
    "py-spy": "Profiles",
    "prometheus": "Metrics collection",
    "matplotlib": "Charts",
}
_SOFTWARE = {
    "Python": "python",
    "Rust": "rust",
    "OPA": "opa",
    "Redis": "redis-server",
    "sark-engine": "sark-engine",
    "regorus": "regorus",
    "aiohttp": "aiohttp",
    "httpx": "httpx",
    "redis-py": "redis",
    "hiredis": "hiredis",
}
_PHASES = {"benchmarks": "Microbenchmarks", "load": "Load Tests", "stress": "Stress Tests", "memory": "Memory Tests"}

CONTENTS = """---

## Table of Contents

- [Executive Summary](#executive-summary)
- [Methodology](#methodology)
- [Test Environment](#test-environment)
- [OPA Engine Performance](#opa-engine-performance)
- [Cache Performance](#cache-performance)
- [End-to-End Performance](#end-to-end-performance)
- [Load Testing Results](#load-testing-results)
- [Stress Testing Results](#stress-testing-results)
- [Memory Profiling Results](#memory-profiling-results)
- [Performance Charts](#performance-charts)
- [Bottleneck Analysis](#bottleneck-analysis)
- [Recommendations](#recommendations)
- [Appendix](#appendix)

---"""

_APPROACH = """## Methodology

### Testing Approach

1. **Microbenchmarks** (pytest-benchmark)
   - One operation at a time; each call's time counts, so that percentiles are of calls and not of averages
   - min, max, mean, median and standard deviation are in the raw files
   - 200 calls of warm-up; 3,000 rounds over the network, 30,000 in process

2. **Load Testing** (an open-loop generator, and Locust)
   - Every decision is compared with OPA's; one wrong decision ends the run
   - Open loop: questions are sent by the clock, two a second for each user, and a latency counts from when the question was *due*.
     A server that stalls makes everybody wait who comes meanwhile, so nothing is omitted because of coordination.
     The generator sleeps until 0.1 ms before a question is due: awake all the time it would take a core from what it measures
   - Locust puts the same three loads of the report; where it is itself the limit the tables say so
   - Questions are drawn from a mix of users, tenants and tools, of which a fifth was never asked before

3. **Stress Testing**
   - The rate is raised until the arm no longer keeps up
   - OPA, Redis and the network to both fail and come back, while every answer is compared

4. **Memory Profiling**
   - 100,000 operations of one component in a process of its own
   - A sidecar asked at an even pace; the slope with its interval
   - What a shortened run cannot show is said and meets no target

Real parts only: OPA server, Redis, Prometheus, sidecars, the release build of the engine. Nothing is mocked."""

_CONFIGURATION = """### Configuration

```yaml
# The sidecar of the Rust arm. The Python arm's has both flags false and 0 percent.
opa:
  url: http://localhost:8181
  timeout: 10s

cache:
  backend: redis    # keeps the Python arm's decisions; the Rust arm's are in the process
  max_size: 10000
  ttl: 300s

feature_flags:
  rust_opa_enabled: true
  rust_cache_enabled: true
  rollout_percentage: 100
```"""


def methodology(document: Document, facts: Facts) -> None:
    """Add approach, tools and durations."""
    document.verbatim(CONTENTS)
    document.verbatim(_APPROACH)
    last = _last(facts)
    versions = last.raw.environment.versions
    rows: list[list[Cell | str]] = [[name, purpose, last.word(versions[name])] for name, purpose in _TOOLS.items()]
    rows.append(
        [
            "sark-bench (of this repository)",
            "Open-loop load, caches, evaluations in process",
            last.word(versions["sark-engine"]),
        ]
    )
    rows.append(["Grafana", "Dashboards are in `manifests/grafana`; no figure here is from one", "not used"])
    document.verbatim("### Tools Used")
    document.table(("Tool", "Purpose", "Version"), rows)
    document.verbatim("### Test Duration")
    spent = {section: _spent(facts.all(section)) for section in _PHASES}
    whole = measured(
        sum(each.value for each in spent.values()), "h", [path for each in spent.values() for path in each.sources]
    )
    rows = [[title, spent[section], _plan(facts, section)] for section, title in _PHASES.items()]
    planned = sum(each.raw.scale.planned_seconds for each in facts.all()) / 3600
    rows.append(["**Total**", whole, given(planned, "h")])
    document.table(("Phase", "Measured", "Plan of a full run"), rows)


def environment(document: Document, facts: Facts) -> None:
    """Add hardware, software and configuration."""
    last = _last(facts)
    machine = last.raw.environment
    loads = [each.raw.environment for each in facts.all()]
    heaviest = max(each.load_before for each in loads)
    document.verbatim("---\n\n## Test Environment\n\n### Hardware")
    document.table(
        ("Component", "Specification"),
        [
            *_hardware(facts.by_machine()),
            ["Network", last.word(machine.network)],
            [
                "Others on the machine",
                word(
                    f"up to {shown(heaviest, '')} runnable tasks in the minute before a measurement, those of the measurement before it included",
                    last.cell(next(iter(last.raw.numbers))),
                ),
            ],
        ],
    )
    document.verbatim("### Software")
    rows: list[list[Cell | str]] = [[title, last.word(machine.versions[name])] for title, name in _SOFTWARE.items()]
    rows.append(["PostgreSQL", "not used: no part of this product has a database"])
    document.table(("Component", "Version"), rows)
    document.verbatim(_CONFIGURATION)


def _hardware(machines: Mapping[str, list[Measurement]]) -> Iterator[list[Cell | str]]:
    for measurements in machines.values():
        latest, suffix = measurements[0], f" ({sections(measurements)})" if len(machines) > 1 else ""
        machine = latest.raw.environment
        yield [f"CPU{suffix}", latest.word(f"{machine.cores} cores, {machine.cpu}")]
        yield [f"RAM{suffix}", latest.word(f"{machine.memory_gib:g} GiB")]
        yield [f"Disk{suffix}", latest.word(machine.disk)]
        yield [f"OS{suffix}", latest.word(f"{machine.os}, {machine.kernel}")]


def _last(facts: Facts) -> Measurement:
    return max(facts.all(), key=lambda each: each.raw.started)


def _spent(measurements: list[Measurement]) -> Cell:
    return measured(sum(each.raw.scale.seconds for each in measurements) / 3600, "h", [each.path for each in measurements])


def _plan(facts: Facts, section: str) -> Cell:
    seconds = sum(each.raw.scale.planned_seconds for each in facts.all(section))
    return given(seconds / 3600, "h") if seconds else word("as measured")
