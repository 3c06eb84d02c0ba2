"""The load scenarios."""

from __future__ import annotations

from sark_e2e.performance.scenarios import SCENARIOS, Scenario

from .cell import Cell, change, given, times, word
from .document import Document
from .facts import Facts, Measurement
from .verdicts import CPU_PERCENT, ERROR_PERCENT, OPA_P95_MS, THROUGHPUT, at_rate, below

_TIMES = {"p50": "p50 latency", "p95": "p95 latency", "p99": "p99 latency"}
_OTHERS = {
    "spike": "Spike",
    "soak": "Soak",
    "cache-hit": "Cache hits only",
    "cache-miss": "Cache misses only",
    "complex": "Complex policy, misses only",
}
_BUSY_PERCENT = 85.0


def section(document: Document, facts: Facts) -> None:
    """Add the whole section."""
    document.verbatim("---\n\n## Load Testing Results")
    document.say(
        "Each user asks twice a second by the clock. CPU is the processor time of the arm's servers in percent of *one* core: the sidecar alone for Rust; "
        "sidecar, OPA and Redis for Python. The generator shares {cores} cores with the arm: it sleeps until shortly before a question is due, and took {generator} of one core at the target of the Rust arm.",
        generator=_of(facts, "target", "rust").cell("generator-cpu"),
        cores=_of(facts, "target", "rust").word(str(_of(facts, "target", "rust").raw.environment.cores)),
    )
    _baseline(document, facts)
    _target(document, facts)
    _stress(document, facts)
    _others(document, facts)
    _locust(document, facts)


def _plan(document: Document, facts: Facts, scenario: Scenario) -> None:
    measured = _of(facts, scenario.name, "rust")
    document.say(
        "**Configuration**:\n\n- Users: {users}\n- Spawn rate: {spawn}\n- Duration: {minutes} minutes; measured: {seconds}",
        users=given(scenario.users),
        spawn=given(scenario.spawn_rate, "1/s"),
        minutes=given(scenario.minutes),
        seconds=measured.word(f"{measured.raw.scale.seconds:.0f} s"),
    )
    document.verbatim("**Results**:")


def _baseline(document: Document, facts: Facts) -> None:
    document.verbatim("### Baseline Test (100 req/s)")
    _plan(document, facts, SCENARIOS["baseline"])
    python, rust = _both(facts, "baseline")
    rows: list[list[Cell | str]] = [
        [
            "Throughput",
            python.cell("throughput"),
            rust.cell("throughput"),
            change(python.cell("throughput"), rust.cell("throughput")),
        ]
    ]
    rows += [
        [title, python.cell(name), rust.cell(name), times(python.cell(name), rust.cell(name))] for name, title in _TIMES.items()
    ]
    rows.append(["Error rate", python.cell("errors"), rust.cell("errors"), "-"])
    rows += [
        [title, python.cell(name), rust.cell(name), change(python.cell(name), rust.cell(name))]
        for name, title in (("cpu", "CPU usage"), ("memory", "Memory usage"))
    ]
    document.table(("Metric", "Python Baseline", "Rust", "Improvement"), rows)
    document.analysis(
        (
            "At {rate} neither arm is busy: what shows is the latency of a sidecar at rest, {python} and {rust} at the p95.",
            {"rate": given(SCENARIOS["baseline"].rate, "1/s"), "python": python.cell("p95"), "rust": rust.cell("p95")},
        ),
        (
            "Of the Python arm's {all} of memory the sidecar has {sidecar}, OPA {opa} and Redis {redis}; OPA and Redis may be shared by several sidecars, the Rust arm needs neither.",
            {
                "all": python.cell("memory"),
                "sidecar": python.cell("memory-sidecar"),
                "opa": python.cell("memory-opa"),
                "redis": python.cell("memory-redis"),
            },
        ),
    )


def _target(document: Document, facts: Facts) -> None:
    document.verbatim("### Target Test (2,000 req/s)")
    _plan(document, facts, SCENARIOS["target"])
    python, rust = _both(facts, "target")

    def row(title: str, name: str, limit: Cell | None) -> list[Cell | str]:
        cell = rust.cell(name)
        shown = word(f"{cell} (<{limit} target)", cell) if limit else cell
        better = below(cell, limit) if limit else below(cell, python.cell(name))
        return [title, python.cell(name), shown, better]

    rows: list[list[Cell | str]] = [
        ["Throughput", python.cell("throughput"), rust.cell("throughput"), at_rate(rust.cell("throughput"), THROUGHPUT)]
    ]
    rows.append(row("p50 latency", "p50", None))
    rows.append(row("p95 latency", "p95", OPA_P95_MS))
    rows.append(row("p99 latency", "p99", None))
    rows.append(row("p95 at the sidecar (Prometheus)", "server-p95", OPA_P95_MS))
    rows.append(row("Error rate", "errors", ERROR_PERCENT))
    rows.append(row("CPU usage", "cpu", CPU_PERCENT))
    document.table(("Metric", "Python Baseline", "Rust", "Status"), rows)
    most = facts.of("stress", "maximum-throughput", "rust")
    held = most.cell("held-rate")
    document.analysis(
        (
            "The p95 of the Rust arm is {rust}, of the Python arm {python}: {ratio}. Where no limit is given the status compares with the Python arm.",
            {"rust": rust.cell("p95"), "python": python.cell("p95"), "ratio": times(python.cell("p95"), rust.cell("p95"))},
        ),
        (
            "At the sidecar itself it is {rust} and {python}: {ratio}. The rest is what callers wait for on either side of the socket, in both arms; its parts were not measured.",
            {
                "rust": rust.cell("server-p95"),
                "python": python.cell("server-p95"),
                "ratio": times(python.cell("server-p95"), rust.cell("server-p95")),
            },
        ),
        (
            "At this load the Python arm answered {answered} and had no decision for {errors} of the questions, with {cpu} of a core in use: "
            "what it cannot serve it turns away with a status of its own, and no answer is an allow that should not be one.",
            {"answered": python.cell("throughput"), "errors": python.cell("errors"), "cpu": python.cell("cpu")},
        ),
        (
            "Headroom: the Rust arm used {cpu} of a core here and held {held} in the stress test, {ratio} of the target.",
            {"cpu": rust.cell("cpu"), "held": held, "ratio": times(held, THROUGHPUT)},
        ),
    )


