"""Health rules are policies, and may take as long as these."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest

from sark_sidecar.rest import answering
from sark_sidecar.rest.answering import RestAnswering
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
