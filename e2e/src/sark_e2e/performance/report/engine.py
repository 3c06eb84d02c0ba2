"""Evaluations: OPA over HTTP beside the engine."""

from __future__ import annotations

from .cell import Cell, times, word
from .document import Document
from .facts import Facts

_COLUMNS = ("p50", "p95", "p99")
_ROWS = {
    "python": "HTTP OPA (Python, aiohttp)",
    "python-httpx": "HTTP OPA (Python, httpx)",
    "python-raw": "HTTP OPA (raw socket)",
    "rust-sidecar": "Engine behind the sidecar (raw socket)",
    "rust": "Regorus-based engine (Rust, in process)",
}
_AT_ONCE = {"10": "10 threads", "100": "100 threads", "1000": "1000 threads"}


def section(document: Document, facts: Facts) -> None:
    """Add the whole section."""
    document.verbatim("---\n\n## OPA Engine Performance\n\n### Microbenchmark Results\n\n#### Simple Policy (RBAC)")
    _policy(document, facts, "simple")
    simple = {arm: facts.of("benchmarks", "engine-simple", arm) for arm in _ROWS}
    document.analysis(
        (
            "Of the {python} that a decision takes with aiohttp, {raw} remain when a raw socket asks the same OPA: the rest is the client's own work.",
            {"python": simple["python"].cell("p50"), "raw": simple["python-raw"].cell("p50")},
        ),
        (
            "The engine evaluates in the caller's process: no request is written, sent, scheduled or parsed. Behind the sidecar, asked by the same raw socket, "
            "it takes {sidecar}, which is what the wire and the HTTP data plane cost.",
            {"sidecar": simple["rust-sidecar"].cell("p50")},
        ),
        (
            "Its tail stays near its middle: the p99 is {ratio} the p50, on a machine that others used at the same time.",
            {"ratio": times(simple["rust"].cell("p99"), simple["rust"].cell("p50"))},
        ),
    )
    document.verbatim("#### Complex Policy (Multi-tenant)")
    _policy(document, facts, "complex")
    hard = {arm: facts.of("benchmarks", "engine-complex", arm) for arm in _ROWS}
    document.analysis(
        (
            "The complex policy (inheritance graph, globs, networks, filtered parameters over tenants' data) takes OPA over a raw socket {opa} the simple one's time, "
            "and the engine {engine}.",
            {
                "opa": times(hard["python-raw"].cell("p50"), simple["python-raw"].cell("p50")),
                "engine": times(hard["rust"].cell("p50"), simple["rust"].cell("p50")),
            },
        ),
        (
            "In absolute time complexity adds {opa} minus {opa0} in OPA and {engine} minus {engine0} in the engine.",
            {
                "opa": hard["python-raw"].cell("p50"),
                "opa0": simple["python-raw"].cell("p50"),
                "engine": hard["rust"].cell("p50"),
                "engine0": simple["rust"].cell("p50"),
            },
        ),
        (
            "Through the same socket the engine behind the sidecar is {ratio} as fast as OPA: the fair comparison of two servers.",
            {"ratio": times(hard["python-raw"].cell("p50"), hard["rust-sidecar"].cell("p50"))},
        ),
    )
    _at_once(document, facts)
    _findings(document, facts)


def _policy(document: Document, facts: Facts, policy: str) -> None:
    measured = {arm: facts.of("benchmarks", f"engine-{policy}", arm) for arm in _ROWS}
    rows: list[list[Cell | str]] = [[title, *measured[arm].cells(*_COLUMNS, "ops")] for arm, title in _ROWS.items()]
    better = [times(measured["python"].cell(name), measured["rust"].cell(name)) for name in _COLUMNS]
    more = times(measured["rust"].cell("ops"), measured["python"].cell("ops"))
    rows.append(["**Improvement** (last over first)", *(word(f"**{each}**", each) for each in (*better, more))])
    document.table(("Implementation", "p50", "p95", "p99", "Ops/sec"), rows)


def _at_once(document: Document, facts: Facts) -> None:
    document.verbatim("#### Concurrent Evaluation")
    rows: list[list[Cell | str]] = []
    pairs = {}
    for count, title in _AT_ONCE.items():
        python = facts.of("benchmarks", f"engine-at-once-{count}", "python")
        rust = facts.of("benchmarks", f"engine-at-once-{count}", "rust")
        pairs[count] = (python, rust)
        rows.append(
            [
                title,
                python.cell("p95"),
                rust.cell("p95"),
                times(python.cell("p95"), rust.cell("p95")),
                python.cell("ops"),
                rust.cell("ops"),
            ]
        )
    document.table(("Concurrency", "Python p95", "Rust p95", "Improvement", "Python ops/sec", "Rust ops/sec"), rows)
    few, many = pairs["10"], pairs["1000"]
    cores = few[1].raw.environment.cores
    document.analysis(
        (
            "Python asks as it does best, with tasks of one event loop; the engine is called by threads. All share {cores} cores, so a latency grows with those who wait in line, "
            "and decisions a second say how well the line moves: from {few} to {many} in Python, from {rust_few} to {rust_many} in the engine.",
            {
                "cores": few[1].word(str(cores)),
                "few": few[0].cell("ops"),
                "many": many[0].cell("ops"),
                "rust_few": few[1].cell("ops"),
                "rust_many": many[1].cell("ops"),
            },
        ),
        (
            "The engine holds no lock during an evaluation and gives the interpreter's lock up; each thread has an evaluator of its own. All answers are compared "
            "before the storm.",
            {},
        ),
        (
            "The longest wait with most threads is {python} in Python and {rust} in the engine: there it is the scheduler and Python's lock that hand out turns.",
            {"python": many[0].cell("max"), "rust": many[1].cell("max")},
        ),
    )


def _findings(document: Document, facts: Facts) -> None:
    def of(what: str, arm: str) -> Cell:
        return facts.of("benchmarks", what, arm).cell("p95")

    document.verbatim("### Key Findings\n\n✅ **Successes**:")
    document.points(
        (
            "The engine's p95 for the complex policy is {p}, against {o} of OPA over HTTP.",
            {"p": of("engine-complex", "rust"), "o": of("engine-complex", "python")},
        ),
        (
            "Behind the whole sidecar it is {p} by a raw socket, a new question each time.",
            {"p": of("engine-complex", "rust-sidecar")},
        ),
        ("The simple policy's p95 in process is {p}.", {"p": of("engine-simple", "rust")}),
    )
    document.verbatim("⚠️ **Areas for Improvement**:")
    wire = facts.of("benchmarks", "engine-simple", "rust-sidecar").cell("p50")
    alone = facts.of("benchmarks", "engine-simple", "rust").cell("p50")
    aiohttp, httpx = (facts.of("benchmarks", "engine-simple", arm).cell("p50") for arm in ("python", "python-httpx"))
    document.points(
        (
            "Of the {wire} behind the sidecar the evaluation is {alone}: the rest is the way there and back. Applications in Python save it with `DecisionPoint`.",
            {"wire": wire, "alone": alone},
        ),
        (
            "The caller's client matters more than the engine: httpx takes {httpx} where aiohttp takes {aiohttp}.",
            {"httpx": httpx, "aiohttp": aiohttp},
        ),
    )
