"""Who is let in: tokens, sessions, proxies, and how often one may be wrong."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from sark_operator.page.gate import (
    FAILURES,
    SESSION_SECONDS,
    WINDOW_SECONDS,
    Failures,
    bearer,
    client,
    comes_from,
    is_session,
    new_session,
    same,
)

TOKEN = b"correct horse battery staple"


@pytest.mark.parametrize("given", ["", "correct", TOKEN.decode() + "x", TOKEN.decode()[:-1], "\udcff"])
def test_only_the_token_is_the_token(given: str):
    assert same(TOKEN.decode(), TOKEN)
    assert not same(given, TOKEN)


@pytest.mark.parametrize(("header", "token"), [("Bearer a", "a"), ("bearer  a ", "a"), ("Basic a", ""), ("", ""), ("a", "")])
def test_a_bearer_token_is_read(header: str, token: str):
    assert bearer(header) == token


def test_a_session_lasts_for_its_time_and_for_its_token():
    session = new_session(TOKEN, 1000.0)
    assert TOKEN.decode() not in session
    assert is_session(session, TOKEN, 1000.0 + SESSION_SECONDS - 1)
    assert not is_session(session, TOKEN, 1000.0 + SESSION_SECONDS + 1)
    assert not is_session(session, b"another token", 1000.0)


@pytest.mark.parametrize(
    "text", ["", ".", "9999999999.", "9999999999." + "0" * 64, "x" * 10_000, "\udcff.\udcff", "²." + "0" * 64]
)
def test_what_was_not_begun_with_the_token_is_no_session(text: str):
    assert not is_session(text, TOKEN, 1000.0)


def test_a_session_cannot_be_made_longer():
    end, _, signature = new_session(TOKEN, 1000.0).partition(".")
    assert not is_session(f"{int(end) + 1}.{signature}", TOKEN, 1000.0)


@pytest.mark.parametrize(
    ("peer", "let_in"), [("10.1.2.3", True), ("::ffff:10.1.2.3", True), ("10.2.0.1", False), ("", False), ("name", False)]
)
def test_a_proxy_is_known_by_where_it_connects_from(peer: str, let_in: bool):
    assert comes_from(peer, [ip_network("10.1.0.0/16")]) is let_in


@pytest.mark.parametrize(
    ("peer", "forwarded", "told"),
    [
        ("10.1.2.3", "", "10.1.2.3"),
        ("10.1.2.3", "192.0.2.7", "192.0.2.7"),
        ("10.1.2.3", "198.51.100.1, 192.0.2.7, 10.1.9.9", "192.0.2.7"),  # what the client itself wrote comes before
        ("10.1.2.3", "fd00::7", "fd00::7"),
        ("10.1.2.3", "10.1.0.1", "10.1.0.1"),
        ("10.1.2.3", "192.0.2.7:4711", "10.1.2.3"),
        ("10.1.2.3", "192.0.2.7, unknown", "10.1.2.3"),
        ("10.2.0.1", "192.0.2.7", "10.2.0.1"),  # it is no proxy of ours
    ],
)
def test_whom_a_proxy_forwards_is_the_last_it_did_not_come_from_itself(peer: str, forwarded: str, told: str):
    assert client(peer, forwarded, [ip_network("10.1.0.0/16")]) == told


def test_too_many_wrong_tokens_from_one_address_close_it_for_a_while():
    failures = Failures()
    for at in range(FAILURES):
        assert failures.wait("a", float(at)) == 0
        failures.count("a", float(at))
    assert failures.wait("a", 5.0) > 0
    assert failures.wait("b", 5.0) == 0
    assert failures.wait("a", WINDOW_SECONDS + 0.5) == 0


def test_only_so_many_addresses_are_remembered():
    failures = Failures()
    for number in range(5000):
        failures.count(str(number), 0.0)
    assert len(failures._seen) == 4096
