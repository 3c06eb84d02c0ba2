"""What is allowed and will not do what was meant: warnings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta

from sark_api.duration import format_duration
from sark_api.names import LABEL_ROLLOUT
from sark_api.spec import Action, SarkRolloutSpec
from sark_cli.forecast.samples import STORED, needs, needs_of_earlier
from sark_operator.core.judgement import judge
from sark_operator.core.observation import Metrics, Missing

from .finding import Finding, Level, Path

_SCRAPE = timedelta(seconds=15)
"""Prometheus' usual scrape interval; four of them must fit into a window."""

_ARMS = {"both": "both arms", "compared": "those compared in the shadow"}
_MATCHER = re.compile(rf"""(?<![\w:])["']?{LABEL_ROLLOUT}["']?\s*(=~?)\s*(["'`])(.*?)\2""")
"""A matcher of PromQL that chooses a rollout; one with != or !~ chooses all others."""

NAMESPACE = "NAMESPACE"
"""Stands for the namespace of a rollout whose file does not name it: it is chosen when the file is applied."""

_NOTHING = Metrics(arms=Missing("", ""), memory=Missing("", ""))


def check_sense(spec: SarkRolloutSpec, traffic: float | None, rollout: str) -> Iterator[Finding]:
    """Yield warnings; with `traffic`, the target's requests a second, also about samples that will never be there.

    `rollout` is its namespace/name, with `NAMESPACE` where the file names none.
    """
    yield from _times(spec)
    yield from _actions(spec)
    yield from _custom(spec, rollout)
    yield from _memory(spec)
    yield from _baseline(spec)
    if traffic is not None:
        yield from _samples(spec, traffic)


def _times(spec: SarkRolloutSpec) -> Iterator[Finding]:
    window, interval = spec.criteria.window, spec.interval
    if spec.valid_for < 3 * interval:
        yield _warning(
            ("spec", "validFor"),
            f"validFor ({format_duration(spec.valid_for)}) is shorter than 3 intervals: one missed renewal and sidecars go to "
            f"baseline by themselves; write at least {format_duration(3 * interval)}",
        )
    if window < 4 * _SCRAPE:
        yield _warning(
            ("spec", "criteria", "window"),
            f"the window ({format_duration(window)}) holds fewer than four scrapes at Prometheus' usual 15s: write at "
            "least 1m, unless it scrapes more often",
        )
    if interval > window:
        yield _warning(
            ("spec", "interval"),
            f"requests between two evaluations are never judged: the interval ({format_duration(interval)}) is longer than "
            f"criteria.window ({format_duration(window)}); make it shorter",
        )
    blind = spec.rollback.blind_for
    if blind and blind < window:
        yield _warning(
            ("spec", "rollback", "blindFor"),
            f"blindFor ({format_duration(blind)}) is shorter than criteria.window ({format_duration(window)}): the step can "
            "revert before its first window is full; write at least twice the window",
        )
    if not blind:
        yield _warning(
            ("spec", "rollback", "blindFor"),
            "blindFor is off: a fleet whose metrics are gone stays at its share for ever; write 15m",
        )


def _actions(spec: SarkRolloutSpec) -> Iterator[Finding]:
    """Yield a warning for criteria of which none that is judged in any step can stop it."""
    judged = (one for step in spec.plan() if step.percent for one in judge(spec, step.percent, _NOTHING, None))
    if all(one.action == Action.WARN for one in judged):
        yield _warning(
            ("spec", "criteria"),
            "no criterion can hold or revert: whatever is measured, the share is raised to the end; write action: Revert, or "
            "Hold, for at least one of them",
        )


def _custom(spec: SarkRolloutSpec, rollout: str) -> Iterator[Finding]:
    """Yield a warning for each query that names no rollout, so that a copy of the file judges its series, or another one."""
    for index, custom in enumerate(spec.criteria.custom):
        matchers = [(how, value) for how, _, value in _MATCHER.findall(custom.query)]
        others = [value for how, value in matchers if how == "=" and not _is_named(value, rollout)]
        if matchers and not others:
            continue
        wrong = (
            f"names the rollout {others[0]}" if others else "names no rollout, so a copy of this file judges these same series"
        )
        yield _warning(
            ("spec", "criteria", "custom", index, "query"), f'the query {wrong}: write the matcher {LABEL_ROLLOUT}="{rollout}"'
        )


def _is_named(value: str, rollout: str) -> bool:
    """Return whether `value` is the rollout's name, with any namespace where the file names none."""
    namespace, _, name = rollout.partition("/")
    return value == rollout or (namespace == NAMESPACE and value.endswith(f"/{name}"))


def _memory(spec: SarkRolloutSpec) -> Iterator[Finding]:
    memory = spec.criteria.memory_growth
    if memory.action is Action.WARN:
        return
    for index, step in enumerate(spec.steps or []):
        if step.bake < memory.window:
            yield _warning(
                ("spec", "steps", index, "bake"),
                f"the bake ({format_duration(step.bake)}) is shorter than criteria.memoryGrowth.window "
                f"({format_duration(memory.window)}): a leak of this step alone is not seen in it; write at least "
                f"{format_duration(memory.window)}",
            )


def _baseline(spec: SarkRolloutSpec) -> Iterator[Finding]:
    """Yield a warning for a last step whose latencies have nothing to be compared with."""
    last = spec.plan()[-1]
    for need in needs_of_earlier(spec, last.percent):
        if need.action is Action.WARN:
            continue
        yield _warning(
            ("spec", "steps", len(spec.plan()) - 1),
            f"no step before {last.percent}% splits the traffic, so {need.criterion} has no baseline to compare with: it stays "
            f"Unknown, which holds the step; write a step between, say of 50%, or criteria.{need.criterion}.action: Warn",
        )


def _samples(spec: SarkRolloutSpec, traffic: float) -> Iterator[Finding]:
    """Yield a warning for the first step at which a criterion stays Unknown for lack of requests."""
    told: set[str] = set()
    for index, step in enumerate(spec.plan()):
        for need in needs(spec, step.percent, traffic):
            if need.met or need.arm == STORED or need.criterion in told or need.action == Action.WARN:
                continue
            told.add(need.criterion)
            arm = _ARMS.get(need.arm, f"the {need.arm} arm")
            path: Path = ("spec", "steps", index) if spec.steps else ("spec", "schedule")
            yield _warning(
                path,
                f"at {step.percent}% of {traffic:g} requests/s {need.criterion} gets about {need.got:,.0f} requests of "
                f"{arm} in {format_duration(spec.criteria.window)} and needs {need.needed:,}: it stays Unknown, which "
                f"holds the step{_and_reverts(spec, need.action, step.percent)}; write a longer "
                "criteria.window, or a larger share",
            )


def _and_reverts(spec: SarkRolloutSpec, action: Action, percent: int) -> str:
    blind = spec.rollback.blind_for
    reverts = action is Action.REVERT and blind and 0 < percent < 100  # noqa: PLR2004 - never at the full share
    return f" and reverts it after {format_duration(blind)}" if reverts else ""


def _warning(path: Path, message: str) -> Finding:
    return Finding(Level.WARNING, path, message)
