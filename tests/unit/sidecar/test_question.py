"""A question's canonical form and its key: equal questions share one, different ones never do."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sark_sidecar.opa.question import KEY_PREFIX, MOST_READ_BYTES, BadQuestion, Question, parse_question

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=4), inner, max_size=4)
    ),
    max_leaves=12,
)


def asked(value: object, **layout: object) -> Question:
    return parse_question("authz/allow", json.dumps({"input": value}, **layout).encode(), "")  # type: ignore[arg-type]


@given(json_values)
def test_the_canonical_input_means_what_was_asked(value: object):
    canonical = asked(value).input
    assert canonical is not None
    assert json.loads(canonical) == value
    assert json.loads(asked(value).body) == {"input": value}


@given(json_values)
def test_spacing_escapes_and_the_order_of_members_do_not_change_the_key(value: object):
    def backwards(node: object) -> object:
        if isinstance(node, dict):
            return {key: backwards(node[key]) for key in reversed(node)}
        return [backwards(each) for each in node] if isinstance(node, list) else node

    keys = {
        asked(value).key("r", "t"),
        asked(value, indent=2).key("r", "t"),
        asked(backwards(value), ensure_ascii=False).key("r", "t"),
    }
    assert len(keys) == 1


@given(json_values, json_values)
def test_different_inputs_have_different_keys(one: object, other: object):
    if json.dumps(one, sort_keys=True) != json.dumps(other, sort_keys=True):
        assert asked(one).key("r", "t") != asked(other).key("r", "t")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (b'{"input":12345678901234567890123}', b'{"input":12345678901234567890124}'),
        (b'{"input":0.12345678901234567891}', b'{"input":0.12345678901234567892}'),
        (b'{"input":1e300}', b'{"input":10e299}'),
        (b'{"input":null}', b"{}"),
        (b'{"input":{"a":[1,2]}}', b'{"input":{"a":[12]}}'),
        (b'{"input":1}', b'{"input":"1"}'),
        (b'{"input":true}', b'{"input":1}'),
    ],
)
def test_numbers_beyond_a_float_and_absence_are_told_apart(one: bytes, other: bytes):
    assert parse_question("p", one, "").key("r", "t") != parse_question("p", other, "").key("r", "t")


def test_path_revision_and_input_cannot_flow_into_one_another():
    keys = {
        Question("a/b", b"1").key("r", "t"),
        Question("a", b"1").key("rb", "t"),
        Question("a", b"1").key("r", "t"),
        Question("ab", b"1").key("r", "t"),
        Question("a/b", b"11").key("r", "t"),
        Question("a/b", b"1").key("r1", "t"),
        Question("a/b", b"1").key("r", "1t"),
        Question("a/b", b"1").key("r", ""),
    }
    assert len(keys) == 8
    assert all(key.startswith(KEY_PREFIX) and len(key) == len(KEY_PREFIX) + 64 for key in keys)


def test_of_a_member_given_twice_the_last_counts_for_the_key_and_for_opa():
    question = parse_question("p", b'{"input":{"user":"a","user":"b"}}', "")
    assert question.input == b'{"user":"b"}'


def test_only_input_is_asked_however_other_members_are_spelled():
    assert parse_question("p", b'{"Input":{"user":"root"},"input":{"user":"a"}}', "").body == b'{"input":{"user":"a"}}'
    assert parse_question("p", b'{"Input":{"user":"root"}}', "").body == b"{}"


def test_a_large_input_is_asked_as_it_is_written():
    # Given an input that no canonical form has: with white space, a member twice, an escape and a number beyond all floats
    text = b'{ "b" : 1e400, "a": "\\u00e9", "a": 2, "fill": "' + b"x" * MOST_READ_BYTES + b'" }'
    body = b'{"input":' + text + b"}"
    # When it is read, then OPA is sent the same bytes, and there is nothing to make a key of
    question = parse_question("p", body, "")
    assert (question.input, question.body, question.is_canonical) == (text, body, False)


def test_the_largest_body_that_is_read_is_canonical():
    around = len(b'{"input":""}')
    for size in (MOST_READ_BYTES, MOST_READ_BYTES + 1):
        body = b'{"input":"' + b"x" * (size - around) + b'"}'
        assert parse_question("p", body, "").is_canonical is (size == MOST_READ_BYTES)


def test_a_large_body_that_the_data_plane_does_not_hand_over_is_refused():
    fill = b'"' + b"x" * MOST_READ_BYTES + b'"'
    for body in (b'{"Input":1,"input":' + fill + b"}", b'{"input":' + fill, fill, b"[" + fill + b"]"):
        with pytest.raises(BadQuestion, match="malformed input document"):
            parse_question("p", body, "")


def test_a_get_asks_with_its_query():
    question = parse_question("p", b"", "input=%7B%22a%22%3A1%7D&metrics=true")
    assert (question.input, question.parameters) == (b'{"a":1}', "metrics=true")
    assert parse_question("p", b"", "").body == b"{}"


def test_segments_are_encoded_for_http():
    assert Question("a b/c%2F?/ü", None).url_path == "/v1/data/a%20b/c%252F%3F/%C3%BC"
    assert Question("", None).url_path == "/v1/data"


@pytest.mark.parametrize(
    ("path", "body", "query", "sentence"),
    [
        ("p", b"[1]", "", "the body must be a JSON object"),
        ("p", b'{"input":', "", "malformed input document"),
        ("p", b'{"input":NaN}', "", "malformed input document"),
        ("p", b"\xff", "", "malformed input document"),
        ("p", b'{"input":1e400}', "", "malformed input document"),
        ("p", b'{"input":' + b"[" * 500 + b"]" * 500 + b"}", "", "nests deeper"),
        ("p", b'{"input":' + b"[" * 100_000, "", "malformed input document"),
        ("a/../b", b"", "", "must not be"),
        ("p", b"", "input={", "query parameter input contains malformed"),
        ("p", b"", "&".join(f"a{n}=1" for n in range(40)), "more than 32 parameters"),
    ],
)
def test_what_is_no_question_is_refused(path: str, body: bytes, query: str, sentence: str):
    with pytest.raises(BadQuestion, match=sentence):
        parse_question(path, body, query)


def test_no_input_an_empty_one_and_null_have_keys_of_their_own():
    questions = [Question("authz/allow", None), Question("authz/allow", b""), Question("authz/allow", b"null")]
    assert len({question.key("r1", "table") for question in questions}) == len(questions)


@pytest.mark.parametrize("path", ["authz/./allow", "authz/../allow", ".", ".."])
def test_a_dot_in_a_path_is_refused(path: str):
    with pytest.raises(BadQuestion, match="a segment of the path"):
        parse_question(path, b"{}", "")
