"""Who may act: a process under the latest term that anybody has seen."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from sark_api.status import Leader
from sark_operator.shell.api import NotLeadingError
from sark_operator.shell.fence import require_latest, require_lead

MINE = Leader(identity="first", lease="lease-1", term=3)


@pytest.mark.parametrize(
    "seen",
    [
        None,
        MINE,
        Leader(identity="before", lease="lease-1", term=2),
        Leader(identity="second", lease="lease-0", term=9),
    ],
    ids=["nobody yet", "ourselves", "a predecessor", "the term of a Lease that was deleted"],
)
def test_it_goes_on(seen: Leader | None):
    require_latest(MINE, seen)


def test_a_successor_ends_it():
    with pytest.raises(NotLeadingError, match="second keeps this rollout under term 4, and ours is 3"):
        require_latest(MINE, Leader(identity="second", lease="lease-1", term=4))


@dataclass(frozen=True)
class Lease:
    """Stands for the Lease as this process sees it."""

    held: bool
    term: Leader = MINE


def test_nothing_is_sent_without_the_lease():
    require_lead(Lease(held=True), "write ConfigMap shop/gateway-flags")

    with pytest.raises(NotLeadingError, match="write ConfigMap shop/gateway-flags: not sent"):
        require_lead(Lease(held=False), "write ConfigMap shop/gateway-flags")
