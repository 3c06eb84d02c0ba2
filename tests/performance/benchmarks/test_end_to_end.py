"""A whole authorization: through a sidecar, with its cache, in both arms; and what the caller itself costs."""

from __future__ import annotations

import json

import pytest

from sark_client import Client
from sark_e2e.performance import bodies, callers
from sark_e2e.performance.stand import ARMS, RUST, Stand
from sark_sidecar.in_process import DecisionPoint

from .conftest import FAST_ROUNDS, ROUNDS, WARM_UP, Timed


@pytest.mark.parametrize("arm", ARMS)
@pytest.mark.parametrize("kind", ["hit", "miss"])
def test_authorization(stand: Stand, timed: Timed, arm: str, kind: str):
    asked = stand.asked[kind]
    checked, answers = bodies.fresh(asked, 500)
    questions, _ = bodies.fresh(asked, ROUNDS + WARM_UP)
    with callers.raw(stand.url(arm, asked.path)) as ask:
        bodies.check(ask, checked, answers)
        timed(f"end-to-end-{kind}", arm, ask, questions)


@pytest.mark.parametrize("caller", ["aiohttp", "httpx", "raw"])
def test_caller_over_http(stand: Stand, timed: Timed, caller: str):
    asked = stand.asked["hit"]
    questions, _ = bodies.fresh(asked, ROUNDS + WARM_UP)
    ways = {"aiohttp": callers.with_aiohttp, "httpx": callers.with_httpx, "raw": callers.raw}
    with ways[caller](stand.url(RUST, asked.path)) as ask:
        timed("caller", caller, ask, questions)


def test_caller_of_the_project(stand: Stand, timed: Timed):
    asked = stand.asked["hit"]
    questions = [json.loads(body)["input"] for body in bodies.fresh(asked, ROUNDS + WARM_UP)[0]]
    with Client(stand.sidecars[RUST].data_url, path=asked.path) as client:
        timed("caller", "sark-client", client.decide, questions)


def test_caller_in_process(stand: Stand, timed: Timed):
    asked = stand.asked["hit"]
    questions = [json.loads(body)["input"] for body in bodies.fresh(asked, FAST_ROUNDS + WARM_UP)[0]]
    settings = {
        "policies": {"directory": str(stand.policies)},
        "opa": {"url": stand.opa.url},
        "cache": {"backend": "rust"},
        "feature_flags": {"rust_opa_enabled": True, "rust_cache_enabled": True, "rollout_percentage": 100},
        "admin": {"port": 0},
    }
    with DecisionPoint(settings, path=asked.path) as point:
        timed("caller", "in-process", point.decide, questions)
