"""Looking through each answer of Prometheus as it comes, for rollouts that must not wait for their next evaluation.

An answer is about all rollouts of a server, and some evaluation asks for it every few seconds. A rollout in trouble is in it
long before its own turn has come; the more rollouts there are, the longer.

A rollout is woken once for what trips it, not by every answer that goes on showing it: what could not be done in the evaluation
that followed is tried again when the next is due, as any other, and those that cannot be helped take no turns from the others.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, replace
from math import inf
from typing import Any, Final

import structlog

from sark_api.spec import Criteria
from sark_operator.core.observation import Comparisons
from sark_operator.core.tripwire import Tripwire
from sark_operator.shell import promql
from sark_operator.shell.clock import Clock
from sark_operator.shell.counting import arm_windows

LEAST_SECONDS: Final = 2.5
"""Time between two answers to one question that are looked through: somebody may ask it every half second."""
MOST_ALIKE: Final = 8
"""Different criteria among which those of a rollout are looked for."""

Test = Callable[[Tripwire, Any], bool]
"""Says of an answer whether it trips."""

_log = structlog.get_logger("sark.tripwires")


@dataclass(slots=True)
class _Question:
    key: Hashable
    """The one object that all who ask it remember: it holds the text of a query."""
    test: Test
    wires: dict[str, Tripwire]
    """By uid."""
    tripped: set[str]
    """Those that the latest answer tripped."""
    looked_at: float = -inf


class Tripwires:
    """Those of all rollouts, by the question in whose answers they lie. Each is as the latest evaluation left it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._questions: dict[Hashable, _Question] = {}
        self._keys: dict[str, tuple[Hashable, ...]] = {}
        """Where those of a rollout are, by uid."""
        self._criteria = deque[Criteria](maxlen=MOST_ALIKE)
        """Those that rollouts have, the latest new ones."""
        self.on_tripped: Callable[[str], None] = lambda _: None
        """Called with the uid of a rollout that must not wait."""

    def put(self, wire: Tripwire, key_of: Callable[[str], Hashable]) -> None:
        """Look for one rollout in the answers to come; `key_of` tells which is the answer to a query."""
        wire = replace(wire, criteria=self._alike(wire.criteria))
        tests = {key_of(query): test for query, test in _tests(wire).items()}
        for gone in set(self._keys.get(wire.uid, ())) - tests.keys():
            self._take(wire.uid, gone)
        asked = [self._questions.setdefault(key, _Question(key, test, {}, set())) for key, test in tests.items()]
        for question in asked:
            question.wires[wire.uid] = wire
        self._keys[wire.uid] = tuple(question.key for question in asked)

    def remove(self, uid: str) -> None:
        """Look no longer for a rollout."""
        for key in self._keys.pop(uid, ()):
            self._take(uid, key)

    def came(self, key: Hashable, answer: Any) -> None:
        """Look through an answer that has just come."""
        question, now = self._questions.get(key), self._clock.monotonic()
        if question is None or now - question.looked_at < LEAST_SECONDS:
            return
        question.looked_at = now
        before, question.tripped = question.tripped, _tripped(question, answer)
        for uid in [uid for uid in question.wires if uid in question.tripped - before]:
            self.on_tripped(uid)

    def _alike(self, criteria: Criteria) -> Criteria:
        """Return equal ones that another rollout has, if there are any: they are 7 KiB, and in a fleet most have the same."""
        found = next((each for each in self._criteria if each == criteria), None)
        if found is None:
            self._criteria.append(criteria)
        return found or criteria

    def _take(self, uid: str, key: Hashable) -> None:
        question = self._questions[key]
        del question.wires[uid]
        question.tripped.discard(uid)
        if not question.wires:
            del self._questions[key]


def _tests(wire: Tripwire) -> Mapping[str, Test]:
    """Return by query what is looked for in its answer."""
    if wire.percent is None:
        return {}
    window = wire.criteria.window
    compared = {promql.comparisons(window): _by_comparisons} if wire.compares else {}
    return {promql.requests(window): _by_requests, promql.latency(window): _by_latency, promql.alerts(): _by_alerts, **compared}


def _by_requests(wire: Tripwire, found: Any) -> bool:
    return wire.rollout in found and wire.is_tripped_by_requests(arm_windows(found[wire.rollout], {}))


def _by_latency(wire: Tripwire, found: Any) -> bool:
    return wire.rollout in found and wire.is_tripped_by_latency(arm_windows({}, found[wire.rollout]))


def _by_comparisons(wire: Tripwire, found: Any) -> bool:
    results = found.get(wire.rollout, {})
    shadow = Comparisons(results.get("match", 0.0), results.get("mismatch", 0.0))
    return wire.is_tripped_by_comparisons(shadow)


def _by_alerts(wire: Tripwire, found: Any) -> bool:
    return wire.is_tripped_by_alerts(found)


def _tripped(question: _Question, answer: Any) -> set[str]:
    """Return which rollouts the answer trips. One that fails is a fault of ours, and must not spoil the answer for others."""
    tripped, failed = set[str](), False
    for uid, wire in question.wires.items():
        try:
            if question.test(wire, answer):
                tripped.add(uid)
        except Exception:  # noqa: BLE001 - without it the rollout is evaluated in its turn
            if not failed:
                _log.exception("an answer could not be looked through", rollout=wire.rollout)
            failed = True
    return tripped
