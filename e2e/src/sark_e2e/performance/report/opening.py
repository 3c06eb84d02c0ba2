"""The head of the report: what was tested when and where, the summary, the targets."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from .cell import Cell, change, given, times, word
from .document import Document
from .facts import Facts, Measurement, sections
from .verdicts import CACHE_P95_MS, ERROR_PERCENT, OPA_P95_MS, THROUGHPUT, at_rate, below, stability

_PERCENTILES = ("p50", "p95", "p99")


def head(document: Document, facts: Facts) -> None:
    """Add title, dates and environment."""
    every = facts.all()
    first = min(every, key=lambda each: each.raw.started)
    last = max(every, key=lambda each: each.raw.started)
    machines = facts.by_machine()
    release = last.raw.environment.versions["sark-engine"]
    document.verbatim("# Sark Rollout Performance Report")
    document.say(
        "**Release**: sark-rollout at {commit}, engine {engine}  \n"
        "**Date**: {date}  \n**Test Period**: {start} - {end}  \n"
        "**Test Environment**: {machines}; everything on loopback. Scaled: {scaled} of {all} measurements "
        "were shorter than the plan.",
        commit=last.word(_each(machines, _commits)),
        engine=last.word(release),
        date=last.word(last.raw.started[:10]),
        start=first.word(first.raw.started),
        end=last.word(last.raw.started),
        machines=last.word(_each(machines, lambda measurements: measurements[0].machine)),
        scaled=word(str(sum(not each.raw.scale.full for each in every)), last.cell(next(iter(last.raw.numbers)))),
        all=word(str(len(every)), last.cell(next(iter(last.raw.numbers)))),
    )
    document.verbatim(
        "Made by `make report` from the raw files named below each table; how to repeat it, what was shortened and what the "
        "words mean is in [performance.md](performance.md). No figure here is from another project.\n\n---"
    )


def _each(machines: Mapping[str, list[Measurement]], told: Callable[[Sequence[Measurement]], str]) -> str:
    """Return what is to be told of each machine; where there are several, with the sections that were measured on it."""
    if len(machines) == 1:
        return "".join(map(told, machines.values()))
    return "; ".join(f"{told(each)} ({sections(each)})" for each in machines.values())


def _commits(measurements: Sequence[Measurement]) -> str:
    """Return every commit they were made with; a plus says that something beside it was not committed."""
    commits = dict.fromkeys(each.raw.environment.commit for each in measurements)
    return f"commit{'s' if len(commits) > 1 else ''} {', '.join(f'`{commit}`' for commit in commits)}"


def summary(document: Document, facts: Facts) -> None:
    """Add the two tables and the recommendations."""
    document.verbatim("## Executive Summary\n\n### Key Improvements")
    opa, engine = facts.of("benchmarks", "engine-complex", "python"), facts.of("benchmarks", "engine-complex", "rust")
    redis, cache = facts.of("benchmarks", "cache-get", "python"), facts.of("benchmarks", "cache-get", "rust", "sark-bench")
    most = {arm: facts.of("stress", "maximum-throughput", arm) for arm in ("python", "rust")}
    load = {arm: facts.of("load", "target", arm, "open-loop") for arm in ("python", "rust")}
    rows: list[list[Cell | str]] = [["**OPA Engine** (complex policy)", "", "", ""]]
    rows += [_faster(f"- {name} latency", opa.cell(name), engine.cell(name)) for name in _PERCENTILES]
    rows.append(["**Cache** (GET)", "", "", ""])
    rows += [_faster(f"- {name} latency", redis.cell(name), cache.cell(name)) for name in _PERCENTILES]
    before, after = (most[arm].cell("throughput") for arm in ("python", "rust"))
    rows.append(["**Throughput** (whole sidecar)", before, after, word(f"**{change(before, after)}**", before, after)])
    before, after = (load[arm].cell("memory") for arm in ("python", "rust"))
    rows.append(
        ["**Memory Usage** (all processes of the arm)", before, after, word(f"**{change(before, after)}**", before, after)]
    )
    document.table(("Component", "Baseline (Python)", "Rust", "Improvement"), rows)
    _targets(document, facts)
    _recommendations(document, facts)


def _faster(label: str, before: Cell, after: Cell) -> list[Cell | str]:
    ratio = times(before, after)
    return [label, before, after, word(f"**{ratio} faster**", before, after)]


def _targets(document: Document, facts: Facts) -> None:
    engine = facts.of("benchmarks", "engine-complex", "rust").cell("p95")
    cache = facts.of("benchmarks", "cache-get", "rust", "sark-bench").cell("p95")
    target = facts.of("load", "target", "rust", "open-loop")
    most = facts.of("stress", "maximum-throughput", "rust").cell("throughput")
    mark, whole = stability(facts)
    steady = facts.of("memory", "stability", "rust")
    upper, hours = steady.cells("slope-upper", "hours")
    told = word(f"{hours} measured{'' if whole else ' only'}; at most {upper}", upper, hours)
    document.verbatim("### Performance Targets - Status")
    document.table(
        ("Target", "Goal", "Achieved", "Status"),
        [
            ["OPA p95 latency", word(f"<{OPA_P95_MS}"), engine, below(engine, OPA_P95_MS)],
            ["Cache p95 latency", word(f"<{CACHE_P95_MS}"), cache, below(cache, CACHE_P95_MS)],
            ["Throughput", word(f">{THROUGHPUT}"), most, at_rate(most, THROUGHPUT)],
            ["Memory stability", word("24h no leaks"), told, mark],
            [
                "Error rate (at the target load)",
                word(f"<{ERROR_PERCENT}"),
                target.cell("errors"),
                below(target.cell("errors"), ERROR_PERCENT),
            ],
        ],
    )


def _recommendations(document: Document, facts: Facts) -> None:
    target = {arm: facts.of("load", "target", arm, "open-loop") for arm in ("python", "rust")}
    python = facts.of("stress", "maximum-throughput", "python").cell("held-rate")
    rust = facts.of("stress", "maximum-throughput", "rust").cell("held-rate")
    steady = facts.of("memory", "stability", "rust")
    document.verbatim("### Recommendations\n\n**For Production Rollout**:")
    document.points(
        (
            "Roll out in the report's steps with a `SarkRollout`: at the target load the p95 is {rust} on the new arm and {python} on the old one, "
            "so twice the baseline's p95 is a limit with room.",
            {"rust": target["rust"].cell("p95"), "python": target["python"].cell("p95")},
        ),
        (
            "Size the fleet by the old arm until the way back is closed: one sidecar here holds {python} there and {rust} on the new arm, "
            "and a revert sends everything back at once.",
            {"python": python, "rust": rust},
        ),
        (
            "Let `watchAfter` run: {hours} of memory were measured, with a slope between {low} and {high}; a leak slower than that shows only in production.",
            {"hours": steady.cell("hours"), "low": steady.cell("slope-lower"), "high": steady.cell("slope-upper")},
        ),
    )
    document.verbatim("**Monitoring Alerts** (shipped, see [alerts.md](alerts.md)):")
    document.points(
        (
            "Set p95 latency alert at {critical} (one and a half times the target) for evaluations, and at {cache} for look-ups",
            {"critical": given(7.5, "ms"), "cache": given(0.75, "ms")},
        ),
        (
            "Set throughput alert at {half} (half the target) or {floor}, whichever your fleet's usual load is above: see S5 in [performance.md](performance.md)",
            {"half": given(1000, "1/s"), "floor": given(1500, "1/s")},
        ),
        ("Monitor memory growth rate: more than {rate} for two hours is critical", {"rate": given(2, "MB/h")}),
    )
