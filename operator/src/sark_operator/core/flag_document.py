"""The flag document a status asks for, and how it compares with the one in force."""

from __future__ import annotations

from datetime import datetime

from sark_api.flags import FeatureFlags, FlagDocument, Shadow
from sark_api.spec import Features, SarkRolloutSpec, Toggle

from .instants import to_seconds
from .lifecycle import is_split
from .observation import Identity, Missing, ObservedFlags


def is_ours(identity: Identity, document: FlagDocument) -> bool:
    """Return whether this very rollout wrote the document; one of an earlier rollout of the same name has another salt."""
    return document.rollout == identity.key and document.salt == identity.uid


def readable_document(flags: ObservedFlags | Missing) -> FlagDocument | None:
    """Return the document in force, or None when there is none or it cannot be read."""
    return None if isinstance(flags, Missing) or flags.error else flags.document


def feature_flags(features: Features, percent: int) -> FeatureFlags:
    """Return the switches at `percent`.

    At 0 % both are off, so that a reader that ignores the share serves the baseline too.
    """
    return FeatureFlags(
        rust_opa_enabled=percent > 0 and features.opa is Toggle.ENABLED,
        rust_cache_enabled=percent > 0 and features.cache is Toggle.ENABLED,
        rollout_percentage=percent,
    )


def shadow(sample: int) -> Shadow:
    """Return the shadow that compares `sample` percent of the requests."""
    return Shadow(enabled=sample > 0, sample_percentage=sample)


def desired_document(
    identity: Identity, spec: SarkRolloutSpec, percent: int, sample: int, *, revision: int, now: datetime
) -> FlagDocument:
    """Return the sealed document for `percent`: valid for a limited time only between 0 % and 100 %.

    `sample` is the share of requests to be compared in the shadow, in percent.
    """
    return FlagDocument(
        feature_flags=feature_flags(spec.features, percent),
        salt=identity.uid,
        shadow=shadow(sample),
        rollout=identity.key,
        revision=revision,
        valid_until=to_seconds(now + spec.valid_for) if is_split(percent) else None,
    ).sealed()


def serves(identity: Identity, spec: SarkRolloutSpec, document: FlagDocument, percent: int, sample: int) -> bool:
    """Return whether the document asks sidecars for this share and this sample; how long it is valid is another question."""
    return (
        is_ours(identity, document)
        and document.feature_flags == feature_flags(spec.features, percent)
        and document.shadow == shadow(sample)
    )


def needs_renewal(spec: SarkRolloutSpec, document: FlagDocument, now: datetime) -> bool:
    """Return whether the document's validity is not what it should be.

    Less than half is left, or it has one where none belongs or none where one does, or more is left than validFor allows:
    validFor was shortened, or the clock was set back.
    """
    wanted = is_split(document.percentage)
    if document.valid_until is None or not wanted:
        return wanted or document.valid_until is not None
    left = document.valid_until - now
    return left < spec.valid_for / 2 or left > spec.valid_for
