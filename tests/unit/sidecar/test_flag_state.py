"""The rules of the flag state at their edges: what an expired document still rules out, and which shares need an end."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from sark_api.flags import FeatureFlags, FlagDocument, Shadow
from sark_api.report import FlagState
from sark_sidecar.flags.state import Flags, Origin, offer, tick

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
VALID = NOON + timedelta(minutes=5)
LATER = VALID + timedelta(seconds=1)


def document(
    percentage: int, revision: int = 7, *, valid_until: datetime | None = VALID, cache: bool = True, shadow: int = 0
) -> str:
    return FlagDocument(
        feature_flags=FeatureFlags(rust_opa_enabled=True, rust_cache_enabled=cache, rollout_percentage=percentage),
        salt="salt",
        shadow=Shadow(enabled=shadow > 0, sample_percentage=shadow),
        rollout="team/gateway",
        revision=revision,
        valid_until=valid_until,
    ).to_json()


def following(*texts: str, now: datetime = NOON) -> Flags:
    flags = Flags(since=NOON, follows_api=True, connected=True)
    for text in texts:
        flags = offer(flags, text, Origin.WATCH, now)
    return flags


def test_past_its_validity_a_document_has_nothing_compared_either():
    # Given a share with a shadow
    flags = following(document(25, shadow=10))
    assert flags.share.shadow == 10
    # When its validity ends, then nobody is in the new arm, and nothing is sampled for a rollout that nobody watches
    flags = tick(flags, LATER)
    assert (flags.share.percentage, flags.share.shadow) == (0, 0)


def test_once_expired_nothing_happens_by_itself_any_more():
    # Given a document whose end is to come
    flags = following(document(25))
    assert flags.deadline == VALID
    # When it has come, then there is no other to wait for
    assert tick(flags, LATER).deadline is None


def test_an_older_document_does_not_come_back_when_the_newer_one_expires():
    # Given a document that has expired
    flags = tick(following(document(25, revision=7)), LATER)
    # When a mounted copy shows an older one, of a share that needs no end
    flags = offer(flags, document(100, revision=6, valid_until=None), Origin.FILE, LATER)
    # Then everybody stays on baseline
    assert (flags.state, flags.share.percentage, flags.ignored) == (FlagState.EXPIRED, 0, 1)


@pytest.mark.parametrize("percentage", [1, 50, 99])
def test_a_share_of_some_needs_an_end(percentage: int):
    # Given no document, when one comes that lets some into the new arm and never ends
    flags = following(document(percentage, valid_until=None))
    # Then it is refused
    assert (flags.document, flags.refused) == (None, 1)
    assert "needs valid_until" in flags.last_refusals[Origin.WATCH].reason


@pytest.mark.parametrize("percentage", [0, 100])
def test_a_share_of_nobody_or_everybody_needs_none(percentage: int):
    assert following(document(percentage, valid_until=None)).share.percentage == percentage


@pytest.mark.parametrize("other", [10, 40, 100])
def test_of_two_that_contradict_each_other_only_the_way_back_to_nobody_is_taken(other: int):
    # Given a document in force, when another one comes with its revision and a share that is not nobody's
    flags = following(document(25), document(other))
    # Then the first stays in force, and the contradiction is told
    assert (flags.share.percentage, flags.refused) == (25, 1)
    # And one that leads everybody back is taken
    assert offer(flags, document(0, valid_until=None), Origin.WATCH, NOON).share.percentage == 0


@pytest.mark.parametrize("cache", [True, False])
def test_the_cache_has_a_switch_of_its_own(cache: bool):
    share = following(document(25, cache=cache)).share
    assert (share.rust_opa, share.rust_cache) == (True, cache)
