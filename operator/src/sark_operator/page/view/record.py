"""One decision with everything it rests on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from sark_api.duration import format_duration
from sark_api.evidence import EvidenceRecord, digest
from sark_api.status import Ledger

from .criteria import Card, card
from .rollout import Decision, decision


@dataclass(frozen=True, slots=True)
class RecordView:
    """One record of the evidence."""

    decision: Decision
    facts: tuple[tuple[str, str], ...]
    cards: tuple[Card, ...]
    shortened: bool
    before: int | None
    """Number of the record before, while it is kept."""
    after: int | None


def record_view(record: EvidenceRecord, text: str, ledger: Ledger) -> RecordView:
    """Return a record as it is shown; `text` is what is kept of it, whose digest the next record names."""
    return RecordView(
        decision=decision(record),
        facts=tuple(_facts(record, text)),
        cards=tuple(map(card, record.criteria)),
        shortened=record.shortened,
        before=record.number - 1 if record.number > ledger.kept_from else None,
        after=record.number + 1 if record.number < ledger.records else None,
    )


def _facts(record: EvidenceRecord, text: str) -> list[tuple[str, str]]:
    def span(seconds: int) -> str:
        return format_duration(timedelta(seconds=seconds))

    known = [
        ("Decided by", record.actor),
        ("Attempt", str(record.attempt)),
        ("Flag revision", f"{record.revision:,}" if record.revision else "none written"),
        ("Policy revision", record.policy_revision or "not one for all sidecars"),
        ("Operator", record.operator_version),
        ("Prometheus", record.prometheus),
        ("Metric window", span(record.window_seconds)),
        ("Counting window", span(record.counting_window_seconds)),
        ("SHA-256 of the spec", record.spec_sha256),
        ("SHA-256 of this record", digest(text)),
        ("SHA-256 of the one before", record.previous),
    ]
    return [(label, value) for label, value in known if value]
