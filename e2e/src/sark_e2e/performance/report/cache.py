"""The cache: Redis as the Python arm asks it, beside the engine's cache."""

from __future__ import annotations

from .cell import Cell, times
from .document import Document
from .facts import Facts, Measurement

_OPERATIONS = {
    "get": ("GET (hit)", ("p50", "p95", "p99")),
    "set": ("SET", ("p50", "p95", "p99")),
    "delete": ("DELETE", ("p50", "p95")),
}
_SIZES = {"100": "100 entries", "10000": "10K entries", "1000000": "1M entries"}
_AT_ONCE = {"reads-10": "10 concurrent reads", "reads-100": "100 concurrent reads", "mixed": "Mixed (reads/writes)"}


def section(document: Document, facts: Facts) -> None:
    """Add the whole section."""
    document.verbatim("---\n\n## Cache Performance\n\n### Microbenchmark Results\n\n#### Cache Operations")
    rows: list[list[Cell | str]] = []
    for operation, (title, names) in _OPERATIONS.items():
        redis, rust, dashmap = (_of(facts, f"cache-{operation}", arm) for arm in ("python", "rust", "dashmap"))
        rows.append([f"**{title}**", "", "", "", ""])
        rows += [
            [f"- {name}", redis.cell(name), rust.cell(name), dashmap.cell(name), times(redis.cell(name), rust.cell(name))]
            for name in names
        ]
    document.table(
        ("Operation", "Redis (Python)", "Cache of the engine (Rust)", "DashMap (Rust, unbounded)", "Improvement"), rows
    )
    python, call, rust, dashmap = (
        _of(facts, "cache-get", "python"),
        _of(facts, "cache-get", "rust-from-python"),
        _of(facts, "cache-get", "rust"),
        _of(facts, "cache-get", "dashmap"),
    )
    document.analysis(
        (
            "Redis answers in {redis}: a request is written, sent and scheduled, and the event loop runs once. A look-up in the engine's cache is {rust}; "
            "called from Python, the call, the hashing of the input and the answer's bytes included, {call}.",
            {"redis": python.cell("p50"), "rust": rust.cell("p50"), "call": call.cell("p50")},
        ),
        (
            "The origin names DashMap. It is in the table for comparison and serves nothing here: it has no bound and nothing in it expires. Its p50 is {dashmap}.",
            {"dashmap": dashmap.cell("p50")},
        ),
        ("Redis serves all replicas; this cache serves one process, so that a fleet misses once for each replica.", {}),
    )
    _sizes(document, facts)
    _at_once(document, facts)
    document.verbatim("### Key Findings\n\n✅ **Successes**:")
    document.points(
        ("GET at the p95 takes {rust} instead of {redis}.", {"rust": rust.cell("p95"), "redis": python.cell("p95")}),
        ("A million entries take {memory}.", {"memory": _of(facts, "cache-size-1000000", "rust").cell("memory")}),
    )
    document.verbatim("⚠️ **Areas for Improvement**:")
    small, large = (_of(facts, f"cache-size-{size}", "rust").cell("p95") for size in ("100", "1000000"))
    document.points(
        (
            "From a hundred to a million entries the p95 grows from {small} to {large}: the entries no longer fit into the processor's caches.",
            {"small": small, "large": large},
        )
    )


def _sizes(document: Document, facts: Facts) -> None:
    document.verbatim("#### Cache Scaling")
    rows: list[list[Cell | str]] = []
    for size, title in _SIZES.items():
        redis, rust = (_of(facts, f"cache-size-{size}", arm) for arm in ("python", "rust"))
        rows.append(
            [
                title,
                redis.cell("p95"),
                rust.cell("p95"),
                times(redis.cell("p95"), rust.cell("p95")),
                redis.cell("memory"),
                rust.cell("memory"),
            ]
        )
    document.table(("Cache Size", "Redis p95", "Rust p95", "Improvement", "Redis memory", "Rust memory"), rows)
    full, moka, quick = (_of(facts, "cache-full", arm).cell("p99") for arm in ("rust", "moka", "quick-cache"))
    large = _of(facts, "cache-size-1000000", "rust").cell("memory")
    in_redis = _of(facts, "cache-size-1000000", "python").cell("memory")
    document.analysis(
        ("Redis' time is the way to it, whatever its size; the engine's cache gets slower with size, and stays below.", {}),
        ("A million entries take {large} here and {redis} in Redis (its own figure).", {"large": large, "redis": in_redis}),
        (
            "A full cache pushes an entry out with each insertion: the p99 of that is {full}, of moka {moka}, of quick_cache {quick}.",
            {"full": full, "moka": moka, "quick": quick},
        ),
    )


def _at_once(document: Document, facts: Facts) -> None:
    document.verbatim("#### Concurrent Operations")
    rows: list[list[Cell | str]] = []
    for name, title in _AT_ONCE.items():
        redis, rust = (_of(facts, f"cache-at-once-{name}", arm) for arm in ("python", "rust"))
        rows.append([title, redis.cell("p95"), rust.cell("p95"), times(redis.cell("p95"), rust.cell("p95"))])
    document.table(("Workload", "Redis p95", "Rust p95", "Improvement"), rows)
    ten, hundred = (_of(facts, f"cache-at-once-reads-{count}", "rust") for count in ("10", "100"))
    cores = ten.raw.environment.cores
    document.analysis(
        (
            "From ten to a hundred readers the cache's p95 goes from {ten} to {hundred}: each lock covers one of many shards and is held for nanoseconds.",
            {"ten": ten.cell("p95"), "hundred": hundred.cell("p95")},
        ),
        (
            "Mixed is a full cache asked for twice as many keys as it has room for: half of the look-ups miss and are followed by an insertion that pushes another entry out. Redis' mix is six readers and four writers.",
            {},
        ),
        ("The machine has {cores} cores; how it scales beyond them was not measured here.", {"cores": ten.word(str(cores))}),
    )


def _of(facts: Facts, what: str, arm: str) -> Measurement:
    return facts.of("benchmarks", what, arm)
