"""Breaking points and recoveries."""

from __future__ import annotations

from .cell import Cell, status, word
from .document import Document
from .facts import Facts, Measurement

_FAILURES = {"opa": "OPA server failure", "redis": "Redis cache failure", "network": "Network interruption (to OPA and Redis)"}
_SECONDS = 5.0
"""The origin's suite allows five seconds; the report's template gives no number."""


def section(document: Document, facts: Facts) -> None:
    """Add the whole section."""
    document.verbatim("---\n\n## Stress Testing Results\n\n### Breaking Points")
    most = {arm: facts.of("stress", "maximum-throughput", arm) for arm in ("python", "rust")}
    large = facts.of("stress", "large-policy-one-rule", "rust")
    packages = facts.of("stress", "large-policy-many-packages", "rust")
    opa = facts.of("stress", "large-policy-one-rule", "opa")
    million = facts.of("benchmarks", "cache-size-1000000", "rust", "sark-bench")
    connections = facts.of("stress", "connections", "rust")
    document.table(
        ("Test", "Result", "Analysis"),
        [
            ["Maximum throughput (Rust)", most["rust"].cell("throughput"), _stairs(most["rust"])],
            ["Maximum throughput (Python)", most["python"].cell("throughput"), _stairs(most["python"])],
            ["Large policy (10MB, one rule)", _compiled(large), word(f"OPA: {_compiled(opa)}", *opa.cells("compile", "eval"))],
            [
                "Large policy (10MB, many packages)",
                _compiled(packages),
                word(
                    f"{packages.cell('memory')} of memory, {packages.cell('size')} of Rego", *packages.cells("memory", "size")
                ),
            ],
            [
                "Large cache (1M entries)",
                word(f"{million.cell('memory')} memory, {million.cell('p50')} latency", *million.cells("memory", "p50")),
                word(f"p99 {million.cell('p99')}", million.cell("p99")),
            ],
            [
                "Connection saturation",
                word(f"{connections.cell('answered')} connections", connections.cell("answered")),
                word(
                    f"limit {connections.cell('limit')}; {connections.cell('refused')} beyond it refused, and the sidecar answers again afterwards",
                    *connections.cells("limit", "refused"),
                ),
            ],
        ],
    )
    _failures(document, facts)


def _stairs(measured: Measurement) -> Cell:
    held, p95, last, errors, generator = measured.cells(
        "held-rate", "held-p95", "last-rate", "last-errors", "last-generator-cpu"
    )
    broke = measured.cell("broke").value == 1
    end = f"broke at {last} (errors {errors})" if broke else f"was not broken by {last}, the last rate asked"
    return word(
        f"64 connections without pause. Open loop: held {held} with a p95 of {p95}, {end}", held, p95, last, errors, generator
    )


def _compiled(measured: Measurement) -> Cell:
    cells = measured.cells("compile", "eval")
    return word(f"{cells[0]} compile, {cells[1]} eval", *cells)


def _failures(document: Document, facts: Facts) -> None:
    document.verbatim(
        "### Failure Recovery\n\nWith half of the subjects in each arm and every answer compared; from the repair to the last answer that was not the policy's:"
    )
    rows: list[list[Cell | str]] = []
    seen = {name: facts.of("stress", f"recovery-{name}", "both") for name in _FAILURES}
    for name, title in _FAILURES.items():
        recovered, problems, wrong = seen[name].cells("recovered", "problems", "wrong")
        met = recovered.value < _SECONDS and problems.value == 0 and wrong.value == 0
        rows.append(
            [
                title,
                recovered,
                status(met=met, of=[recovered, problems, wrong]),
                *seen[name].cells("noticed", "right", "shed", "failed", "wrong", "new-arm-lost"),
            ]
        )
    document.table(
        (
            "Test",
            "Recovery Time",
            "Result",
            "Noticed after",
            "Right",
            "Turned away (503)",
            "Failed",
            "Wrong",
            "Rust arm's questions lost",
        ),
        rows,
    )
    document.analysis(
        (
            "A failing OPA is left alone by a circuit breaker and its questions are turned away at once; half-open probes notice the return, {recovered} after it.",
            {"recovered": seen["opa"].cell("recovered")},
        ),
        (
            "Without Redis the Python arm asks OPA each time: {lost} of its questions failed then.",
            {"lost": seen["redis"].cell("failed")},
        ),
        (
            "The failures do not reach the Rust arm: it lost {opa}, {redis} and {network} of its questions.",
            {
                "opa": seen["opa"].cell("new-arm-lost"),
                "redis": seen["redis"].cell("new-arm-lost"),
                "network": seen["network"].cell("new-arm-lost"),
            },
        ),
        ("No failure made a wrong decision: {wrong} in all three.", {"wrong": seen["network"].cell("wrong")}),
    )
