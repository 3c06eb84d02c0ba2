"""The chain of evidence: what each decision rests on, and what of it has still to be put into a ConfigMap.

The status is where a decision becomes a fact, in one write, so its record is born there: number, digest of the record before,
full text. From then on it only has to be copied. Whoever reads the status next, this process or its successor, files what is
not known to be filed; a record that is there already is left as it is. So none is lost and none is there twice, wherever an
operator dies.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sark_api import reasons
from sark_api.evidence import GENESIS, EvidenceRecord, canonical, digest, to_record, to_text
from sark_api.status import HistoryEntry, Ledger

from .finding import Finding, found
from .observation import Filing
from .tick import Tick

MAX_SEGMENTS: Final = 32
"""ConfigMaps that are kept for one rollout."""
MAX_UNFILED: Final = 32
"""Records the status holds while they cannot be filed. Beyond it the oldest is given up: the log has it, and the chain shows
the gap."""
_FULL_UNFILED: Final = 8
"""Records beyond this many that wait carry no criteria: the status must stay far below what the API server stores."""


def settled(ledger: Ledger, filing: Filing | None) -> Ledger:
    """Return the ledger without what is known to be filed, and with the ConfigMaps it was filed in.

    A filing of none of the records that wait says nothing of this ledger: another operator has filed since, or the status was
    set back, and its records are others.
    """
    if filing is None or not (filed := count_through(ledger.unfiled, filing.last)):
        return ledger
    known = {segment.index: segment for segment in (*filing.segments, *ledger.segments)}
    oldest = ledger.segments[0].index if ledger.segments else 1
    segments = [known[index] for index in sorted(known) if index >= oldest][-MAX_SEGMENTS:]
    return ledger.model_copy(update={"unfiled": ledger.unfiled[filed:], "segments": segments})


def recorded(tick: Tick, entries: Sequence[HistoryEntry]) -> Ledger:
    """Return the ledger with a record of each entry at its end."""
    ledger = tick.status.ledger
    for entry in entries:
        record = _record(tick, ledger, entry)
        if len(ledger.unfiled) >= _FULL_UNFILED:
            record = record.model_copy(update={"criteria": [], "shortened": True})
        text = to_text(record)
        unfiled = [*ledger.unfiled, text][-MAX_UNFILED:]
        ledger = ledger.model_copy(update={"records": entry.number, "head": digest(text), "unfiled": unfiled})
    return ledger


def next_number(ledger: Ledger) -> int:
    """Return the number of the next record."""
    return ledger.records + 1


def not_filed(tick: Tick) -> Finding | None:
    """Return that records of earlier decisions are in no ConfigMap yet, which holds the next advance and nothing else."""
    waiting = tick.status.ledger.unfiled
    if not waiting:
        return None
    filing = tick.observation.filing
    problem = filing.problem if filing is not None and filing.problem else "they are being written"
    return found(reasons.EVIDENCE_NOT_FILED, percent=tick.percent, count=len(waiting), message=problem)


def filing_trouble(tick: Tick) -> Finding | None:
    """Return the same when it is known why."""
    filing = tick.observation.filing
    return not_filed(tick) if filing is not None and filing.problem else None


def numbered(texts: Sequence[str]) -> tuple[tuple[int, str], ...]:
    """Return records with their numbers."""
    return tuple((to_record(text).number, text) for text in texts)


def count_through(texts: Sequence[str], last: str) -> int:
    """Return how many records there are up to and with the one whose digest is `last`; 0 when it is not among them.

    The number of a record does not tell it: a status that was set back gives its numbers a second time.
    """
    digests = [digest(text) for text in texts] if last else []
    return digests.index(last) + 1 if last in digests else 0


def _record(tick: Tick, ledger: Ledger, entry: HistoryEntry) -> EvidenceRecord:
    identity, spec, criteria = tick.identity, tick.spec, tick.spec.criteria
    return EvidenceRecord(
        number=entry.number,
        previous=ledger.head or GENESIS,
        rollout=identity.key,
        uid=identity.uid,
        generation=identity.generation,
        attempt=tick.status.attempt,
        time=entry.time,
        actor=entry.actor,
        reason=entry.reason,
        from_percent=entry.from_percent,
        to_percent=entry.to_percent,
        revision=entry.revision,
        message=entry.message,
        spec_sha256=digest(canonical(spec.to_wire())),
        policy_revision=entry.policy_revision,
        operator_version=entry.operator_version,
        prometheus=spec.prometheus.public_address(),
        window_seconds=round(criteria.window.total_seconds()),
        counting_window_seconds=round(criteria.counting().total_seconds()),
        criteria=tick.status.criteria,
    )
