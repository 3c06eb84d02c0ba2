"""One evidence record as text: the decision, what it was decided by, and every criterion with its numbers."""

from __future__ import annotations

from datetime import timedelta

from sark_api.duration import format_duration
from sark_api.evidence import EvidenceRecord
from sark_api.status import HistoryEntry

from .criterion import criterion_lines
from .explanation import decision


def recorded(record: EvidenceRecord) -> list[str]:
    """Return the record as lines."""
    entry = HistoryEntry.model_validate({name: getattr(record, name) for name in HistoryEntry.model_fields})
    lines = decision(record.number, entry)
    lines += [f"  {label:18}{text}" for label, text in _basis(record)]
    if record.shortened:
        lines.append("  queries or criteria were left out of this record for its length")
    for criterion in record.criteria:
        lines += criterion_lines(criterion)
    return lines


def _basis(record: EvidenceRecord) -> list[tuple[str, str]]:
    return [
        ("attempt", str(record.attempt)),
        ("window", f"{_span(record.window_seconds)}, counted in {_span(record.counting_window_seconds)}"),
        ("prometheus", record.prometheus or "not recorded"),
        ("spec", f"generation {record.generation}, SHA-256 {record.spec_sha256}"),
        ("record before", f"SHA-256 {record.previous}"),
    ]


def _span(seconds: int) -> str:
    return format_duration(timedelta(seconds=seconds))
