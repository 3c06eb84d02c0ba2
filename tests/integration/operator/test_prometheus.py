"""Reading metrics from a real Prometheus: what it says of queries, in its own words and forms."""

from __future__ import annotations

import asyncio
import http.server
import threading
import time
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio
from kubernetes import client

from sark_api.spec import SarkRolloutSpec
from sark_e2e.loopback import LoopbackNetwork
from sark_e2e.pod import PodAddress, create_pod, delete_pod, set_status
from sark_e2e.prometheus import PrometheusServer
from sark_operator.core.observation import ArmWindow, CountedPlane, Metrics, Missing
from sark_operator.shell import promql
from sark_operator.shell.clock import SystemClock
from sark_operator.shell.metrics import PrometheusMetrics
from sark_operator.shell.prometheus import PrometheusDoor, Server
from sark_operator.shell.telemetry import Telemetry

pytestmark = pytest.mark.asyncio

PORT = 8182

QUESTIONS: dict[str, promql.QueryOf] = {
    "requests": promql.requests,
    "latency": promql.latency,
    "fallbacks": promql.fallbacks,
    "evaluations": promql.evaluations,
    "lookups": promql.lookups,
    "comparisons": promql.comparisons,
    "mismatches": promql.mismatches,
    "cpu": promql.cpu,
    "scraped": promql.scraped,
    "claimants": promql.claimants,
    "counted_requests": promql.counted_requests,
    "counted_latency": promql.counted_latency,
    "counted_fallbacks": promql.counted_fallbacks,
    "counted_evaluations": promql.counted_evaluations,
    "counted_lookups": promql.counted_lookups,
    "counted_comparisons": promql.counted_comparisons,
    "memory": lambda _, about: promql.memory(about),
    "sample_age": lambda _, about: promql.sample_age(about),
    "alerts": lambda _, about: promql.alerts(about),
}
"""Whatever is asked about all rollouts of a server."""


class Exposition(http.server.BaseHTTPRequestHandler):
    """What a sidecar exposes, with ten more requests at each scrape, one of them an error."""

    rollout = ""
    scrapes = 0
    life = 1_000_000
    """Scrapes after which its counters begin anew."""

    def do_GET(self) -> None:
        type(self).scrapes += 1
        ruler, arm = f'sark_rollout="{self.rollout}"', f'sark_rollout="{self.rollout}",implementation="rust"'
        errors = self.scrapes % self.life
        ten = 10 * errors
        body = (
            f"sark_flag_revision{{{ruler}}} 7\n"
            f"process_resident_memory_bytes{{{ruler}}} {5e7 + self.scrapes}\n"
            f'sark_requests_total{{{arm},result="allow"}} {ten - errors}\n'
            f'sark_requests_total{{{arm},result="error"}} {errors}\n'
            f'sark_request_duration_seconds_bucket{{{arm},le="0.1"}} {ten // 2}\n'
            f'sark_request_duration_seconds_bucket{{{arm},le="+Inf"}} {ten}\n'
            f'implementation_fallback_total{{{ruler},feature="rust_opa",error_type="timeout"}} {errors}\n'
            f'opa_evaluation_duration_seconds_bucket{{{arm},le="0.0075"}} {ten // 2}\n'
            f'opa_evaluation_duration_seconds_bucket{{{arm},le="+Inf"}} {ten}\n'
            f'cache_operation_duration_seconds_bucket{{{arm},operation="get",le="0.00075"}} {ten}\n'
            f'cache_operation_duration_seconds_bucket{{{arm},operation="set",le="+Inf"}} {ten}\n'
            f'cache_operation_duration_seconds_bucket{{{arm},operation="get",le="+Inf"}} {ten}\n'
        ).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def sidecar(api: client.ApiClient, namespace: str, network: LoopbackNetwork, request: pytest.FixtureRequest) -> Iterator[str]:
    """A pod that exposes a sidecar's metrics; the value is the rollout it names, of its own namespace unless it is told which.

    It may begin anew after so many scrapes.
    """
    address = PodAddress(namespace, "gateway-0", network.pod())
    told = {"rollout": f"{namespace}/gateway", **getattr(request, "param", {})}
    exposition = type("Exposition", (Exposition,), told)
    with http.server.ThreadingHTTPServer((address.ip, PORT), exposition) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        create_pod(api, address, labels={"app": "gateway"}, metrics_port=PORT)
        set_status(api, address, ready=True, restarts=0)
        yield told["rollout"]
        delete_pod(api, address)
        server.shutdown()
        thread.join()


