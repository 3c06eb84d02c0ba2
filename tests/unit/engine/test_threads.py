"""An engine shared by threads: evaluations run side by side, and Python runs on beside them."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sark_engine import Engine, EvaluationTimeout, Policies

LOOPS = "count([1 | some i in numbers.range(1, 9000); some j in numbers.range(1, 9000); i == j])"


@pytest.mark.parametrize(("method", "question"), [("evaluate", b"{}"), ("decide", b"{}"), ("evaluate_object", {})])
def test_another_thread_runs_while_one_evaluates(method: str, question: Any):
    engine = Engine(Policies([("p.rego", f"package p\nslow := {LOOPS}")]), evaluation_timeout_seconds=0.2)
    asked, answered = threading.Event(), threading.Event()

    def ask() -> None:
        asked.set()
        # However fast the engine is, this ends at its limit: the evaluation takes 0.2 seconds.
        with pytest.raises(EvaluationTimeout):
            getattr(engine, method)("p/slow", question)
        answered.set()

    thread = threading.Thread(target=ask)
    thread.start()
    asked.wait()
    count = 0
    while not answered.is_set():
        count += 1
    thread.join()
    # A thread that holds the GIL for those 0.2 seconds would let this loop make a turn or two.
    assert count > 1_000


def test_many_threads_share_an_engine_and_each_gets_its_own_answers():
    engine = Engine(Policies([("p.rego", "package p\nsum := input.a + input.b")]))

    def ask(number: int) -> bool:
        question = {"a": number, "b": 2**80}
        return engine.evaluate_object("p/sum", question) == number + 2**80

    with ThreadPoolExecutor(16) as threads:
        assert all(threads.map(ask, range(2_000)))
