"""What must be mended before a rollout can advance: bad input, and parts of the world that do not answer.

A problem never reverts anything and never stops a revert. It blocks the start and every advance, and freezes the bake.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from sark_api import reasons
from sark_api.spec import Action, Criteria, SarkRolloutSpec

from .figures import span
from .finding import Finding, found
from .observation import Identity, Metrics, Missing, Observation
from .owners import held_by_others

CLOCKS_MAY_DIFFER: Final = timedelta(seconds=30)
"""How far Prometheus' clock and the operator's may be apart; a little is normal, and only makes evidence late."""

_MOST_NAMED: Final = 3
"""Namespaces named in a sentence."""


def find_problems(
    identity: Identity, spec: SarkRolloutSpec, observation: Observation, *, terminal: bool
) -> tuple[Finding, ...]:
    """Return all problems, the gravest first. A terminal rollout needs neither the target to itself nor metrics."""
    problems: list[Finding] = []
    if observation.rival and not terminal:
        problems.append(found(reasons.TARGET_TAKEN, rival=observation.rival))
    problems += _flags_problem(identity, spec, observation)
    problems += _pods_problem(identity, spec, observation)
    if not terminal:
        missing = blocking_metrics(spec.criteria, observation.metrics) or untrusted(identity, observation)
        problems += [found(reasons.METRICS_UNAVAILABLE, message=missing.message)] if missing else []
    return tuple(problems)


def config_map_missing(observation: Observation) -> bool:
    """Return whether the flags ConfigMap is known not to exist, as opposed to not being readable."""
    flags = observation.flags
    return isinstance(flags, Missing) and flags.reason == reasons.FLAGS_CONFIG_MAP_MISSING.name


def missing_metrics(metrics: Metrics) -> Iterator[Missing]:
    """Yield everything Prometheus did not answer."""
    plane = metrics.data_plane
    parts = (plane.fallbacks, plane.evaluations, plane.lookups, plane.cpu, plane.shadow)
    for part in (metrics.arms, metrics.memory, metrics.sustained_memory, *parts, metrics.alerts, *metrics.custom.values()):
        if isinstance(part, Missing):
            yield part


def blocking_metrics(criteria: Criteria, metrics: Metrics) -> Missing | None:
    """Return the first missing metric that a criterion which can hold or revert rests on.

    The arms' requests are needed whatever the actions: who knows nothing of them has not even seen that the new arm answers.
    """
    if isinstance(metrics.arms, Missing):
        return metrics.arms
    pairs = [
        (criteria.memory_growth.action, metrics.memory),
        (criteria.memory_growth.action, metrics.sustained_memory),
        (criteria.fallback_rate.action, metrics.data_plane.fallbacks),
        (criteria.opa_p95.action, metrics.data_plane.evaluations),
        (criteria.cache_p95.action, metrics.data_plane.lookups),
        (criteria.cpu.action, metrics.data_plane.cpu),
        (criteria.alerts.action, metrics.alerts),
        *((custom.action, metrics.custom.get(custom.name)) for custom in criteria.custom),
    ]
    return next((part for action, part in pairs if action is not Action.WARN and isinstance(part, Missing)), None)


def untrusted(identity: Identity, observation: Observation) -> Missing | None:
    """Return why what Prometheus answers proves nothing good, or None when it may."""
    return clocks_apart(observation.metrics) or partly_seen(identity, observation)


def partly_seen(identity: Identity, observation: Observation) -> Missing | None:
    """Return why what Prometheus answers is not about the fleet, all of it and nothing else, or None when it is."""
    return claimed_elsewhere(identity, observation) or unscraped(identity, observation)


def clocks_apart(metrics: Metrics) -> Missing | None:
    """Return that Prometheus' clock is too far from the operator's, or None when it is not.

    Counting windows are asked for by one and dated by the other: those of a step would be about requests before it, or not
    there yet. What is bad in them is bad all the same.
    """
    ahead = metrics.clock_ahead
    if abs(ahead) <= CLOCKS_MAY_DIFFER:
        return None
    where = "ahead of" if ahead > timedelta(0) else "behind"
    return Missing(
        reasons.METRICS_CLOCK.name,
        f"Prometheus' clock is {span(abs(ahead))} {where} the operator's, and may be {span(CLOCKS_MAY_DIFFER)}: "
        "set both clocks right, as by NTP on their nodes",
    )


def claimed_elsewhere(identity: Identity, observation: Observation) -> Missing | None:
    """Return that targets of other namespaces have series that name the rollout, or None when there are none.

    They are summed up with those of its fleet, whose pods are all in its own namespace: a thousand good requests of another one
    would hide what is bad here. A breach in the sums reverts all the same.
    """
    foreign = observation.metrics.foreign
    if isinstance(foreign, Missing):
        return foreign
    if not foreign:
        return None
    more = f" and {len(foreign) - _MOST_NAMED} more" if len(foreign) > _MOST_NAMED else ""
    named = ", ".join(foreign[:_MOST_NAMED]) + more
    return Missing(
        reasons.METRICS_FOREIGN.name,
        f'Prometheus has series with sark_rollout="{identity.key}" of targets in namespace {named}, '
        f"which would count for the fleet in {identity.namespace}: end what exports them, or do not scrape it",
    )


def unscraped(identity: Identity, observation: Observation) -> Missing | None:
    """Return that Prometheus does not see every ready sidecar that follows the rollout, or None when it does.

    The sums of the others would prove a share of a part of the fleet only. One that does not answer, or follows nothing yet, is
    what convergence waits for.
    """
    scraped, pods = observation.metrics.scraped, observation.pods
    if scraped is None or isinstance(scraped, Missing) or isinstance(pods, Missing):
        return scraped if isinstance(scraped, Missing) else None
    following = sum(not pod.error and pod.rollout == identity.key for pod in pods)
    if scraped >= following:
        return None
    return Missing(
        reasons.METRICS_PARTIAL.name,
        f"Prometheus has fresh samples of {scraped} of {following} ready sidecars: check that it scrapes every one of them",
    )


def _flags_problem(identity: Identity, spec: SarkRolloutSpec, observation: Observation) -> list[Finding]:
    if config_map_missing(observation):
        name = spec.target.flags_config_map
        return [found(reasons.FLAGS_CONFIG_MAP_MISSING, name=name, namespace=identity.namespace)]
    if isinstance(observation.flags, Missing):
        return [found(reasons.FLAGS_UNAVAILABLE, message=observation.flags.message)]
    held = held_by_others(spec, observation)
    return [held] if held else []


def _pods_problem(identity: Identity, spec: SarkRolloutSpec, observation: Observation) -> list[Finding]:
    if isinstance(observation.pods, Missing):
        return [found(reasons.PODS_UNAVAILABLE, message=observation.pods.message)]
    if not observation.pods:
        labels = ",".join(f"{key}={value}" for key, value in sorted(spec.target.match_labels.items()))
        return [found(reasons.NO_READY_PODS, namespace=identity.namespace, labels=labels)]
    return []
