"""Bottlenecks from the profiles, and what follows."""

from __future__ import annotations

from .cell import Cell, given, measured, word
from .document import Document
from .facts import Facts, Measurement

_SHOWN = 6
_WORK = "part: "
_PROCESS = "process: "


def bottlenecks(document: Document, facts: Facts) -> None:
    """Add the section: each bottleneck is the largest part of a profile."""
    document.verbatim(
        "---\n\n## Bottleneck Analysis\n\nOf the Python arm: py-spy's samples of the sidecar under load in which a thread ran, by part of the program. Of the Rust arm: the processor time of its threads by the kernel's clock, because they have no Python stack to sample:"
    )
    profiles = {arm: facts.of("stress", "profile", arm) for arm in ("python", "rust")}
    for arm, profile in profiles.items():
        rows: list[list[Cell | str]] = [
            [cell_name.removeprefix(_WORK), cell] for cell_name, cell in _largest(profile, _WORK)[:_SHOWN]
        ]
        document.verbatim(f"**{arm.capitalize()} arm**")
        document.table(("Part of the sidecar", "Share"), rows)
    document.verbatim("### Current Bottlenecks")
    _of_python(document, profiles["python"])
    _of_rust(document, facts, profiles["rust"])
    document.verbatim("### Optimization Opportunities")
    _opportunities(document, facts, profiles["rust"])


def _largest(profile: Measurement, prefix: str) -> list[tuple[str, Cell]]:
    names = [name for name in profile.raw.numbers if name.startswith(prefix)]
    found = [(name, profile.cell(name)) for name in names]
    return sorted(found, key=lambda each: -each[1].value)


def _of_python(document: Document, profile: Measurement) -> None:
    name, share = _largest(profile, _WORK)[0]
    processes = _largest(profile, _PROCESS)
    document.say(
        "**First: {part} in the Python arm's sidecar**\n"
        "   - **Component**: sidecar, baseline arm\n"
        "   - **Impact**: {share} of its own samples. Of the arm's processor time {first} is {first_share}, {second} {second_share} and {third} {third_share}\n"
        "   - **Recommendation**: move the traffic to the Rust arm; the Python arm's cost is spread over three processes and the hand-over between them, and no single part of it would bring the target",
        part=profile.word(name.removeprefix(_WORK)),
        share=share,
        **{
            key: value
            for place, (process, part) in zip(("first", "second", "third"), processes, strict=False)
            for key, value in ((place, profile.word(process.removeprefix(_PROCESS))), (f"{place}_share", part))
        },
    )


def _of_rust(document: Document, facts: Facts, profile: Measurement) -> None:
    (name, share), (second, second_share) = _largest(profile, _WORK)[:2]
    wire = facts.of("benchmarks", "engine-simple", "rust-sidecar").cell("p50")
    alone = facts.of("benchmarks", "engine-simple", "rust").cell("p50")
    document.say(
        "**Second: {part} in the Rust arm's sidecar**\n"
        "   - **Component**: data plane\n"
        "   - **Impact**: {share} of its processor time, before {second} with {second_share}; an evaluation of {alone} takes {wire} by a socket\n"
        "   - **Recommendation**: keep connections alive and let one connection carry many questions, use the Unix-domain socket, or decide in process",
        part=profile.word(name.removeprefix(_WORK)),
        share=share,
        second=profile.word(second.removeprefix(_WORK)),
        second_share=second_share,
        wire=wire,
        alone=alone,
    )


def _opportunities(document: Document, facts: Facts, profile: Measurement) -> None:
    raw, point = (facts.of("benchmarks", "caller", caller).cell("p50") for caller in ("raw", "in-process"))
    saved = measured(100 * (1 - point.value / raw.value), "%", raw.sources | point.sources)
    aiohttp, own = (facts.of("benchmarks", "caller", caller).cell("p50") for caller in ("aiohttp", "sark-client"))
    client = measured(100 * (1 - own.value / aiohttp.value), "%", aiohttp.sources | own.sources)
    largest = _largest(profile, _WORK)[0]
    document.say(
        "**Decide inside the application (`DecisionPoint`)**\n   - **Potential gain**: {gain} of a cached decision's latency ({raw} to {point})\n   - **Effort**: Medium (Python applications only)\n   - **Priority**: High",
        gain=saved,
        raw=raw,
        point=point,
    )
    document.say(
        "**Ask with `sark_client` instead of aiohttp**\n   - **Potential gain**: {gain} of a caller's time for a decision ({aiohttp} to {own})\n   - **Effort**: Low\n   - **Priority**: Medium",
        gain=client,
        aiohttp=aiohttp,
        own=own,
    )
    document.say(
        "**{part} of the data plane**\n   - **Potential gain**: at most {gain} of the sidecar's processor time, if it cost nothing\n   - **Effort**: High\n   - **Priority**: Low: the target load takes {cpu} of a core",
        part=profile.word(largest[0].removeprefix(_WORK).capitalize()),
        gain=largest[1],
        cpu=facts.of("load", "target", "rust", "open-loop").cell("cpu"),
    )