def _stress(document: Document, facts: Facts) -> None:
    document.verbatim("### Stress Test (5,000 req/s)")
    _plan(document, facts, SCENARIOS["stress"])
    python, rust = _both(facts, "stress")
    document.table(
        ("Metric", "Python", "Rust", "Notes"),
        [
            [
                "Max throughput achieved",
                python.cell("throughput"),
                rust.cell("throughput"),
                "asked by the clock; more was not asked",
            ],
            ["p95 latency at max", python.cell("p95"), rust.cell("p95"), "from when a question was due"],
            ["Error rate at max", python.cell("errors"), rust.cell("errors"), "refused, or unanswered when the load gave up"],
            ["CPU", python.cell("cpu"), rust.cell("cpu"), "of one core"],
            ["Bottleneck identified", _bottleneck(python), _bottleneck(rust), "by processor time and errors"],
        ],
    )
    document.analysis(
        (
            "The Rust arm was asked {rate} and answered {answered}; its breaking point is above and in the stress tests.",
            {"rate": given(SCENARIOS["stress"].rate, "1/s"), "answered": rust.cell("throughput")},
        ),
        (
            "The Python arm refused {refused} questions and left {unanswered} unanswered within five seconds. Those count as errors and with the time they had waited.",
            {"refused": python.cell("refused"), "unanswered": python.cell("unanswered")},
        ),
        (
            "Degradation is by refusal: a bounded queue, then a clear status. Every answer that came was the policy's; wrong decisions: {wrong}.",
            {"wrong": word(f"{python.cell('wrong')} and {rust.cell('wrong')}", python.cell("wrong"), rust.cell("wrong"))},
        ),
    )


def _bottleneck(measured: Measurement) -> Cell:
    """Name what was used up: the processor when it was, else nothing."""
    cpu, errors, rate, got, generator = measured.cells("cpu", "errors", "rate", "throughput", "generator-cpu")
    if errors.value < 1 and got.value >= 0.99 * rate.value:
        return word("none at this load", cpu, errors, got)
    cores = measured.raw.environment.cores
    left = max(cores - generator.value / 100, 1)
    return word("CPU" if cpu.value >= _BUSY_PERCENT * left else "waiting between processes", cpu, errors, got, generator)


def _others(document: Document, facts: Facts) -> None:
    document.verbatim("### Further Scenarios")
    rows: list[list[Cell | str]] = []
    for name, title in _OTHERS.items():
        scenario = SCENARIOS[name]
        for arm in ("python", "rust"):
            measured = _of(facts, name, arm)
            plan = f"{title}: {scenario.rate:,.0f}/s, {scenario.users:,} users, {scenario.minutes:g} min ({arm})"
            rows.append(
                [
                    plan,
                    measured.word(f"{measured.raw.scale.seconds:.0f} s"),
                    *measured.cells("throughput", "p50", "p95", "p99", "errors", "cpu"),
                ]
            )
    document.table(("Scenario", "Measured", "Throughput", "p50", "p95", "p99", "Errors", "CPU"), rows)


def _locust(document: Document, facts: Facts) -> None:
    document.verbatim("### The Same Three by Locust")
    rows: list[list[Cell | str]] = []
    for name in ("baseline", "target", "stress"):
        for arm in ("python", "rust"):
            measured = _of(facts, name, arm, "locust")
            rows.append(
                [
                    f"{name} ({arm})",
                    *measured.cells("rate", "throughput", "p50", "p95", "errors", "generator-cpu", "server-p95", "cpu"),
                ]
            )
    document.table(
        (
            "Scenario",
            "Asked for",
            "Locust got",
            "p50 (Locust)",
            "p95 (Locust)",
            "Errors",
            "Locust's CPU",
            "p95 (at the sidecar)",
            "Servers' CPU",
        ),
        rows,
    )
    target, own = _of(facts, "target", "rust", "locust"), _of(facts, "target", "rust")
    document.analysis(
        (
            "At the target Locust used {cpu} of a core and got {got}, with a p95 of {p95} of its own; the sidecar saw {server} and the open loop {own}. "
            "What lies between is Locust's waiting in line for itself, so that its latencies are its own on a machine as small as this.",
            {
                "cpu": target.cell("generator-cpu"),
                "got": target.cell("throughput"),
                "p95": target.cell("p95"),
                "server": target.cell("server-p95"),
                "own": own.cell("p95"),
            },
        ),
        (
            "Locust waits for an answer before a user asks again, so it cannot show what a stall does to those who come meanwhile. The figures above are from the open loop.",
            {},
        ),
    )


def _both(facts: Facts, name: str) -> tuple[Measurement, Measurement]:
    return _of(facts, name, "python"), _of(facts, name, "rust")


def _of(facts: Facts, name: str, arm: str, tool: str = "open-loop") -> Measurement:
    return facts.of("load", name, arm, tool)
