"""What `/health` and its rules say: a rule is a policy, may take as long as any, and is healthy when it says true only."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest
from sark_engine import EvaluationError

from sark_sidecar.rest import answering
from sark_sidecar.rest.answering import RestAnswering
from sark_sidecar.rest.health import health, health_rule
from sark_sidecar.rest.request import RestRequest


class Engine:
    """Evaluates until the event loop has done something else."""

    def __init__(self) -> None:
        self.begun, self.others = threading.Event(), threading.Event()
        self.had_others = False

    def evaluate_aside(self, path: str, input: bytes | None = None) -> bytes | None:  # noqa: A002 - the engine's word
        del path, input
        self.begun.set()
        self.had_others = self.others.wait(10)
        return b"true"


@pytest.mark.asyncio
async def test_a_health_rule_that_takes_long_holds_up_nobody(monkeypatch: pytest.MonkeyPatch):
    # Given a health rule that takes long
    monkeypatch.setattr(answering.own, "plugin_states", lambda _: {"bundle": "OK"})
    nothing: Any = SimpleNamespace()
    engine = Engine()
    with ThreadPoolExecutor(1) as threads:
        rest = RestAnswering(nothing, nothing, engine, nothing, threads=threads)
        # When it is asked for
        asked = asyncio.ensure_future(rest.answer(RestRequest("GET", "/health/live", [], b"")))
        while not engine.begun.is_set():  # noqa: ASYNC110 - set by a thread
            await asyncio.sleep(0.001)
        engine.others.set()
        answer = await asked
    # Then the event loop went on meanwhile
    assert engine.had_others
    assert (answer.status, answer.body.strip()) == (200, b"{}")


class Deciding:
    """Decides always the same."""

    def __init__(self, decision: bytes | Exception | None) -> None:
        self.decision = decision

    def evaluate_aside(self, path: str, input: bytes | None = None) -> bytes | None:  # noqa: A002 - the engine's word
        del path, input
        if isinstance(self.decision, Exception):
            raise self.decision
        return self.decision


def get(target: str) -> RestRequest:
    return RestRequest("GET", target, [], b"")


@pytest.mark.parametrize(
    "decision",
    [b"false", b"null", b'"true"', b"1", b'{"allow":true}', None, EvaluationError("no"), ValueError("no path")],
    ids=lambda decision: repr(decision)[:20],
)
def test_only_true_is_healthy(decision: bytes | Exception | None):
    assert health_rule(get("/health/live"), {}, Deciding(decision)).status == 500
    assert health_rule(get("/health/live"), {}, Deciding(b"true")).status == 200


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("/health", 200),
        ("/health?plugins", 500),
        ("/health?plugins=true&exclude-plugin=flags", 200),
        ("/health?plugins=true&exclude-plugin=bundle", 500),
        ("/health?bundles", 200),
    ],
)
def test_a_part_that_is_not_ready_counts_where_it_is_asked_for_and_not_excluded(target: str, status: int):
    assert health(get(target), {"bundle": "OK", "flags": "NOT_READY"}).status == status


def test_policies_that_do_not_serve_are_no_activated_bundle():
    assert health(get("/health?bundles=true"), {"bundle": "NOT_READY", "flags": "OK"}).status == 500
