"""Which flag document is in force: pure functions over an immutable state.

No clock, no file, no network. A source hands texts to `offer`; a timer calls `tick`. Whatever the order and the garbage, the
document with the highest revision that was ever whole is the one followed, of two with the same one that of 0 %, and past its
`valid_until` nobody is in the new arm.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from math import inf

from sark_api.flags import FlagDocument, FlagDocumentError, parse_flag_document
from sark_api.report import BaselineOnly, FlagReport, FlagState

_WHOLE = 100
"""Percent: everybody."""


class Origin(StrEnum):
    """Who brought a document."""

    WATCH = "watch"
    FILE = "file"
    STATE_FILE = "state_file"


@dataclass(frozen=True, slots=True)
class Share:
    """How requests are assigned: what the data plane is told."""

    rollout: str = ""
    revision: int = 0
    percentage: int = 0
    salt: str = ""
    rust_opa: bool = False
    rust_cache: bool = False
    shadow: int = 0
    """Share of the requests whose decisions are compared, in percent."""
    ends: float = field(default=inf, compare=False)
    """When everybody goes back to baseline, by the monotonic clock. A share that ends at another time is the same one."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A document that was not applied."""

    origin: Origin
    at: datetime
    reason: str
    """One sentence."""
    digest: str
    """SHA-256 of the text, so that the same broken text is counted once."""


@dataclass(frozen=True, slots=True)
class Flags:
    """Everything known about flags."""

    since: datetime
    """Since when the share in force is in force."""
    follows_api: bool
    """Whether the ConfigMap is watched; else a file is the source."""
    connected: bool = False
    """Whether the watch is up."""
    document: FlagDocument | None = None
    expired: bool = False
    """Latched: a clock that is set back does not revive a document."""
    refused: int = 0
    ignored: int = 0
    """Documents with a revision below the one in force, such as a mounted copy that lags."""
    last_refusals: dict[Origin, Refusal] = field(default_factory=dict)
    """The newest refusal of each origin."""
    fixed: Share | None = None
    """Flags of the configuration, when there is no source of documents."""

    @property
    def share(self) -> Share:
        """What applies now: the document's share, or 0 % when there is none or it has expired."""
        if self.fixed is not None:
            return self.fixed
        if self.document is None:
            return Share()
        flags, shadow = self.document.feature_flags, self.document.shadow
        return Share(
            rollout=self.document.rollout,
            revision=self.document.revision,
            percentage=0 if self.expired else flags.rollout_percentage,
            salt=self.document.salt,
            rust_opa=flags.rust_opa_enabled,
            rust_cache=flags.rust_cache_enabled,
            shadow=shadow.sample_percentage if shadow.enabled and not self.expired else 0,
        )

    @property
    def deadline(self) -> datetime | None:
        """When `tick` will change something by itself; None when it will not."""
        return None if self.document is None or self.expired else self.document.valid_until

    @property
    def state(self) -> FlagState:
        """The one word for it."""
        if self.fixed is not None:
            return FlagState.STATIC
        if self.document is None:
            return FlagState.NONE
        if self.expired:
            return FlagState.EXPIRED
        if not self.follows_api:
            return FlagState.FILE
        return FlagState.WATCHING if self.connected else FlagState.STALE


def offer(flags: Flags, text: str | bytes, origin: Origin, now: datetime) -> Flags:
    """Return the state after a source showed `text`: adopted, ignored (older) or refused (broken, or contradicting).

    One that contradicts the document in force, with the same revision, is adopted when it leads everybody back to the baseline.
    """
    try:
        document = parse_flag_document(text)
        _check_validity(document)
    except FlagDocumentError as error:
        return refuse(flags, str(error), origin, now, digest_of(text))
    current = flags.document
    if current is None or document.revision > current.revision:
        return _adopt(flags, document, now)
    if document.revision < current.revision:
        return replace(flags, ignored=flags.ignored + 1)
    if document.sha256 != current.sha256 and document.percentage == 0 < current.percentage:
        # Of two that contradict each other the way back wins: where a revision cannot grow any more it is the only one.
        return _adopt(flags, document, now)
    if document.sha256 != current.sha256:
        reason = (
            f"flag document revision {document.revision} differs from the one in force with that revision; raise the revision"
        )
        return refuse(flags, reason, origin, now, digest_of(text))
    return flags


def refuse(flags: Flags, reason: str, origin: Origin, now: datetime, digest: str) -> Flags:
    """Return the state after a document was refused; the last good one stays. The same text twice in a row counts once."""
    previous = flags.last_refusals.get(origin)
    if previous is not None and previous.digest == digest:
        return flags
    refusal = Refusal(origin=origin, at=now, reason=reason, digest=digest)
    return replace(flags, refused=flags.refused + 1, last_refusals={**flags.last_refusals, origin: refusal})


def tick(flags: Flags, now: datetime) -> Flags:
    """Return the state at `now`: a document past its validity is followed no longer."""
    if flags.document is None or flags.expired or not flags.document.expired(now):
        return flags
    return _changed(flags, replace(flags, expired=True), now)


def connect(flags: Flags, *, up: bool) -> Flags:
    """Return the state with the watch up or down."""
    return replace(flags, connected=up)


def report(
    flags: Flags,
    *,
    policy: str,
    baseline_policy: str,
    baseline_only: tuple[BaselineOnly, ...],
    baseline_only_count: int,
    sidecar: str,
    engine: str,
) -> FlagReport:
    """Return the answer of `GET /flags`; all but the flags is handed in."""
    share = flags.share
    return FlagReport(
        state=flags.state,
        revision=share.revision,
        percentage=share.percentage,
        sha256=flags.document.sha256 if flags.document else "",
        rollout=share.rollout,
        since=flags.since,
        policy_revision=policy,
        baseline_policy_revision=baseline_policy,
        baseline_only_count=baseline_only_count,
        baseline_only=baseline_only,
        sidecar_version=sidecar,
        engine_version=engine,
    )


def _adopt(flags: Flags, document: FlagDocument, now: datetime) -> Flags:
    return _changed(flags, replace(flags, document=document, expired=document.expired(now)), now)


def _changed(before: Flags, after: Flags, now: datetime) -> Flags:
    """A renewed document that assigns requests as before keeps `since`."""
    same = replace(before.share, revision=0, shadow=0) == replace(after.share, revision=0, shadow=0)
    return after if same else replace(after, since=now)


def _check_validity(document: FlagDocument) -> None:
    if 0 < document.percentage < _WHOLE and document.valid_until is None:
        raise FlagDocumentError(
            f"flag document revision {document.revision}: a share of {document.percentage} % needs valid_until, "
            "so that it ends by itself when nobody watches it"
        )


def digest_of(text: str | bytes) -> str:
    """Return the SHA-256 by which a refused text is known again; of any text, be it no Unicode."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text).hexdigest()
