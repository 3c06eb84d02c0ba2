"""The fence: what keeps a process that does not lead any more from having any effect.

Three things stand between such a process and the cluster, each enough for its own case:

1. Nothing is written unless the Lease is held at that moment by the process's own monotonic clock. A process that was stopped
   and goes on finds that time has passed, and is silent before it is ended.
2. Every write carries the resourceVersion it rests on. One that was on its way while a successor wrote is refused.
3. Every live rollout's status says under which term of the Lease it is kept. Where the clock stood still too, as that of a
   suspended virtual machine does, a predecessor that reads anew finds its successor's term there.
"""

from __future__ import annotations

from typing import Protocol

from sark_api.status import Leader
from sark_operator.shell.api import NotLeadingError


class Leads(Protocol):
    """Who says whether this process may act, and under which term."""

    @property
    def held(self) -> bool:
        """Whether this process may act now."""
        ...

    @property
    def term(self) -> Leader:
        """Under what it acts."""
        ...


def require_lead(leads: Leads, what: str) -> None:
    """Let `what` be done only by a process that leads.

    Raises:
        NotLeadingError: it does not hold the Lease, or no longer long enough.
    """
    if not leads.held:
        raise NotLeadingError(f"{what}: not sent, for this process does not hold the Lease any more")


def require_latest(mine: Leader, seen: Leader | None) -> None:
    """Refuse to go on where a successor has been.

    Terms of two Leases say nothing about each other: one that was deleted begins anew at 0. The Lease itself decides then.

    Raises:
        NotLeadingError: `seen`, the term a rollout is kept under, is later than `mine`.
    """
    if seen is not None and seen.lease == mine.lease and seen.term > mine.term:
        raise NotLeadingError(f"{seen.identity} keeps this rollout under term {seen.term}, and ours is {mine.term}")