@pytest.fixture
def door() -> Iterator[PrometheusDoor]:
    made = PrometheusDoor(Telemetry())
    yield made
    made.close()


@pytest_asyncio.fixture
async def source(door: PrometheusDoor) -> AsyncIterator[PrometheusMetrics]:
    made = PrometheusMetrics(door, SystemClock())
    yield made
    await made.close()


async def read(
    source: PrometheusMetrics,
    address: str,
    rollout: str,
    *,
    expected: bool = False,
    counted_until: datetime | None = None,
    **custom: str,
) -> Metrics:
    criteria = {
        "window": "20s",
        "memoryGrowth": {"window": "30s"},
        "custom": [{"name": name, "query": query, "max": "5"} for name, query in custom.items()],
    }
    spec = SarkRolloutSpec.model_validate(
        {
            "target": {"matchLabels": {"app": "gateway"}, "flagsConfigMap": "flags"},
            "prometheus": {"address": address},
            "criteria": criteria,
            "interval": "1s",
        }
    )
    return await source.read(rollout, spec, expected=expected, counted_until=counted_until)


async def test_the_numbers_of_a_scraped_sidecar_are_read(
    source: PrometheusMetrics, prometheus_server: PrometheusServer, sidecar: str
) -> None:
    # Given a sidecar of a rollout that Prometheus scrapes, when its metrics have been seen twice
    deadline = time.monotonic() + 60
    while True:
        metrics = await read(
            source,
            prometheus_server.url,
            sidecar,
            expected=True,
            targets=f'count(up{{pod="gateway-0",namespace="{sidecar.partition("/")[0]}"}})',
        )
        # Requests and latencies are two questions, and a scrape may fall between them.
        if (
            not isinstance(metrics.arms, Missing)
            and (seen := metrics.arms.get("rust"))
            and seen.requests
            and seen.latency.total
        ):
            break
        assert time.monotonic() < deadline, metrics

    # Then nobody else names it, a tenth of the new arm's requests are errors and half of them are fast
    assert metrics.foreign == ()
    assert set(metrics.arms) == {"rust"}
    arm = metrics.arms["rust"]
    assert arm.errors / arm.requests == pytest.approx(0.1)
    assert arm.latency.counts[0] / arm.latency.total == pytest.approx(0.5)

    # And memory goes by pod, and the rollout's own criterion gives its number
    assert not isinstance(metrics.memory, Missing)
    assert [series.pod for series in metrics.memory] == ["gateway-0"]
    assert all(size > 5e7 for _, size in metrics.memory[0].points)
    assert metrics.custom == {"targets": 1.0}


@pytest.mark.parametrize("sidecar", [{"rollout": "elsewhere/gateway"}], indirect=True)
async def test_a_sidecar_of_another_namespace_is_told_from_the_fleet(
    source: PrometheusMetrics, prometheus_server: PrometheusServer, sidecar: str, namespace: str
) -> None:
    # Given a scraped pod whose series name the rollout of another namespace, when they have been seen
    deadline = time.monotonic() + 60
    while not (metrics := await read(source, prometheus_server.url, sidecar, expected=True)).foreign:
        assert time.monotonic() < deadline, metrics

    # Then the namespace they come from is told
    assert metrics.foreign == (namespace,)


