from __future__ import annotations

import contextlib
import json
from datetime import UTC, datetime, timedelta

import mmh3
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sark_api.assignment import BUCKETS, bucket, in_new_arm
from sark_api.flags import (
    MAX_DOCUMENT_BYTES,
    FeatureFlags,
    FlagDocument,
    FlagDocumentError,
    flagd_document,
    parse_flag_document,
)

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def document(percentage: int = 25, revision: int = 12, **changes: object) -> FlagDocument:
    members: dict[str, object] = {
        "feature_flags": FeatureFlags(rust_opa_enabled=True, rust_cache_enabled=True, rollout_percentage=percentage),
        "salt": "uid",
        "rollout": "shop/gateway",
        "revision": revision,
        "valid_until": NOON,
        **changes,
    }
    return FlagDocument.model_validate(members).sealed()


def test_a_written_document_reads_back_equal() -> None:
    original = document()
    assert parse_flag_document(original.to_json()) == original


@pytest.mark.parametrize("member", ["feature_flags", "salt", "shadow", "rollout", "revision", "valid_until"])
def test_every_member_is_under_the_checksum(member: str) -> None:
    # Given a sealed document in which one member was edited by hand
    text = json.loads(document().to_json())
    edited = {
        "feature_flags": {"rust_opa_enabled": True, "rust_cache_enabled": True, "rollout_percentage": 100},
        "salt": "other",
        "shadow": {"enabled": True, "sample_percentage": 5},
        "rollout": "shop/other",
        "revision": 13,
        "valid_until": "2027-01-01T00:00:00Z",
    }
    text[member] = edited[member]
    # When it is read, then it is refused
    with pytest.raises(FlagDocumentError, match="sha256 does not match"):
        parse_flag_document(json.dumps(text))


@pytest.mark.parametrize("members", [{"sha256": ""}, {}], ids=["an empty one", "none"])
def test_a_document_without_a_checksum_is_refused(members: dict[str, str]) -> None:
    # Given a document whose checksum was taken out, when it is read, then it counts for nothing
    text = {name: value for name, value in json.loads(document().to_json()).items() if name != "sha256"}
    with pytest.raises(FlagDocumentError, match="sha256 does not match"):
        parse_flag_document(json.dumps({**text, **members}))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "not JSON"),
        ("{", "not JSON"),
        ("[]", "document"),
        ("null", "document"),
        ('{"revision": 1, "revision": 2}', "appears twice"),
        ("[" * 100_000, "bytes; at most"),
        ("[" * 60_000, "not JSON"),
        (" " * (MAX_DOCUMENT_BYTES + 1), "bytes; at most"),
        ('{"salt": "x"}', "feature_flags: Field required"),
    ],
)
def test_what_is_no_document_is_refused_with_a_sentence(text: str, complaint: str) -> None:
    with pytest.raises(FlagDocumentError, match=complaint):
        parse_flag_document(text)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("feature_flags", "rollout_percentage"), 101),
        (("feature_flags", "rollout_percentage"), -1),
        (("feature_flags", "rollout_percentage"), 5.5),
        (("feature_flags", "rollout_percentage"), "5"),
        (("feature_flags", "rust_opa_enabled"), "yes"),
        (("revision",), 0),
        (("revision",), True),
        (("valid_until",), "2026-01-01T00:00:00"),
        (("unknown",), 1),
    ],
)
def test_out_of_range_and_unknown_members_are_refused(path: tuple[str, ...], value: object) -> None:
    members = json.loads(document().to_json())
    place = members
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    with pytest.raises(FlagDocumentError, match=path[-1]):
        parse_flag_document(json.dumps(members))


