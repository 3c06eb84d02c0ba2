"""Chunks are as large as they may be, and never larger."""

from __future__ import annotations

import gzip
import json

from sark_sidecar.decision_logs.chunks import ChunkSize, pack


def test_a_chunk_is_an_array_in_gzip():
    assert json.loads(gzip.decompress(pack([b'{"a":1}', b'{"b":2}']))) == [{"a": 1}, {"b": 2}]


def test_the_size_is_learned_from_the_chunks_before():
    size = ChunkSize(1000)
    assert size.fits(100, 5)
    size.taken(100)
    assert size.uncompressed == 2000
    size.taken(900)
    assert size.uncompressed == 2000
    assert not size.fits(1001, 5)
    assert size.uncompressed == 1000
    # One event alone cannot be made smaller
    assert not size.fits(1001, 1)
    assert size.uncompressed == 1000


def test_a_receiver_that_took_little_for_a_while_is_given_more_again():
    # Given a receiver that has refused so often that one event is sent at a time
    size = ChunkSize(1000)
    for _ in range(20):
        size.refused()
    assert size.uncompressed == 1

    # When it takes all that follows, then chunks grow again, and not at once
    size.taken(50)
    assert size.uncompressed == 1
    for _ in range(30):
        size.taken(50)
    assert size.uncompressed == 64_000


def test_it_grows_and_shrinks_within_bounds():
    size = ChunkSize(1000)
    for _ in range(100):
        size.taken(1)
    assert size.uncompressed == 64_000
    for _ in range(100):
        size.refused()
    assert size.uncompressed == 1
