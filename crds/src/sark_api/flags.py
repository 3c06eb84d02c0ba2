"""The flag document: how the operator steers sidecars.

One ConfigMap per target carries it under `flags.json`. Both sides build and read it here, so that they cannot disagree about
its canonical form, its checksum or its rules.
"""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from .instant import Instant
from .names import FEATURE_CACHE, FEATURE_OPA
from .reasons import shorten

MAX_DOCUMENT_BYTES = 65_536
"""A larger document is refused unread."""
_MAX_COMPLAINT = 200
"""A document can hold names of many kilobytes, which do not belong in a log or a status."""


class FlagDocumentError(ValueError):
    """The text is not a flag document that may be applied; the message says what is wrong and where."""


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class FeatureFlags(_Strict):
    """The two switches and the share of subjects they apply to."""

    rust_opa_enabled: bool = False
    rust_cache_enabled: bool = False
    rollout_percentage: int = Field(default=0, ge=0, le=100)


class Shadow(_Strict):
    """Evaluate the other arm too, on a sample of requests, and compare."""

    enabled: bool = False
    sample_percentage: int = Field(default=0, ge=0, le=100)


class FlagDocument(_Strict):
    """What every sidecar of one target must apply.

    `revision` only grows, per ConfigMap and across rollouts. `valid_until` is set while 0 < percentage < 100: past it a sidecar
    goes to baseline by itself. `sha256` covers the canonical form of all other members.
    """

    feature_flags: FeatureFlags
    salt: str = Field(max_length=256)
    shadow: Shadow = Shadow()
    rollout: str = Field(max_length=512)
    revision: int = Field(ge=1, le=2**53 - 1)
    valid_until: Instant | None = Field(default=None, strict=False)
    sha256: str = Field(default="", max_length=64)

    @property
    def percentage(self) -> int:
        """Share of subjects in the new arm, 0 to 100."""
        return self.feature_flags.rollout_percentage

    def canonical(self) -> bytes:
        """Return the bytes the checksum covers: every member but `sha256`, keys sorted, no white space, UTF-8."""
        members = self.model_dump(mode="json", exclude={"sha256"})
        return json.dumps(members, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()

    def digest(self) -> str:
        """Return the SHA-256 of the canonical form, in lower-case hex."""
        return hashlib.sha256(self.canonical()).hexdigest()

    def sealed(self) -> Self:
        """Return the document with its checksum filled in."""
        return self.model_copy(update={"sha256": self.digest()})

    def to_json(self) -> str:
        """Return the sealed document as the text that goes into the ConfigMap."""
        return json.dumps(self.sealed().model_dump(mode="json"), sort_keys=True, indent=2, ensure_ascii=False) + "\n"

    def expired(self, now: datetime) -> bool:
        """Return whether a sidecar must stop following the document at `now`."""
        return self.valid_until is not None and now > self.valid_until


def parse_flag_document(text: str | bytes) -> FlagDocument:
    """Return the document in `text`, with its checksum verified.

    Raises:
        FlagDocumentError: too large, not JSON, a member missing, unknown or out of range, or the checksum does not match.
    """
    raw = _bytes(text)
    if len(raw) > MAX_DOCUMENT_BYTES:
        raise FlagDocumentError(f"flag document has {len(raw)} bytes; at most {MAX_DOCUMENT_BYTES} are allowed")
    try:
        members = json.loads(raw, object_pairs_hook=_no_duplicates)
    except (ValueError, RecursionError) as error:
        raise FlagDocumentError(f"flag document is not JSON: {shorten(str(error), _MAX_COMPLAINT)}") from error
    try:
        document = FlagDocument.model_validate(members)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "document"
        raise FlagDocumentError(f"flag document: {shorten(where, _MAX_COMPLAINT)}: {first['msg']}") from error
    # A checksum is no secret: how long it takes to compare may be seen, and the comparison must take any text.
    if document.digest() != document.sha256:
        raise FlagDocumentError(
            f"flag document revision {document.revision}: sha256 does not match its content; it was cut off or edited by hand"
        )
    return document


def _bytes(text: str | bytes) -> bytes:
    try:
        return text.encode() if isinstance(text, str) else text
    except UnicodeEncodeError as error:
        raise FlagDocumentError(f"flag document is not Unicode: half a character at {error.start}") from error


def _no_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"member {twice!r} appears twice")
    return members


def flagd_document(document: FlagDocument) -> str:
    """Return the same state as a flagd flag set.

    Each feature is a boolean flag whose `fractional` rule hashes `salt:targetingKey`, the very string our own rule hashes.
    """
    flags = document.feature_flags
    share = flags.rollout_percentage
    metadata = {"rollout": document.rollout, "revision": document.revision}

    def flag(enabled: bool) -> dict[str, object]:
        rule: dict[str, object] = {
            "fractional": [
                {"cat": [document.salt, ":", {"var": "targetingKey"}]},
                ["on", share * 100],
                ["off", (100 - share) * 100],
            ]
        }
        return {
            "state": "ENABLED",
            "variants": {"on": True, "off": False},
            "defaultVariant": "off",
            "targeting": rule if enabled and share > 0 else {},
            "metadata": metadata,
        }

    flag_set = {
        "$schema": "https://flagd.dev/schema/v0/flags.json",
        "flags": {FEATURE_OPA: flag(flags.rust_opa_enabled), FEATURE_CACHE: flag(flags.rust_cache_enabled)},
        "metadata": {"flagSetId": document.rollout, "version": str(document.revision)},
    }
    return json.dumps(flag_set, indent=2, ensure_ascii=False) + "\n"
