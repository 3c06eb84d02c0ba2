"""Decisions made up for tests of the evidence: a ledger in which so many more wait to be filed."""

from __future__ import annotations

from typing import Final

from sark_api.evidence import GENESIS, EvidenceRecord, digest, to_text
from sark_api.status import Ledger

_RECORD: Final[dict[str, object]] = {
    "generation": 1,
    "attempt": 1,
    "time": "2026-01-01T12:00:00Z",
    "actor": "operator",
    "reason": "PausedByUser",
    "from_percent": 5,
    "to_percent": 5,
    "revision": 0,
    "message": "Paused at 5%: не дальше",
    "spec_sha256": digest("spec"),
    "window_seconds": 300,
    "counting_window_seconds": 15,
}


def decided(ledger: Ledger, count: int, *, rollout: str, uid: str) -> Ledger:
    """Return `ledger`, of `rollout` (namespace/name) with this `uid`, with `count` more decisions that wait."""
    for _ in range(count):
        place = {"number": ledger.records + 1, "previous": ledger.head or GENESIS, "rollout": rollout, "uid": uid}
        text = to_text(EvidenceRecord.model_validate(_RECORD | place))
        more = {"records": ledger.records + 1, "head": digest(text), "unfiled": [*ledger.unfiled, text]}
        ledger = ledger.model_copy(update=more)
    return ledger
