"""Leaks, the long run, and what both arms take."""

from __future__ import annotations

from .cell import Cell, change, word
from .document import Document
from .facts import Facts
from .verdicts import CACHE_MB, GROWTH_MB, GROWTH_RATE, HOURS, OPA_CLIENT_MB, below, stability

_COMPONENTS = {
    ("opa-client", "python"): ("OPA Client (Python, aiohttp)", OPA_CLIENT_MB),
    ("opa-client", "rust"): ("Engine (Rust)", OPA_CLIENT_MB),
    ("cache", "python"): ("Cache (Redis client)", CACHE_MB),
    ("cache", "rust"): ("Cache (Rust)", CACHE_MB),
}


def section(document: Document, facts: Facts) -> None:
    """Add the whole section."""
    document.verbatim("---\n\n## Memory Profiling Results\n\n### Short-term Leak Detection")
    rows: list[list[Cell | str]] = []
    for (component, arm), (title, limit) in _COMPONENTS.items():
        measured = facts.of("memory", f"leak-{component}", arm)
        growth = measured.cell("growth")
        rows.append(
            [
                title,
                measured.cell("operations"),
                growth,
                word(f"{below(growth, limit)} <{limit}", growth),
                measured.cell("second-half"),
            ]
        )
    document.table(("Component", "Operations", "Memory Growth", "Status", "In the second half"), rows)
    engine, cache = (facts.of("memory", f"leak-{component}", "rust") for component in ("opa-client", "cache"))
    document.analysis(
        (
            "Growth counts from after a tenth as many operations, when pools and caches have filled. What leaks goes on growing: the second half added {engine} in the engine and {cache} in the cache.",
            {"engine": engine.cell("second-half"), "cache": cache.cell("second-half")},
        ),
        ("The cache's operations are mostly new questions, so that entries are pushed out all the time.", {}),
    )
    _long_run(document, facts)
    _beside(document, facts)


def _long_run(document: Document, facts: Facts) -> None:
    document.verbatim("### 24-Hour Stability Test")
    rust, python = (facts.of("memory", "stability", arm) for arm in ("rust", "python"))
    _, whole = stability(facts)
    hours = rust.cell("hours")
    if whole:
        document.say("**Results** of {hours}, a question {rate}:", hours=hours, rate=rust.cell("rate"))
    else:
        document.say(
            "**Results** of a shortened run: {hours} instead of {plan}, at {rate}. A run this short cannot meet the target, so both are marked as missed until "
            "`make report-full` has run; the slope and its interval say what is known.",
            hours=hours,
            plan=HOURS,
            rate=rust.cell("rate"),
        )
    growth, upper = rust.cells("growth", "slope-upper")
    missed = word("❌ not measured for as long as the target says", hours)
    rows: list[list[Cell | str]] = [
        ["Initial memory", rust.cell("initial"), "-", python.cell("initial")],
        ["Final memory", rust.cell("final"), "-", python.cell("final")],
        [
            "Total growth",
            growth,
            word(f"{below(growth, GROWTH_MB)} <{GROWTH_MB}", growth) if whole else missed,
            python.cell("growth"),
        ],
        [
            "Growth rate",
            rust.cell("slope"),
            word(f"{below(upper, GROWTH_RATE)} <{GROWTH_RATE}", upper) if whole else missed,
            python.cell("slope"),
        ],
        [
            "Its interval (99.9%)",
            word(f"{rust.cell('slope-lower')} to {upper}", upper),
            "-",
            word(f"{python.cell('slope-lower')} to {python.cell('slope-upper')}", python.cell("slope-upper")),
        ],
        ["Requests processed", rust.cell("requests"), "-", python.cell("requests")],
        ["Wrong decisions", rust.cell("wrong"), "-", python.cell("wrong")],
    ]
    document.table(("Metric", "Value (Rust arm's sidecar)", "Status", "Python arm's sidecar"), rows)
    document.analysis(
        (
            "The slope is the median of the slopes between all pairs of samples without the first quarter, with an interval that allows for deviations that last: "
            "{low} to {high}. It holds zero: {zero}.",
            {
                "low": rust.cell("slope-lower"),
                "high": upper,
                "zero": word("yes" if rust.cell("slope-lower").value <= 0 <= upper.value else "no", upper),
            },
        ),
        ("In production the same estimate runs as the criterion `memoryGrowth`, over every bake of two days and more.", {}),
    )


def _beside(document: Document, facts: Facts) -> None:
    document.verbatim("### Rust vs Python Memory\n\nAt the end of the target load, resident:")
    python, rust = (facts.of("load", "target", arm, "open-loop") for arm in ("python", "rust"))
    rows: list[list[Cell | str]] = [
        ["Python baseline (sidecar, OPA, Redis)", python.cell("memory"), "-"],
        ["Rust (sidecar)", rust.cell("memory"), _reduction(python.cell("memory"), rust.cell("memory"))],
    ]
    rows += [
        ["Python baseline, the sidecar alone", python.cell("memory-sidecar"), "-"],
        [
            "Rust, the sidecar alone",
            rust.cell("memory-sidecar"),
            _reduction(python.cell("memory-sidecar"), rust.cell("memory-sidecar")),
        ],
    ]
    document.table(("Implementation", "Memory Usage", "Improvement"), rows)


def _reduction(before: Cell, after: Cell) -> Cell:
    return word(f"{change(before, after)}", before, after)
