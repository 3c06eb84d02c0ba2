"""The evidence of every decision: one record each, in an append-only chain that anyone can check.

A record is canonical JSON: members in order of their names, no blanks, no fractions, UTF-8 as it is. Each names the SHA-256 of
the text of the record before it, so that nothing can be changed, left out or moved without the chain breaking at that place;
the status holds how many there are and the digest of the last one, so that nothing can be cut off the end either.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import Field, ValidationError

from .instant import PreciseInstant
from .model import ApiModel
from .names import GROUP
from .status import CriterionStatus, Ledger

GENESIS: Final = "0" * 64
"""What the first record names as the digest of the one before it."""
MAX_RECORD_BYTES: Final = 64 * 1024
"""No record is longer; one that would be leaves out its queries, then its criteria."""
LABEL_EVIDENCE: Final = f"{GROUP}/evidence-of"
"""Label of a ConfigMap with evidence: the uid of its rollout."""
ANNOTATION_ROLLOUT: Final = f"{GROUP}/rollout"
"""Its rollout as namespace/name, for those who find it after the rollout is gone."""
_SUFFIX: Final = ".json"
_MAX_NAME: Final = 200


class EvidenceRecord(ApiModel):
    """One decision and everything it rests on."""

    format: int = 1
    """Version of this form."""
    number: int = Field(ge=1)
    """Position in the chain, from 1, without gaps."""
    previous: str = Field(min_length=64, max_length=64, pattern="^[0-9a-f]{64}$")
    """SHA-256 of the text of the record before, in hexadecimal; zeros in the first."""
    rollout: str
    """namespace/name."""
    uid: str
    """The rollout's uid: another one of the same name has another."""
    generation: int
    """metadata.generation of the spec that was decided by."""
    attempt: int
    """spec.attempt it belongs to."""
    time: PreciseInstant
    """When it was decided."""
    actor: str
    """Who decided: operator, or user by spec."""
    reason: str
    """Reason, one CamelCase word."""
    from_percent: int
    """Share before."""
    to_percent: int
    """Share after."""
    revision: int
    """Revision of the flag document written for it; 0 when none was."""
    message: str
    """Why, as a sentence with its numbers."""
    spec_sha256: str = Field(alias="specSha256")
    """SHA-256 of the spec in canonical JSON, defaults filled in: the policy that was decided by."""
    policy_revision: str = ""
    """Revision of the authorization policies the sidecars reported."""
    operator_version: str = ""
    """Version of the operator that decided."""
    prometheus: str = ""
    """Address of the server that was asked, without credentials."""
    window_seconds: int
    """Length of criteria.window, over which the values were measured."""
    counting_window_seconds: int
    """Length of the windows the sequential evidence is counted in."""
    criteria: list[CriterionStatus] = Field(default=[])
    """What every criterion said, with value, limit, samples, bound, evidence and query; empty where nothing was judged."""
    shortened: bool = False
    """Whether queries or criteria were left out for length."""


def canonical(value: Mapping[str, Any]) -> str:
    """Return `value` (JSON without fractions) as canonical JSON."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest(text: str) -> str:
    """Return the SHA-256 of `text` in hexadecimal. A lone surrogate, which no UTF-8 has, counts as its escape."""
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()


def to_text(record: EvidenceRecord) -> str:
    """Return `record` as the text that is kept, within MAX_RECORD_BYTES."""
    text = canonical(record.to_wire())
    if len(text.encode("utf-8", "backslashreplace")) <= MAX_RECORD_BYTES:
        return text
    bare = [criterion.model_copy(update={"query": ""}) for criterion in record.criteria]
    text = canonical(record.model_copy(update={"criteria": bare, "shortened": True}).to_wire())
    if len(text.encode("utf-8", "backslashreplace")) <= MAX_RECORD_BYTES:
        return text
    return canonical(record.model_copy(update={"criteria": [], "shortened": True}).to_wire())


def to_record(text: str) -> EvidenceRecord:
    """Return the record in `text`.

    Raises:
        ValueError: it is none; the message says why.
    """
    try:
        return EvidenceRecord.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(step) for step in first["loc"])
        raise ValueError(f"{where + ': ' if where else ''}{first['msg']}") from error


def segment_name(rollout: str, uid: str, index: int) -> str:
    """Return the name of the ConfigMap with the part `index` (from 1) of the chain of the rollout named `rollout`."""
    return f"{rollout[:_MAX_NAME].rstrip('-.')}-evidence-{uid[:8]}-{index:05d}"


def record_key(number: int) -> str:
    """Return the key of record `number` in its ConfigMap."""
    return f"{number:09d}{_SUFFIX}"


def record_number(key: str) -> int | None:
    """Return the number of the record with this key, or None when it is the key of none."""
    digits = key.removesuffix(_SUFFIX)
    known = digits.isascii() and digits.isdecimal() and key == record_key(int(digits)) if len(digits) <= 18 else False  # noqa: PLR2004
    return int(digits) if known else None


@dataclass(frozen=True, slots=True)
class Break:
    """Where a chain breaks."""

    number: int
    """The record at which it was noticed."""
    message: str
    """What is wrong there, one sentence."""


def verify(uid: str, ledger: Ledger, texts: Iterable[tuple[int, str]]) -> Break | None:
    """Return the first place at which the chain breaks, or None when every link holds.

    `texts` are pairs of (number by its key, text). Records that are not filed yet are in `ledger` and need not be among them.
    """
    found = dict(texts)
    unfiled = {ledger.first_unfiled + place: text for place, text in enumerate(ledger.unfiled)}
    for number, text in unfiled.items():
        if found.setdefault(number, text) != text:
            return Break(number, f"record {number} is not the one that the status has yet to file")
    first = ledger.kept_from
    before = GENESIS if first == 1 else None
    for number in range(first, ledger.records + 1):
        broken = _broken(uid, number, found.get(number), before)
        if broken is not None:
            return Break(number, broken)
        before = digest(found[number])
    if ledger.records and before != ledger.head:
        return Break(ledger.records, f"record {ledger.records}, the last, is not the one whose digest the status holds")
    beyond = sorted(number for number in found if number > ledger.records)
    if beyond:
        return Break(beyond[0], f"record {beyond[0]} is there, but the status knows of {ledger.records} only")
    return None


def _broken(uid: str, number: int, text: str | None, before: str | None) -> str | None:
    """Return what is wrong with record `number` after one with the digest `before`; None for `before` means any."""
    if text is None:
        return f"record {number} is missing"
    try:
        record = to_record(text)
    except ValueError as error:
        return f"record {number} cannot be read: {error}"
    if record.number != number:
        return f"the record in place {number} says that it is number {record.number}"
    if record.uid != uid:
        return f"record {number} belongs to another rollout, with uid {record.uid}"
    if before is not None and record.previous != before:
        return f"record {number} does not follow record {number - 1}: one of the two was changed"
    return None
