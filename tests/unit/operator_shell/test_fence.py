"""Who may act: a process under the latest term that anybody has seen."""

from __future__ import annotations

import pytest

from sark_api.status import Leader
from sark_operator.shell.api import NotLeadingError
from sark_operator.shell.fence import require_latest

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
