"""Where each rollout is, as series that are made when Prometheus asks for them.

A thousand rollouts have more than twenty thousand such series. Kept as objects of the client library each is the better part of
a kilobyte, which is written at every evaluation and read once in many.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from sark_api.status import Phase, SarkRolloutStatus


@dataclass(frozen=True, slots=True)
class _State:
    """What is shown of one rollout."""

    phase: Phase
    verdicts: tuple[tuple[str, str], ...]
    """Pairs of criterion and verdict."""
    percent: int | None
    """Share in the flag document last written; None before the first."""
    step: int
    steps: int
    proven: float
    """Seconds."""
    needed: float
    """Seconds."""


class RolloutSeries(Collector):
    """The gauges of all rollouts."""

    def __init__(self) -> None:
        self._states: dict[str, _State] = {}

    def show(self, rollout: str, status: SarkRolloutStatus, steps: int) -> None:
        """Show where `rollout` (namespace/name), of so many steps, is."""
        known = self._states.get(rollout)
        flags, step, bake = status.flags, status.step, status.bake
        self._states[rollout] = _State(
            status.phase,
            tuple((criterion.name, criterion.verdict.value) for criterion in status.criteria),
            flags.percent if flags else known.percent if known else None,
            step.index if step else 0,
            steps,
            bake.proven_milliseconds / 1000 if bake else 0,
            bake.required_seconds if bake else 0,
        )

    def forget(self, rollout: str) -> None:
        """Drop the series of a rollout that is gone."""
        self._states.pop(rollout, None)

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Make the families without any series."""
        return _families(())

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Make the series."""
        return _families(list(self._states.items()))  # a copy made at once: who asks may be another thread


def _families(states: Iterable[tuple[str, _State]]) -> Iterator[GaugeMetricFamily]:
    phases = _gauge("phase", "1 for the phase the rollout is in.", "phase")
    verdicts = _gauge("verdict", "1 for the verdict each criterion gave last.", "criterion", "verdict")
    percent = _gauge("written_percentage", "Share in the flag document last written, 0 to 100.")
    step = _gauge("step", "Step the rollout is in, from 1; 0 before the first and at the baseline.")
    steps = _gauge("steps", "Steps of the rollout's plan.")
    proven = _gauge("bake_proven_seconds", "Proven time of the present step.")
    needed = _gauge("bake_required_seconds", "Proven time the present step needs.")
    for rollout, state in states:
        for phase in Phase:
            phases.add_metric((rollout, phase.value), phase is state.phase)
        for verdict in state.verdicts:
            verdicts.add_metric((rollout, *verdict), 1)
        if state.percent is not None:
            percent.add_metric((rollout,), state.percent)
        step.add_metric((rollout,), state.step)
        steps.add_metric((rollout,), state.steps)
        proven.add_metric((rollout,), state.proven)
        needed.add_metric((rollout,), state.needed)
    yield from (phases, verdicts, percent, step, steps, proven, needed)


def _gauge(name: str, text: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"sark_operator_{name}", text, labels=("sark_rollout", *labels))