@pytest.mark.parametrize("sidecar", [{"life": 10}], indirect=True)
async def test_counting_windows_hold_whole_requests_and_pass_over_a_restart(
    source: PrometheusMetrics, prometheus_server: PrometheusServer, sidecar: str
) -> None:
    # Given a sidecar with ten more requests at each scrape, whose counters begin anew at every tenth
    began = datetime.now(UTC)
    seen: dict[datetime, ArmWindow] = {}
    inside: dict[datetime, CountedPlane] = {}

    async def look() -> None:
        windows = (await read(source, prometheus_server.url, sidecar, counted_until=began)).windows
        assert not isinstance(windows, Missing), windows
        inside.update((window.end, window.plane) for window in windows)
        seen.update((window.end, window.arms["rust"]) for window in windows if "rust" in window.arms)

    # When its windows are read until it is left out, because its counters have begun anew
    deadline = time.monotonic() + 60
    while sum(arm.requests > 0 for arm in seen.values()) < 3 or datetime.now(UTC) - max(seen) < timedelta(seconds=6):
        await look()
        assert time.monotonic() < deadline, seen
        await asyncio.sleep(0.2)

    # Then each window holds what whole scrapes added, and none shows a fall, or a part of the results only
    for arm in seen.values():
        assert (arm.requests % 10, arm.errors * 10) == (0, arm.requests)
        assert arm.latency.total == arm.requests >= 0
        assert arm.requests <= 50

    # And what happened inside the new arm is counted in the same windows
    for end, arm in seen.items():
        plane = inside[end]
        assert plane.fallbacks == arm.errors
        assert plane.evaluations.total == plane.lookups.total == arm.requests
        assert plane.evaluations.counts[0] * 2 == plane.evaluations.total


async def test_a_narrowed_question_is_answered_as_one_about_all(
    door: PrometheusDoor, prometheus_server: PrometheusServer, sidecar: str
) -> None:
    # Given a server with the series of a rollout for a while
    server, window = Server(prometheus_server.url, 5.0), timedelta(seconds=10)
    deadline = time.monotonic() + 60
    while not (seen := await door.instant(server, promql.counted_requests(window, promql.only(sidecar)))):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.5)
    assert not isinstance(seen, Missing), seen
    then = datetime.now(UTC)

    # When each question is asked about all and about it, at one instant
    asked = {name: (query(window, ""), query(window, promql.only(sidecar))) for name, query in QUESTIONS.items()}
    answers = {
        name: (await door.instant(server, about_all, then), await door.instant(server, about_it, then))
        for name, (about_all, about_it) in asked.items()
    }

    # Then the answers are the same as far as it is concerned, and only about it
    for name, (about_all, about_it) in answers.items():
        assert not isinstance(about_all, Missing), about_all
        own = [row for row in about_all if row["metric"].get("sark_rollout") == sidecar]
        assert sorted(own, key=str) == sorted(about_it, key=str), name
    silent = {name for name, (_, about_it) in answers.items() if not about_it}
    assert silent == {"cpu", "comparisons", "mismatches", "counted_comparisons", "alerts"}


async def test_a_rollout_nobody_follows_has_empty_arms(source: PrometheusMetrics, prometheus_server: PrometheusServer) -> None:
    metrics = await read(source, prometheus_server.url, "nobody/nothing")
    assert (metrics.arms, metrics.memory) == ({}, ())


async def test_prometheus_is_quoted_about_queries_it_refuses(
    source: PrometheusMetrics, prometheus_server: PrometheusServer
) -> None:
    # Given queries of every kind, when they are asked
    metrics = await read(
        source,
        prometheus_server.url,
        "nobody/nothing",
        works="1 + 1",
        misspelt="sum(rate(up[5m])",
        text='"words"',
        over="vector(1)[5m:1m]",
        undefined="vector(0) / 0",
        nobody="no_such_series",
        many='label_replace(vector(1), "a", "b", "", "") or vector(2)',
    )

    # Then one is a number and the rest say what is wrong with them
    assert metrics.custom["works"] == 2.0
    said = {name: value.message for name, value in metrics.custom.items() if isinstance(value, Missing)}
    assert "parse error: unclosed left parenthesis" in said["misspelt"]
    assert "no series" in said["nobody"]
    assert "2 series" in said["many"]
    assert "nan" in said["undefined"]
    assert set(said) == {"misspelt", "text", "over", "undefined", "nobody", "many"}


async def test_an_address_of_something_else_is_missing(
    source: PrometheusMetrics, prometheus_server: PrometheusServer, network: LoopbackNetwork
) -> None:
    # Given a path below which there is no query API, and a port where nothing listens
    elsewhere = await read(source, f"{prometheus_server.url}/elsewhere", "nobody/nothing")
    silent = await read(source, f"http://{network.server}:{network.port()}", "nobody/nothing")

    # Then both are missing, with the address in the sentence
    assert isinstance(elsewhere.arms, Missing)
    assert "HTTP 404" in elsewhere.arms.message
    assert isinstance(silent.arms, Missing)
    assert "connection refused" in silent.arms.message
