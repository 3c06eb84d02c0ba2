"""Looking through each answer of Prometheus as it comes, for rollouts that must not wait for their next evaluation.

An answer is about all rollouts of a server, and some evaluation asks for it every few seconds. A rollout in trouble is in it
long before its own turn has come; the more rollouts there are, the longer.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Any

import structlog

from sark_operator.core.outlook import Outlook
from sark_operator.shell import promql
from sark_operator.shell.counting import arm_windows

Sign = Callable[[Any], bool]
"""Says of an answer whether it shows that the rollout must not wait."""

_log = structlog.get_logger("sark.lookout")


class Lookout:
    """Knows what to look for, by question. What a rollout is looked out for is what its latest evaluation left."""

    def __init__(self) -> None:
        self._signs: dict[Hashable, dict[str, Sign]] = {}
        self._questions: dict[str, list[Hashable]] = {}
        self.on_sign: Callable[[str], None] = lambda _: None
        """Called with the uid of a rollout that must not wait."""

    def watch(self, outlook: Outlook, key: Callable[[str], Hashable]) -> None:
        """Look out for one rollout in the answers to come, and for nothing else of it; `key` tells which is that to a query."""
        self.forget(outlook.uid)
        for query, sign in _signs(outlook).items():
            question = key(query)
            self._signs.setdefault(question, {})[outlook.uid] = sign
            self._questions.setdefault(outlook.uid, []).append(question)

    def forget(self, uid: str) -> None:
        """Look out for the rollout no longer."""
        for question in self._questions.pop(uid, ()):
            signs = self._signs[question]
            del signs[uid]
            if not signs:
                del self._signs[question]

    def came(self, question: Hashable, answer: Any) -> None:
        """Look through an answer that has just come."""
        found = [uid for uid, sign in self._signs.get(question, {}).items() if _shows(sign, answer)]
        if found:
            _log.info("breach in sight, evaluated before what is only due", rollouts=len(found))
        for uid in found:
            self.on_sign(uid)


def _signs(outlook: Outlook) -> Mapping[str, Sign]:
    """Return what is looked for, by the query in whose answer it is."""
    if outlook.percent is None:
        return {}
    rollout, window = outlook.rollout, outlook.criteria.window
    return {
        promql.requests(window): lambda found: rollout in found and outlook.fails(arm_windows(found[rollout], {})),
        promql.latency(window): lambda found: rollout in found and outlook.is_slow(arm_windows({}, found[rollout])),
        promql.alerts(): outlook.is_alerted,
    }


def _shows(sign: Sign, answer: Any) -> bool:
    """Return whether the answer shows it. A sign that fails is a fault of ours, and must not spoil the answer for others."""
    try:
        return sign(answer)
    except Exception:  # noqa: BLE001 - it wakes early; without it the rollout is evaluated in its turn
        _log.exception("an answer could not be looked through")
        return False