_PHASES = """---

## Recommendations

### Production Rollout Strategy

All of it is one object, `spec.schedule: Seed`; the operator keeps the watch, proves every stage and goes back by itself
([rollout.md](rollout.md)).

#### Phase 1: Canary Deployment (Weeks 1-2)

1. **Enable Rust for 5% of traffic**
   ```yaml
   feature_flags:
     rust_opa_enabled: true
     rust_cache_enabled: true
     rollout_percentage: 5
   ```

2. **Monitor key metrics**:
   - OPA p95 latency <5ms
   - Cache p95 latency <0.5ms
   - Error rate <0.1%
   - No memory leaks

3. **Rollback criteria**:
   - Error rate >1%
   - p95 latency >2x baseline
   - Memory leak detected

#### Phase 2: Gradual Rollout (Weeks 3-6)

- Week 3: 10% traffic
- Week 4: 25% traffic
- Week 5: 50% traffic
- Week 6: 100% traffic

**At each stage**:

- Monitor for 48 hours
- Validate metrics
- Proceed if stable

#### Phase 3: Full Production (Week 7+)

- 100% Rust implementation
- Keep the Python arm until `watchAfter` has ended: it is the way back (S10 in [performance.md](performance.md))
- Update monitoring baselines

### Monitoring and Alerts

Shipped in `manifests/alerts`, each with a test that fires and one that does not.

#### Critical Alerts

| Metric | Threshold | Action |
|--------|-----------|--------|
| OPA p95 latency | >7.5ms (1.5x target) | Page on-call (`SarkOpaP95Critical`) |
| Cache p95 latency | >0.75ms (1.5x target) | Page on-call (`SarkCacheP95Critical`) |
| Error rate | >1% | Page on-call (`SarkErrorRateCritical`) |
| Memory growth rate | >2 MB/hr | Investigate (`SarkMemoryGrowth`) |
| CPU usage | >90% | Scale up (`SarkCpuCritical`) |

#### Warning Alerts

| Metric | Threshold | Action |
|--------|-----------|--------|
| OPA p95 latency | >5ms | Alert team (`SarkOpaP95High`) |
| Cache p95 latency | >0.5ms | Alert team (`SarkCacheP95High`) |
| Error rate | >0.5% | Alert team (`SarkErrorRateHigh`) |
| Throughput | <1,500 req/s | Alert team (`SarkThroughputLow`) |

### Performance Tuning"""


def recommendations(document: Document, facts: Facts) -> None:
    """Add the rollout's phases, the alerts, and what the figures say about tuning."""
    document.verbatim(_PHASES)
    large = facts.of("stress", "large-policy-many-packages", "rust")
    hit, miss = (facts.of("benchmarks", f"end-to-end-{kind}", "rust").cell("p50") for kind in ("hit", "miss"))
    million, usual = (facts.of("benchmarks", f"cache-size-{size}", "rust") for size in ("1000000", "10000"))
    rust = facts.of("load", "target", "rust", "open-loop")
    connections = facts.of("stress", "connections", "rust")
    few, many = (facts.of("benchmarks", f"engine-at-once-{count}", "rust") for count in ("10", "1000"))
    document.say("**OPA Engine**:")
    document.points(
        (
            "Policies of ten megabytes load in {time} and take {memory}: raise `policies.max_memory_bytes` only beyond that, and give the pod twice as much for a change of policies.",
            {"time": large.cell("compile"), "memory": large.cell("memory")},
        ),
        (
            "One serving thread is enough for {cpu} at the target; raise `limits.workers` when a sidecar comes near a whole core.",
            {"cpu": rust.cell("cpu")},
        ),
    )
    document.say("**Cache Layer**:")
    document.points(
        (
            "A hit takes {hit} and a miss {miss} through the sidecar, so a short `cache.ttl` costs little: choose it by how stale a decision may be.",
            {"hit": hit, "miss": miss},
        ),
        (
            "`cache.max_size` of a million takes {million} instead of {usual} for the default's ten thousand; ask for it only where the share of hits shows the need.",
            {"million": million.cell("memory"), "usual": usual.cell("memory")},
        ),
    )
    document.say("**System Resources**:")
    document.points(
        (
            "Memory: {memory} for the whole Rust arm at the target load; set the limit to about twice that.",
            {"memory": rust.cell("memory")},
        ),
        (
            "Connections: beyond `limits.max_connections` callers are refused ({refused} of {opened} here); give it a margin above your pools. "
            "In process, more threads than cores gain nothing: {few} with ten, {many} with a thousand.",
            {
                "refused": connections.cell("refused"),
                "opened": connections.cell("opened"),
                "few": few.cell("ops"),
                "many": many.cell("ops"),
            },
        ),
    )
    document.say(
        "The limits of alerts: {one} and {two} come from the template and were not changed by what was measured.",
        one=given(7.5, "ms"),
        two=word("SarkThroughputLow"),
    )