def odd(*, ensure_ascii: bool = True, **changes: object) -> str:
    """A document in which members were edited by hand."""
    return json.dumps({**json.loads(document().to_json()), **changes}, ensure_ascii=ensure_ascii)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        pytest.param(odd(sha256="é" * 64), "sha256 does not match", id="a checksum that is no ASCII"),
        pytest.param(odd(sha256="é" * 64, ensure_ascii=False), "sha256 does not match", id="spelled plainly"),
        pytest.param(odd(sha256="\ud800"), "sha256", id="half a character as the checksum"),
        pytest.param(odd(sha256=None), "sha256", id="no checksum"),
        pytest.param(odd(valid_until="9999-12-31T23:59:59-14:00"), "valid_until", id="after the last year in UTC"),
        pytest.param(odd(valid_until="0001-01-01T00:00:00+14:00"), "valid_until", id="before the first year in UTC"),
        pytest.param(odd(valid_until=1e300), "valid_until", id="a number beyond all years"),
        pytest.param(odd(salt="\ud800"), "salt", id="half a character as the salt"),
        pytest.param(odd(**{"\ud800": 1}), "document", id="half a character as a member"),
        pytest.param("\ud800", "Unicode", id="half a character as the text"),
        pytest.param(b"\xff\xfe", "not JSON", id="bytes that are no text"),
        pytest.param(odd(x=1).replace('"x": 1', '"x": ' + "9" * 5000), "not JSON", id="more digits than an integer may have"),
    ],
)
def test_odd_documents_are_refused_and_end_nothing(text: str | bytes, complaint: str) -> None:
    # When it is read, then it is refused as all others are, in words that every log and every API can spell
    with pytest.raises(FlagDocumentError, match=complaint) as caught:
        parse_flag_document(text)
    str(caught.value).encode()


def test_of_a_member_with_an_endless_name_only_the_beginning_is_told() -> None:
    with pytest.raises(FlagDocumentError, match="xxx") as caught:
        parse_flag_document(odd(**{"x" * 60_000: 1}))  # type: ignore[arg-type]  # no parameter has such a name
    assert len(str(caught.value)) < 300


def test_the_first_years_are_read_back_as_they_were_written() -> None:
    original = document(valid_until=datetime(1, 1, 1, tzinfo=UTC))
    assert parse_flag_document(original.to_json()) == original


@given(
    st.dictionaries(
        st.sampled_from(sorted(FlagDocument.model_fields)),
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.datetimes(timezones=st.timezones()).map(str),
    )
)
def test_no_value_of_a_member_crashes_the_reader(changes: dict[str, object]) -> None:
    members = {**json.loads(document().to_json()), **changes}
    # A text in which nothing was changed is a document.
    with contextlib.suppress(FlagDocumentError):
        parse_flag_document(json.dumps(members))


@given(st.text(max_size=300))
def test_no_text_crashes_the_reader(text: str) -> None:
    with pytest.raises(FlagDocumentError):
        parse_flag_document(text)


@given(st.integers(min_value=0, max_value=2_000))
def test_a_document_cut_off_anywhere_is_refused(length: int) -> None:
    whole = document().to_json().rstrip()
    cut = whole[: min(length, len(whole) - 1)]
    with pytest.raises(FlagDocumentError):
        parse_flag_document(cut)


def test_validity_ends_after_valid_until_and_never_without_it() -> None:
    assert not document().expired(NOON)
    assert document().expired(NOON + timedelta(seconds=1))
    assert not document(valid_until=None).expired(NOON + timedelta(days=10_000))


def test_known_buckets_stay_where_they_are() -> None:
    # A change of the rule would reshuffle every fleet in the middle of its rollout; these values pin it.
    assert [bucket("salt", subject) for subject in ("alice", "bob", "carol", "", "ünïcödé")] == [1951, 1146, 5511, 8317, 18]


@given(st.text(max_size=40), st.text(max_size=40))
def test_shares_are_nested_and_exact(salt: str, subject: str) -> None:
    place = bucket(salt, subject)
    assert 0 <= place < BUCKETS
    memberships = [in_new_arm(salt, subject, percentage) for percentage in range(101)]
    assert memberships == sorted(memberships)
    assert not memberships[0]
    assert memberships[100]


@given(st.integers(min_value=0, max_value=100), st.text(max_size=20), st.text(max_size=20))
def test_flagd_puts_a_subject_in_the_same_arm(percentage: int, salt: str, subject: str) -> None:
    # Given the flagd flag set of a document
    flag = json.loads(flagd_document(document(percentage, salt=salt)))["flags"]["rust_opa"]
    # When flagd's fractional rule is applied to it (murmur3 of the string, scaled to the weights' sum)
    if flag["targeting"]:
        expression, *weights = flag["targeting"]["fractional"]
        text = "".join(subject if part == {"var": "targetingKey"} else part for part in expression["cat"])
        total = sum(weight for _, weight in weights)
        place = (mmh3.hash(text, signed=False) * total) >> 32
        on = place < dict(weights)["on"]
    else:
        on = flag["defaultVariant"] == "on"
    # Then it agrees with ours
    assert on == in_new_arm(salt, subject, percentage)
