"""Tokens in files and in headers."""

from __future__ import annotations

from pathlib import Path

import pytest

from sark_sidecar.bearer import TokenError, read_token, shows_token, tokens_in


def test_a_file_holds_one_token_a_line():
    assert tokens_in(b"first\n\n  second \r\n") == ["first", "second"]


@pytest.mark.parametrize("raw", [b"", b"\n \n", b"two words\n", "ä\n".encode(), b"x\x00y", b"t\n" * 65])
def test_what_holds_no_tokens_is_refused_without_being_shown(raw: bytes):
    with pytest.raises(TokenError) as caught:
        tokens_in(raw)
    assert "two words" not in str(caught.value)


def test_only_a_whole_token_is_one():
    tokens = ["first", "second"]
    for header in ("Bearer first", "bearer  second "):
        assert shows_token(header, tokens)
    for header in ("", "Bearer", "Bearer ", "Bearer firs", "Bearer firstx", "Bearer FIRST", "Basic first", "first", "Bearer é"):
        assert not shows_token(header, tokens)


def test_a_token_to_show_is_the_only_thing_in_its_file(tmp_path: Path):
    path = tmp_path / "token"
    with pytest.raises(TokenError, match="must hold one token"):
        read_token(path)
    path.write_text("one\n")
    assert read_token(path) == "one"
    path.write_text("one two")
    with pytest.raises(TokenError, match=f"{path} must hold one token") as caught:
        read_token(path)
    assert "two" not in str(caught.value).removeprefix(str(path))
