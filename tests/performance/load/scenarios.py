"""What Locust runs: each user asks twice a second, whatever the answers, and compares every decision with OPA's.

`sark_e2e.performance.scenarios` says how many users come, how fast and for how long; `sark_e2e.performance.load` starts this.
By hand, against a sidecar of yours:

    SARK_LOAD_URL=http://127.0.0.1:8180/v1/data/mcp/gateway/decision SARK_LOAD_BODIES=bodies.jsonl \
    SARK_LOAD_ANSWERS=answers.jsonl SARK_LOAD_STATS=stats.json \
    .venv/bin/locust --headless -f tests/performance/load/scenarios.py --users 50 --spawn-rate 5 --run-time 30m
"""

from __future__ import annotations

import itertools
import json
import os
import time
from pathlib import Path
from typing import Any

from locust import FastHttpUser, constant_throughput, events, task
from locust.env import Environment

from sark_e2e.bench.questions import MARK
from sark_e2e.performance.scenarios import PER_USER

URL = os.environ["SARK_LOAD_URL"]
BODIES = Path(os.environ["SARK_LOAD_BODIES"]).read_text(encoding="utf-8").splitlines()
ANSWERS = Path(os.environ["SARK_LOAD_ANSWERS"]).read_text(encoding="utf-8").splitlines()
STATS = Path(os.environ["SARK_LOAD_STATS"])

_numbers = itertools.count(int(time.time() * 1e6))
_wrong: list[str] = []


class Application(FastHttpUser):
    """One application instance. A slow answer delays only its own next question."""

    wait_time = constant_throughput(PER_USER)
    host = URL
    connection_timeout = 5.0
    network_timeout = 10.0

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self.turn = next(_numbers) % len(BODIES)

    @task
    def decide(self) -> None:
        self.turn = (self.turn + 1) % len(BODIES)
        body, expected = BODIES[self.turn], ANSWERS[self.turn]
        if MARK in body:
            digits = f"{next(_numbers):016d}"[-16:]
            body, expected = body.replace(MARK, digits), expected.replace(MARK, digits)
        headers = {"Content-Type": "application/json"}
        with self.client.post(URL, data=body, headers=headers, name="decision", catch_response=True) as answer:
            if answer.status_code != 200:
                answer.failure(f"status {answer.status_code}")
                return
            text = answer.text.strip()
            if text != expected and json.loads(text) != json.loads(expected):
                _wrong.append(f"{text}; expected was {expected}")
                answer.failure("a wrong decision")


def _write(environment: Environment, **_: Any) -> None:
    total = environment.stats.total
    by_second = total.num_reqs_per_sec
    first = min(by_second, default=0)
    summary = {
        "requests": total.num_requests,
        "failures": total.num_failures,
        "wrong": len(_wrong),
        "first_wrong": _wrong[0] if _wrong else "",
        "each_second": [by_second.get(second, 0) for second in range(first, max(by_second, default=0) + 1)],
        **{f"p{percent}_ms": total.get_response_time_percentile(percent / 100) or 0 for percent in (50, 95, 99)},
    }
    STATS.write_text(json.dumps(summary), encoding="utf-8")
    if _wrong:
        environment.process_exit_code = 3


events.quitting.add_listener(_write)
