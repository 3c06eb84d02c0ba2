"""Which flag document is in force, whatever arrives in whatever order."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from hypothesis import assume, given
from hypothesis import strategies as st

from sark_api.flags import FeatureFlags, FlagDocument, FlagDocumentError, parse_flag_document
from sark_api.report import FlagState
from sark_sidecar.flags.state import Flags, Origin, connect, offer, tick

START = datetime(2026, 1, 1, tzinfo=UTC)
moments = st.integers(0, 600).map(lambda seconds: START + timedelta(seconds=seconds))
origins = st.sampled_from(Origin)


ENDS = (0, 100)
BETWEEN = (5, 25, 50, 99)
"""Shares that are in force for a while only."""


@st.composite
def documents(draw: st.DrawFn, percentages: Sequence[int] = (*ENDS, *BETWEEN)) -> FlagDocument:
    percentage = draw(st.sampled_from(percentages))
    return FlagDocument(
        feature_flags=FeatureFlags(
            rust_opa_enabled=draw(st.booleans()), rust_cache_enabled=draw(st.booleans()), rollout_percentage=percentage
        ),
        salt=draw(st.sampled_from(["a", "b"])),
        rollout=draw(st.sampled_from(["team/one", "team/two"])),
        revision=draw(st.integers(1, 12)),
        valid_until=draw(moments) if 0 < percentage < 100 else None,
    ).sealed()


def texts(document: FlagDocument) -> st.SearchStrategy[bytes]:
    whole = document.to_json().encode()
    cut = st.integers(0, len(whole) - 1).map(lambda length: whole[:length])
    flipped = st.tuples(st.integers(0, len(whole) - 1), st.integers(1, 255)).map(
        lambda change: whole[: change[0]] + bytes([whole[change[0]] ^ change[1]]) + whole[change[0] + 1 :]
    )
    return st.one_of(st.just(whole), cut, flipped)


offers = st.tuples(st.one_of(documents().flatmap(texts), st.binary(max_size=60)), origins)


def fresh(*, follows_api: bool = True) -> Flags:
    return Flags(since=START, follows_api=follows_api)


def after(flags: Flags, texts_and_origins: Iterable[tuple[bytes, Origin]], now: datetime = START) -> Flags:
    for text, origin in texts_and_origins:
        flags = offer(flags, text, origin, now)
    return flags


def whole_documents(texts_and_origins: Iterable[tuple[bytes, Origin]]) -> list[FlagDocument]:
    found = []
    for text, _ in texts_and_origins:
        try:
            found.append(parse_flag_document(text))
        except FlagDocumentError:
            continue
    return [each for each in found if each.valid_until is not None or each.percentage in {0, 100}]


@given(st.lists(offers, max_size=12))
def test_the_revision_in_force_never_goes_down(arriving: list[tuple[bytes, Origin]]):
    flags, highest = fresh(), 0
    for text, origin in arriving:
        flags = offer(flags, text, origin, START)
        assert flags.share.revision >= highest
        highest = flags.share.revision


@given(st.lists(offers, max_size=12))
def test_the_highest_whole_revision_wins_and_garbage_changes_nothing(arriving: list[tuple[bytes, Origin]]):
    whole = whole_documents(arriving)
    flags = after(fresh(), arriving)
    assert flags.share.revision == max((each.revision for each in whole), default=0)
    # The first document seen with that revision is the one, not a later one that contradicts it, but for the way back.
    with_it = [each for each in whole if each.revision == flags.share.revision]
    back = [each for each in with_it if each.percentage == 0]
    assert flags.document == next(iter(back or with_it), None)


@given(st.lists(documents(), max_size=8, unique_by=lambda each: each.revision), st.data())
def test_the_order_and_the_sources_make_no_difference(arriving: list[FlagDocument], data: st.DataObject):
    shuffled = data.draw(st.permutations(arriving))
    one = after(fresh(), [(each.to_json().encode(), Origin.WATCH) for each in arriving])
    other = after(fresh(), [(each.to_json().encode(), data.draw(origins)) for each in shuffled])
    assert one.share == other.share
    assert one.document == other.document


@given(documents(BETWEEN), st.lists(moments, max_size=6))
def test_past_its_validity_a_document_serves_nobody_even_if_the_clock_goes_back(document: FlagDocument, clock: list[datetime]):
    flags = offer(fresh(), document.to_json(), Origin.WATCH, START)
    ended = False
    for now in clock:
        flags = tick(flags, now)
        ended = ended or document.expired(now)
        assert flags.share.percentage == (0 if ended else document.percentage)
        assert (flags.state is FlagState.EXPIRED) is ended
        # Showing the same document again does not revive it.
        assert offer(flags, document.to_json(), Origin.FILE, now).share == flags.share


@given(documents(ENDS), st.timedeltas(timedelta(0), timedelta(days=3650)))
def test_a_document_at_0_or_100_percent_lasts(document: FlagDocument, later: timedelta):
    flags = tick(offer(fresh(), document.to_json(), Origin.WATCH, START), START + later)
    assert flags.share.percentage == document.percentage
    assert flags.deadline is None


@given(documents(BETWEEN), st.lists(offers, max_size=5))
def test_a_document_that_arrives_late_counts_but_serves_nobody(document: FlagDocument, before: list[tuple[bytes, Origin]]):
    newest = document.model_copy(update={"revision": 50}).sealed()
    late = newest.valid_until + timedelta(seconds=1) if newest.valid_until else START
    flags = offer(after(fresh(), before), newest.to_json(), Origin.WATCH, late)
    assert (flags.share.revision, flags.share.percentage) == (50, 0)
    # A stale writer cannot bring an older share back.
    older = document.model_copy(update={"revision": 49, "valid_until": late + timedelta(days=1)}).sealed()
    assert offer(flags, older.to_json(), Origin.WATCH, late).share == flags.share


@given(st.lists(offers, max_size=12))
def test_every_text_is_either_adopted_or_known_or_counted(arriving: list[tuple[bytes, Origin]]):
    flags = fresh()
    for text, origin in arriving:
        before = flags
        flags = offer(flags, text, origin, START)
        adopted = flags.document is not before.document
        repeated = origin in before.last_refusals and flags == before
        known = before.document is not None and before.document in whole_documents([(text, origin)])
        assert adopted + (flags.refused - before.refused) + (flags.ignored - before.ignored) == (0 if repeated or known else 1)


@given(documents(), st.booleans(), st.booleans())
def test_the_state_says_where_the_flags_come_from(document: FlagDocument, follows_api: bool, up: bool):
    empty = connect(fresh(follows_api=follows_api), up=up)
    assert empty.state is FlagState.NONE
    filled = offer(empty, document.to_json(), Origin.FILE, START)
    assume(not filled.expired)
    expected = (FlagState.WATCHING if up else FlagState.STALE) if follows_api else FlagState.FILE
    assert filled.state is expected


@given(documents(), documents())
def test_since_moves_exactly_when_requests_are_assigned_differently(one: FlagDocument, other: FlagDocument):
    later = START + timedelta(seconds=1)
    first = offer(fresh(), one.model_copy(update={"revision": 1}).sealed().to_json(), Origin.WATCH, START)
    second = offer(first, other.model_copy(update={"revision": 2}).sealed().to_json(), Origin.WATCH, later)
    told_apart = json.dumps(
        [first.share.percentage, first.share.salt, first.share.rollout, first.share.rust_opa, first.share.rust_cache]
    )
    told_now = json.dumps(
        [second.share.percentage, second.share.salt, second.share.rollout, second.share.rust_opa, second.share.rust_cache]
    )
    assert (second.since == later) is (told_apart != told_now)
