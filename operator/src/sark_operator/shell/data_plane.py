"""What Prometheus says of the inside of the new arm and of the sidecars' CPU time: six questions for all rollouts together."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol

from sark_api.names import ARM_NEW
from sark_operator.core.observation import Comparisons, DataPlane, Histogram, Missing
from sark_operator.shell import answers, promql
from sark_operator.shell.promql import QueryOf

_EMPTY = Histogram((), ())
_Histograms = Mapping[str, Mapping[str, Histogram]]


class Ask(Protocol):
    """Asks an instant query about the criteria's window."""

    def __call__(self, query: QueryOf, parse: Callable[[Any], Any], *, sign: bool = False) -> Awaitable[Any | Missing]:
        """Ask, and return what gives the parsed answer; `sign` says that it may be the first to show a breach."""
        ...


@dataclass(frozen=True, slots=True)
class DataPlaneAnswers:
    """The answers about all rollouts of a server."""

    fallbacks: Mapping[str, float] | Missing
    evaluations: _Histograms | Missing
    lookups: _Histograms | Missing
    cpu: Mapping[str, Mapping[str, float]] | Missing
    compared: Mapping[str, Mapping[str, float]] | Missing
    differences: Mapping[str, tuple[tuple[str, str, float], ...]] | Missing

    def of(self, rollout: str, unseen: Missing | None) -> DataPlane:
        """Return those of one rollout; `unseen` is why nothing said of it can be trusted."""
        if unseen is not None:
            return DataPlane(unseen, unseen, unseen, unseen, unseen)
        return DataPlane(
            fallbacks=self.fallbacks if isinstance(self.fallbacks, Missing) else self.fallbacks.get(rollout),
            evaluations=_of(rollout, self.evaluations),
            lookups=_of(rollout, self.lookups),
            cpu=self.cpu if isinstance(self.cpu, Missing) else self.cpu.get(rollout, {}),
            shadow=self._shadow(rollout),
        )

    def _shadow(self, rollout: str) -> Comparisons | Missing:
        if isinstance(self.compared, Missing):
            return self.compared
        if isinstance(self.differences, Missing):
            return self.differences
        results = self.compared.get(rollout, {})
        return Comparisons(
            results.get("match", 0.0),
            results.get("mismatch", 0.0),
            self.differences.get(rollout, ()),
            unconfirmed=results.get(promql.UNCONFIRMED, 0.0),
        )


def data_plane_queries(window: timedelta) -> dict[str, str]:
    """Return by criterion the query its numbers come from."""
    return {
        "fallbackRate": promql.fallbacks(window),
        "opaP95": promql.evaluations(window),
        "cacheP95": promql.lookups(window),
        "throughput": promql.requests(window),
        "cpu": promql.cpu(window),
        "decisionMismatch": promql.comparisons(window),
    }


@dataclass(frozen=True, slots=True)
class DataPlaneQuestions:
    """The questions, all of which have been asked."""

    asked: tuple[Awaitable[Any] | Missing, ...]
    """In the order of the fields of `DataPlaneAnswers`."""

    @classmethod
    def ask(cls, ask: Ask, unasked: Missing | None = None) -> DataPlaneQuestions:
        """Ask everything at once; each part is missing for itself.

        `unasked` is why only the comparisons are asked for, which may show a breach that has just begun.
        """
        return cls(
            (
                unasked or ask(promql.fallbacks, _numbers),
                unasked or ask(promql.evaluations, _histograms),
                unasked or ask(promql.lookups, _histograms),
                unasked or ask(promql.cpu, _cores),
                ask(promql.comparisons, _results, sign=True),
                ask(promql.mismatches, _differences, sign=True),
            )
        )

    async def answers(self) -> DataPlaneAnswers:
        """Wait for the answers."""
        return DataPlaneAnswers(*[each if isinstance(each, Missing) else await each for each in self.asked])


_numbers = answers.at_once(answers.NumberByRollout)
_histograms = answers.at_once(answers.LatencyByArm)
_results = answers.at_once(answers.ResultsByRollout)


def _differences(result: Any) -> Mapping[str, tuple[tuple[str, str, float], ...]]:
    return answers.differences_by_rollout(answers.samples(result))


def _cores(result: Any) -> Mapping[str, Mapping[str, float]]:
    return answers.cores_by_pod(answers.samples(result))


def _of(rollout: str, histograms: _Histograms | Missing) -> Histogram | Missing:
    if isinstance(histograms, Missing):
        return histograms
    return histograms.get(rollout, {}).get(ARM_NEW, _EMPTY)
