"""Who else asks what a rollout asks: only what enough of them ask is worth an answer about all.

An answer about all rollouts of a server costs as much as there are rollouts, and spares everybody else who wants the same one a
question. But windows are the user's, as is how an address is spelt: were each of them asked for all rollouts, eighty rollouts
with windows of their own would cost eighty times what a thousand cost, and make the thousand wait. So a rollout whose wish is
rare asks about itself, and costs what one rollout costs.

Rare is seldom: what several ask is worth an answer about all however many there are beside them, or whoever makes rollouts in
any number could make everybody's wish a rare one; and so are the commonest few, whatever their number.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass, field
from heapq import nlargest
from operator import itemgetter
from typing import Final

from sark_operator.shell.clock import Clock

RARE: Final = 32
"""A topic is rare only when fewer than one in so many of a server's rollouts have it,"""
SEVERAL: Final = 8
"""and fewer than so many of them,"""
COMMONEST: Final = 16
"""and so many others have more of them, or are known for longer. One rollout has up to five topics."""
FORGET_SECONDS: Final = 1200.0
"""Who has not asked for this long is gone: twice the longest interval."""

Topic = Hashable
"""What makes questions the same: a way to the server, and a window."""


@dataclass(slots=True)
class _Member:
    topics: frozenset[Topic]
    asked_at: float


@dataclass(slots=True)
class _Group:
    members: dict[str, _Member] = field(default_factory=dict)
    """By rollout."""
    having: Counter[Topic] = field(default_factory=Counter)
    """How many members have a topic."""
    looked_at: float = 0.0


class Audience:
    """The topics of all rollouts, by the data that they are about: what one server shows to one reader."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._groups: dict[Hashable, _Group] = {}

    def common(self, group: Hashable, rollout: str, topics: frozenset[Topic]) -> frozenset[Topic]:
        """Take note of what a rollout of `group` is about to ask, and return which of it is worth asking about all."""
        now = self._clock.monotonic()
        here = self._groups.setdefault(group, _Group(looked_at=now))
        if (member := here.members.get(rollout)) and member.topics == topics:
            member.asked_at = now
        else:
            _drop(here, rollout)
            here.members[rollout] = _Member(topics, now)
            here.having.update(topics)
        self._forget(now)
        enough = min(SEVERAL, len(here.members) / RARE)
        common = {topic for topic in topics if here.having[topic] >= enough}
        if len(common) < len(topics):
            common |= topics & {topic for topic, _ in nlargest(COMMONEST, here.having.items(), key=itemgetter(1))}
        return frozenset(common)

    def _forget(self, now: float) -> None:
        """Drop who has gone, also from groups in which nobody asks any more; seldom, since it goes through all."""
        for name, group in list(self._groups.items()):
            if now - group.looked_at < FORGET_SECONDS:
                continue
            group.looked_at = now
            for rollout in [rollout for rollout, each in group.members.items() if now - each.asked_at > FORGET_SECONDS]:
                _drop(group, rollout)
            if not group.members:
                del self._groups[name]


def _drop(group: _Group, rollout: str) -> None:
    member = group.members.pop(rollout, None)
    if member is not None:
        group.having.subtract(member.topics)
        for topic in member.topics:
            if not group.having[topic]:
                del group.having[topic]
