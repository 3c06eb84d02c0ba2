"""What Locust runs: each simulated application asks the sidecar beside it, at a rate of its own, whatever the answers.

Set by `traffic.load` through the environment. A Locust file is run by path, so it stands in a folder without modules whose
names the standard library has too.
"""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from itertools import count
from pathlib import Path
from typing import Any

import gevent  # type: ignore[import-untyped]
from locust import FastHttpUser, constant_throughput, events, task
from locust.env import Environment

from sark_e2e.traffic.mix import PATH, Mix

TARGETS: list[str] = json.loads(os.environ["SARK_TRAFFIC_TARGETS"])
RATE_PER_USER = float(os.environ["SARK_TRAFFIC_RATE_PER_USER"])
STATS = Path(os.environ["SARK_TRAFFIC_STATS"])

_numbers = count()
_answers: Counter[str] = Counter()


class Application(FastHttpUser):
    """One application instance. A slow answer delays only its own next question, so the rate stays near what was set."""

    wait_time = constant_throughput(RATE_PER_USER)
    host = TARGETS[0]
    connection_timeout = 2.0
    network_timeout = 5.0

    def __init__(self, environment: Environment) -> None:
        self.number = next(_numbers)
        self.host = TARGETS[self.number % len(TARGETS)]
        super().__init__(environment)
        self.mix = Mix(seed=self.number)

    @task
    def decide(self) -> None:
        """Ask one question and count what was answered."""
        with self.client.post(PATH, json=self.mix.question(), name="decision", catch_response=True) as answer:
            if answer.status_code != 200:
                _answers[f"http {answer.status_code}"] += 1
                answer.failure(f"status {answer.status_code}")
                return
            decision = answer.json().get("result")
            if not isinstance(decision, dict) or not isinstance(decision.get("allow"), bool):
                _answers["no decision"] += 1
                answer.failure("no decision")
                return
            _answers["allow" if decision["allow"] else "deny"] += 1


def _start(environment: Environment, **_: Any) -> None:
    gevent.spawn(_write_for_ever, environment)


def _finish(environment: Environment, **_: Any) -> None:
    _write(environment)


def _write_for_ever(environment: Environment) -> None:
    while True:
        gevent.sleep(1)
        _write(environment)


def _write(environment: Environment) -> None:
    total = environment.stats.total
    summary = {
        "time": time.time(),
        "requests": total.num_requests,
        "failures": total.num_failures,
        "requests_per_second": total.current_rps,
        "p50_ms": total.get_response_time_percentile(0.5),
        "p95_ms": total.get_response_time_percentile(0.95),
        "p99_ms": total.get_response_time_percentile(0.99),
        "answers": dict(_answers),
    }
    fresh = STATS.with_suffix(".new")
    fresh.write_text(json.dumps(summary), encoding="utf-8")
    fresh.rename(STATS)


events.test_start.add_listener(_start)  # type: ignore[no-untyped-call]
events.quitting.add_listener(_finish)  # type: ignore[no-untyped-call]
