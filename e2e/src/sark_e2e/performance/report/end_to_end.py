"""A whole authorization through a sidecar, and what the caller adds."""

from __future__ import annotations

from .cell import Cell, times
from .document import Document
from .facts import Facts

_SCENARIOS = {"hit": "Cache Hit", "miss": "Cache Miss"}
_NAMES = ("p50", "p95", "p99")
_CALLERS = {
    "raw": "raw socket",
    "aiohttp": "aiohttp",
    "httpx": "httpx",
    "sark-client": "`sark_client.Client`",
    "in-process": "`DecisionPoint.decide`, in process",
}


def section(document: Document, facts: Facts) -> None:
    """Add the whole section."""
    document.verbatim(
        "---\n\n## End-to-End Performance\n\n### Authorization Request Latency\n\nFull authorization request (OPA evaluation + cache), one at a time, by a raw socket:"
    )
    rows: list[list[Cell | str]] = []
    measured = {}
    for kind, title in _SCENARIOS.items():
        python, rust = (facts.of("benchmarks", f"end-to-end-{kind}", arm) for arm in ("python", "rust"))
        measured[kind] = (python, rust)
        rows.append([f"**{title}**", "", "", ""])
        rows += [
            [f"- {name}", python.cell(name), rust.cell(name), times(python.cell(name), rust.cell(name))] for name in _NAMES
        ]
    document.table(("Scenario", "Baseline (Python)", "Rust", "Improvement"), rows)
    hit, miss = measured["hit"], measured["miss"]
    document.analysis(
        (
            "The whole way through the sidecar, flags, assignment and metrics included, takes {rust} instead of {python} for a hit, and {rust_miss} instead of {python_miss} for a miss.",
            {
                "rust": hit[1].cell("p50"),
                "python": hit[0].cell("p50"),
                "rust_miss": miss[1].cell("p50"),
                "python_miss": miss[0].cell("p50"),
            },
        ),
        (
            "A miss costs {python} of a hit in the Python arm and {rust} in the Rust arm: there the cache hardly decides the latency any more.",
            {"python": times(miss[0].cell("p50"), hit[0].cell("p50")), "rust": times(miss[1].cell("p50"), hit[1].cell("p50"))},
        ),
        ("At the p99 it is {ratio} for hits.", {"ratio": times(hit[0].cell("p99"), hit[1].cell("p99"))}),
    )
    document.verbatim(
        "### The Caller's Own Part\n\nThe same cached question to the same sidecar's Rust arm, by the ways a Python application has:"
    )
    callers = {caller: facts.of("benchmarks", "caller", caller) for caller in _CALLERS}
    document.table(
        ("Caller", "p50", "p95", "p99", "Ops/sec"),
        [[title, *callers[caller].cells(*_NAMES, "ops")] for caller, title in _CALLERS.items()],
    )
    document.analysis(
        (
            "The raw socket shows the server: {raw}. What is above it is the caller's: aiohttp {aiohttp}, httpx {httpx}.",
            {
                "raw": callers["raw"].cell("p50"),
                "aiohttp": callers["aiohttp"].cell("p50"),
                "httpx": callers["httpx"].cell("p50"),
            },
        ),
        ("Inside the application a decision takes {point}.", {"point": callers["in-process"].cell("p50")}),
    )
