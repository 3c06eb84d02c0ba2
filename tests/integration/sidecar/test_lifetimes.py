"""How long a decision of which class is kept: in Redis and in process, whoever evaluated it."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import pytest
import redis as redis_client

from sark_e2e.deadline import eventually
from sark_e2e.redis import RedisServer

from .conftest import RunningSidecar, StartSidecar

POLICY = """
package classed

decision := {"allow": true, "sensitivity": input.decided} if input.decided
else := {"allow": true}
"""
CLASSES = {"high": "2s", "others": {"weekly": "86400s"}}


def hits(sidecar: RunningSidecar, question: object) -> float:
    """How many of three more answers to a question came from a cache."""
    before = sidecar.metric("cache_operations_total", result="hit")
    for _ in range(3):
        assert sidecar.decide(question, path="classed/decision")[1]["result"]["allow"] is True
    return sidecar.metric("cache_operations_total", result="hit") - before


@pytest.mark.parametrize(("rust_opa", "rust_cache"), list(product([False, True], repeat=2)))
def test_every_combination_keeps_by_the_same_table(
    policies: Path, redis: RedisServer, start_sidecar: StartSidecar, rust_opa: bool, rust_cache: bool
):
    # Given a policy that may name a class, and a short life for what is high
    sidecar = started(policies, start_sidecar, rust_opa, rust_cache)

    # Then what has no class, or a lasting one, is kept
    for number, question in enumerate([{}, {"resource": {"sensitivity": "Low"}}, {"decided": "internal"}]):
        sidecar.decide({**question, "n": number}, path="classed/decision")
        eventually(lambda q={**question, "n": number}: hits(sidecar, q) == 3, what=f"hits of {question}", seconds=20)

    # And nothing critical or unknown is, wherever the word stands
    forgotten: list[dict[str, Any]] = [
        {"resource": {"sensitivity": "critical"}},
        {"resource": {"sensitivity": "SECRET"}},
        {"resource": {"sensitivity": "never heard of"}},
        {"tool": {"sensitivity_level": "restricted"}},
        {"decided": "critical"},
        {"resource": {"sensitivity": "low"}, "decided": "critical"},
    ]
    for question in forgotten:
        assert hits(sidecar, question) == 0, question

    # And what is high is kept for its two seconds
    high = {"resource": {"sensitivity": "high"}}
    eventually(lambda: hits(sidecar, high) == 3, what="hits of high", seconds=20)
    eventually(lambda: hits(sidecar, high) < 3, what="the end of high", seconds=20)

    # And no key in Redis lives longer than the report's five minutes, whatever the table says
    sidecar.decide({"resource": {"sensitivity": "weekly"}}, path="classed/decision")
    kept = redis_client.Redis.from_url(redis.url)
    try:
        keys = list(kept.scan_iter("*"))
        assert all(key.startswith(b"policy:decision:v2:") for key in keys)
        assert bool(keys) is (not rust_cache)
        assert all(0 < kept.pttl(key) <= 300_000 for key in keys)
    finally:
        kept.close()


def started(policies: Path, start_sidecar: StartSidecar, rust_opa: bool, rust_cache: bool) -> RunningSidecar:
    flags = {"rollout_percentage": 100, "rust_opa_enabled": rust_opa, "rust_cache_enabled": rust_cache}
    assert (policies / "classed.rego").exists()
    return start_sidecar(feature_flags=flags, cache={"classes": CLASSES})


@pytest.fixture
def policies(policies: Path) -> Path:
    """The usual ones and that."""
    (policies / "classed.rego").write_text(POLICY, encoding="utf-8")
    return policies
