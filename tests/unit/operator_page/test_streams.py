"""Streams: few, not for ever, quiet while nothing happens, and given back when the viewer goes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest

from sark_operator.page import streams as subject
from sark_operator.page.streams import Frame, Streams, message


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject, "LOOK_SECONDS", 0.01)


async def nothing() -> AsyncGenerator[Frame, None]:
    for frame in ():
        yield frame


@pytest.mark.asyncio
async def test_a_message_is_sent_only_when_something_has_changed():
    marks = iter([1, 1, 1, 2, 2])
    streams, sent = Streams(), []

    async def look() -> AsyncGenerator[Frame, None]:
        mark = next(marks, None)
        if mark is None:
            streams.close()
            mark = 2
        yield Frame(mark, "", f"shown {mark}")

    sent = [chunk async for chunk in streams.follow(look)]
    assert sent[0].startswith(b"retry: ")
    assert sent[1:] == [b"data: shown 1\n\n", b"data: shown 2\n\n"]


@pytest.mark.asyncio
async def test_a_quiet_stream_tells_the_page_that_it_is_there_and_ends_when_it_is_old(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(subject, "QUIET_SECONDS", 0.02)
    monkeypatch.setattr(subject, "STREAM_SECONDS", 0.3)

    sent = [chunk async for chunk in Streams().follow(nothing)]
    assert b"event: beat\ndata: \n\n" in sent


@pytest.mark.asyncio
async def test_one_stream_too_many_is_told_to_come_back_later(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(subject, "MAX_STREAMS", 1)
    streams = Streams()
    first = streams.follow(nothing)
    assert b"event: open" in await anext(first)
    assert [chunk async for chunk in streams.follow(nothing)] == [b"retry: 15000\nevent: busy\ndata: too many viewers\n\n"]
    # And when the first viewer goes, there is room again
    await first.aclose()
    again = streams.follow(nothing)
    assert b"event: open" in await anext(again)
    await again.aclose()


@pytest.mark.asyncio
async def test_what_is_known_is_sent_while_the_rest_is_waited_for():
    streams, ended = Streams(), []

    async def look() -> AsyncGenerator[Frame, None]:
        try:
            yield Frame(1, "", "known")
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    messages = streams.follow(look)
    async with asyncio.timeout(10):
        assert [await anext(messages) for _ in range(2)][1] == b"data: known\n\n"
    # And when the viewer goes, nothing is waited for any longer
    await messages.aclose()
    assert ended == [True]


@pytest.mark.asyncio
async def test_a_stream_that_fails_gives_its_place_back():
    streams = Streams()

    async def look() -> AsyncGenerator[Frame, None]:
        raise RuntimeError
        yield

    with pytest.raises(RuntimeError):
        _ = [chunk async for chunk in streams.follow(look)]
    assert streams._open == 0


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n"])
def test_a_message_of_several_lines_is_one_message(end: str):
    assert message("curves", f"a{end}b") == b"event: curves\ndata: a\ndata: b\n\n"


@pytest.mark.parametrize("end", ["\n\n", "\r\r", "\r\n\r\n", "\n\r"])
def test_an_empty_line_in_it_does_not_end_it(end: str):
    assert message("", f"a{end}b") == b"data: a\ndata: \ndata: b\n\n"


@pytest.mark.parametrize("character", ["\u2028", "\u2029", "\x85", "\v", "\f"])
def test_what_ends_a_line_elsewhere_does_not_end_one_here(character: str):
    assert message("", f"a{character}b") == f"data: a{character}b\n\n".encode()
