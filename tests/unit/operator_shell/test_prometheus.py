"""What a rollout is told of its metrics, whatever the server at the other end answers."""

from __future__ import annotations

import asyncio
import gzip
import http.server
import json
import re
import socket
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from math import inf
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import pytest_asyncio

from sark_api.names import (
    METRIC_CACHE_SECONDS,
    METRIC_CPU,
    METRIC_FALLBACK,
    METRIC_FLAG_REVISION,
    METRIC_MEMORY,
    METRIC_OPA_SECONDS,
    METRIC_REQUEST_SECONDS,
    METRIC_REQUESTS,
    METRIC_SHADOW_COMPARISONS,
    METRIC_SHADOW_MISMATCHES,
    METRIC_SHADOW_UNCONFIRMED,
)
from sark_api.spec import Prometheus, SarkRolloutSpec
from sark_operator.core.alerts import FiringAlert
from sark_operator.core.observation import (
    ArmWindow,
    Comparisons,
    CountedWindow,
    DataPlane,
    Histogram,
    MemorySeries,
    Metrics,
    Missing,
)
from sark_operator.core.sequential.weighing import countable
from sark_operator.core.tripwire import Tripwire
from sark_operator.shell import answers, audience, byte_budget, prometheus, promql, rooms
from sark_operator.shell import question as question_module
from sark_operator.shell.answers import AnswerError
from sark_operator.shell.audience import RARE
from sark_operator.shell.clock import SystemClock
from sark_operator.shell.metrics import PrometheusMetrics
from sark_operator.shell.origin import origin
from sark_operator.shell.precedence import Precedence
from sark_operator.shell.prometheus import PrometheusDoor
from sark_operator.shell.prometheus_access import Access, PrometheusServers
from sark_operator.shell.question import clock_ahead
from sark_operator.shell.telemetry import Telemetry
from sark_operator.shell.tripwires import Tripwires

pytestmark = pytest.mark.asyncio

ROLLOUT = "shop/gateway"
JSON = {"Content-Type": "application/json"}
TOPICS = 5
"""Of a rollout: its server, and the windows of its criteria, of counting, of memory, and of memory in a row."""


@dataclass
class Reply:
    body: bytes
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    release: threading.Event | None = None
    """What the answer waits for before a byte of it is sent."""
    pause: float = 0.0
    """Seconds between two bytes of the body."""
    drips: bytes = b""
    """What is sent byte by byte in place of everything, with the same pause."""
    stall: threading.Event | None = None
    """What is waited for when all has been sent."""


def success(kind: str, result: Any, **more: Any) -> Reply:
    return Reply(json.dumps({"status": "success", "data": {"resultType": kind, "result": result}} | more).encode())


def failure(status: int, kind: str, text: str) -> Reply:
    return Reply(json.dumps({"status": "error", "errorType": kind, "error": text}).encode(), status)


def vector(*series: tuple[dict[str, str], str], **more: Any) -> Reply:
    return success("vector", [{"metric": labels, "value": [1700000000.5, value]} for labels, value in series], **more)


def odd(*, labels: Any = None, at: Any = 1700000000.5) -> dict[str, Any]:
    """A series, of either kind, that Prometheus would not send."""
    return {"metric": labels or {}, "value": [at, "1"], "values": [[at, "1"]]}


class HandClock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.seconds = 1_700_000_000.0

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.seconds, UTC)

    def monotonic(self) -> float:
        return self.seconds


@dataclass
class Script:
    """A server on loopback that answers each metric with what is written here, and empty otherwise."""

    replies: dict[str, Reply] = field(default_factory=dict)
    """By a word of the query."""
    asked: list[dict[str, str]] = field(default_factory=list)
    url: str = ""
    holding: threading.Event = field(default_factory=threading.Event)
    """Set once an answer is being held back."""

    def reply(self, target: str) -> Reply:
        path, query = urlsplit(target).path, parse_qs(urlsplit(target).query)
        asked = {"path": path} | {name: values[0] for name, values in query.items()}
        self.asked.append(asked)
        empty = success("matrix" if path.endswith("range") else "vector", [])
        return next((reply for word, reply in self.replies.items() if word in asked.get("query", "")), empty)

    def all_metrics(self, reply: Reply) -> None:
        self.replies = {"": reply}


def handler(script: Script) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            reply = script.reply(self.path)
            if reply.release is not None:
                script.holding.set()
                reply.release.wait(30)
            try:
                if reply.drips:
                    self._send(replace(reply, body=reply.drips))
                    return
                self.send_response(reply.status)
                for name, value in {**JSON, "Content-Length": str(len(reply.body)), **reply.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self._send(reply)
            except OSError:
                self.close_connection = True  # the client has had enough

        def _send(self, reply: Reply) -> None:
            for part in [reply.body] if not reply.pause else [bytes([byte]) for byte in reply.body]:
                self.wfile.write(part)
                self.wfile.flush()
                time.sleep(reply.pause)
            if reply.stall is not None:
                reply.stall.wait(30)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Handler


class Listening(http.server.ThreadingHTTPServer):
    request_queue_size = 64
    """As many as are asked at once: the default of 5 lets the kernel drop a connection, which is tried again after a second."""


@pytest.fixture
def server() -> Iterator[Script]:
    script = Script()
    with Listening(("127.0.0.1", 0), handler(script)) as listening:
        script.url = f"http://127.0.0.1:{listening.server_port}"
        thread = threading.Thread(target=listening.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield script
        finally:
            for reply in script.replies.values():
                if reply.release is not None:
                    reply.release.set()
            listening.shutdown()
            thread.join()


@pytest.fixture
def telemetry() -> Telemetry:
    return Telemetry()


@pytest_asyncio.fixture
async def source(telemetry: Telemetry) -> AsyncIterator[PrometheusMetrics]:
    made = PrometheusMetrics(PrometheusDoor(telemetry), SystemClock())
    yield made
    await made.close()


def spec(address: str, *, custom: str = "", timeout: float = 5, window: str = "1m", interval: str = "15s") -> SarkRolloutSpec:
    criteria = {"window": window, "custom": [{"name": "queue", "query": custom, "max": "5"}] if custom else []}
    made = SarkRolloutSpec.model_validate(
        {
            "target": {"matchLabels": {"app": "gateway"}, "flagsConfigMap": "flags"},
            "prometheus": {"address": address},
            "criteria": criteria,
            "interval": interval,
        }
    )
    impatient = made.prometheus.model_copy(update={"timeout": timedelta(seconds=timeout)})
    return made.model_copy(update={"prometheus": impatient})


async def read(source: PrometheusMetrics, given: SarkRolloutSpec, rollout: str = ROLLOUT, *, expected: bool = False) -> Metrics:
    return await source.read(rollout, given, expected=expected)


async def custom(source: PrometheusMetrics, server: Script, reply: Reply) -> float | Missing:
    server.replies = {"queue_length": reply}
    return (await read(source, spec(server.url, custom="queue_length"))).custom["queue"]


def missing(value: object) -> Missing:
    assert isinstance(value, Missing), value
    assert "\n" not in value.message
    return value


def _present(windows: tuple[CountedWindow, ...] | Missing) -> tuple[CountedWindow, ...]:
    assert not isinstance(windows, Missing), windows
    return windows


def labels(arm: str, rollout: str = ROLLOUT, **more: str) -> dict[str, str]:
    return {"sark_rollout": rollout, "implementation": arm, **more}


def healthy(server: Script, rollout: str = ROLLOUT, age: str = "1.5") -> None:
    """Let the server know two arms, one of them with errors, and one pod."""
    server.replies = {
        METRIC_REQUESTS: vector(
            (labels("rust", rollout, result="allow"), "90.5"),
            (labels("rust", rollout, result="error"), "9.5"),
            (labels("python", rollout, result="deny"), "400"),
        ),
        METRIC_REQUEST_SECONDS: vector(
            (labels("rust", rollout, le="+Inf"), "100"),
            (labels("rust", rollout, le="0.25"), "97"),
            (labels("rust", rollout, le="0.05"), "80"),
        ),
        METRIC_FLAG_REVISION: vector(({"sark_rollout": rollout}, age)),
        METRIC_MEMORY: success(
            "matrix",
            [{"metric": {"sark_rollout": rollout, "pod": "gateway-0", "instance": "10.0.0.1:8182"}, "values": [[10, "5e7"]]}],
        ),
    }


async def test_arms_memory_and_queries_are_those_of_the_rollout(source: PrometheusMetrics, server: Script) -> None:
    # Given a server that knows the rollout, when it is read
    healthy(server)
    metrics = await read(source, spec(server.url, custom="vector(1)"), expected=True)

    # Then requests, errors and buckets are told apart by arm, the buckets in order
    latency = Histogram((0.05, 0.25, inf), (80.0, 97.0, 100.0))
    assert metrics.arms == {"rust": ArmWindow(100.0, 9.5, latency), "python": ArmWindow(400.0, 0.0, Histogram((), ()), 400.0)}
    assert metrics.memory == (MemorySeries("gateway-0", ((10.0, 5e7),)),)
    assert set(metrics.queries) == {
        *("errorRate", "latencyP95", "memoryGrowth", "queue"),
        *("fallbackRate", "opaP95", "cacheP95", "throughput", "cpu", "decisionMismatch", "alerts"),
    }
    assert metrics.queries["queue"] == "vector(1)"
    assert "[60s]" in metrics.queries["errorRate"]


async def test_what_takes_long_can_be_left_unasked(source: PrometheusMetrics, server: Script) -> None:
    # Given a server that knows the rollout, and counting windows that are over
    healthy(server)
    since = datetime.fromtimestamp(time.time() - 60, UTC)
    why = Missing("MetricsTimeout", "not waited for")
    given = spec(server.url, custom="queue_length")

    # When only the newest samples are asked for
    metrics = await source.read(ROLLOUT, given, expected=True, counted_until=since, unasked=why)

    # Then what may show a breach is seen, and the rest says why it is not
    assert not isinstance(metrics.arms, Missing)
    assert metrics.arms["rust"].errors == 9.5
    assert (metrics.memory, metrics.windows) == (why, why)
    assert metrics.custom == {"queue": Missing("MetricsTimeout", "criterion queue: not waited for")}
    plane = metrics.data_plane
    assert (plane.fallbacks, plane.evaluations, plane.lookups, plane.cpu) == (why,) * 4
    assert plane.shadow == Comparisons(0.0, 0.0)
    assert (metrics.scraped, metrics.foreign, metrics.alerts) == (why, why, ())
    # And nobody was asked for it
    assert all("step" not in each and each["query"] != "queue_length" for each in server.asked)

    # And who asks for all later gets all
    whole = await source.read(ROLLOUT, given, expected=True, counted_until=since)
    assert why not in (whole.memory, whole.windows, *whole.custom.values())
    assert {"3"} < {each["step"] for each in server.asked if "step" in each}
    assert "queue_length" in {each["query"] for each in server.asked}


async def test_who_looks_for_a_breach_alone_takes_what_was_known_some_seconds_ago(telemetry: Telemetry, server: Script) -> None:
    # Given answers that are nine seconds old, and a server that answers no more
    clock, why = HandClock(), Missing("MetricsTimeout", "not waited for")
    source = PrometheusMetrics(PrometheusDoor(telemetry), clock)
    healthy(server)
    await read(source, spec(server.url), expected=True)
    clock.seconds += 9
    held = Reply(b"", release=threading.Event())
    server.replies = dict.fromkeys((METRIC_REQUESTS, METRIC_REQUEST_SECONDS, METRIC_FLAG_REVISION, "ALERTS", "shadow"), held)

    # When somebody reads all, and somebody else looks for a breach
    whole = asyncio.create_task(read(source, spec(server.url), expected=True))
    assert await asyncio.to_thread(server.holding.wait, 10)
    glimpse = await asyncio.wait_for(source.read(ROLLOUT, spec(server.url), expected=True, unasked=why), 10)

    # Then only the former waits, and the latter says how old that is
    assert not whole.done()
    assert not isinstance(glimpse.arms, Missing)
    assert glimpse.arms["rust"].errors == 9.5
    assert glimpse.age == timedelta(seconds=9)
    assert held.release is not None
    held.release.set()
    await whole
    await source.close()


async def test_how_many_sidecars_are_seen_is_told_where_their_series_tell_them_apart(
    source: PrometheusMetrics, server: Script
) -> None:
    # Given a server that has fresh samples of two sidecars of one rollout, and those of another by a rule alone
    healthy(server)
    server.replies = {"count by": vector(({"sark_rollout": ROLLOUT}, "2")), **server.replies}
    assert (await read(source, spec(server.url), expected=True)).scraped == 2
    assert (await read(source, spec(server.url), "shop/other", expected=True)).scraped is None

    # Then it is not asked for before the sidecars know the rollout's name
    assert (await read(source, spec(server.url))).scraped is None

    # And an answer that is none is missing
    server.replies["count by"] = failure(500, "internal", "overloaded")
    assert isinstance((await read(source, spec(server.url, window="2m"), expected=True)).scraped, Missing)


async def test_whose_targets_name_the_rollout_is_told_by_their_namespace(source: PrometheusMetrics, server: Script) -> None:
    # Given series that name a rollout of shop, from its own namespace and two others, and of a rollout that has none elsewhere
    healthy(server)
    elsewhere = [({"sark_rollout": ROLLOUT, "namespace": each}, "1") for each in ("shop", "load", "billing")]
    server.replies = {
        "group by": vector(*elsewhere, ({"sark_rollout": "shop/other", "namespace": "shop"}, "1")),
        **server.replies,
    }

    # Then those that are not its own are told, also before the sidecars know its name
    assert (await read(source, spec(server.url), expected=True)).foreign == ("billing", "load")
    assert (await read(source, spec(server.url))).foreign == ("billing", "load")
    assert (await read(source, spec(server.url), "shop/other")).foreign == ()
    assert (await read(source, spec(server.url), "shop/third")).foreign == ()

    # And an answer that is none is missing
    server.replies["group by"] = failure(500, "internal", "overloaded")
    assert isinstance((await read(source, spec(server.url, window="2m"))).foreign, Missing)


async def test_alerts_that_fire_are_those_about_the_rollout(source: PrometheusMetrics, server: Script) -> None:
    # Given a server with alerts about two rollouts and about none
    healthy(server)
    names = {"__name__": "ALERTS", "alertstate": "firing"}
    server.replies["ALERTS"] = vector(
        ({**names, "alertname": "Slow", "sark_rollout": ROLLOUT, "severity": "page"}, "1"),
        ({**names, "alertname": "Slow", "sark_rollout": "shop/other"}, "1"),
        ({**names, "alertname": "DiskFull"}, "1"),
    )

    # When one of them is read, then it has its own, by the labels the alert was given
    metrics = await read(source, spec(server.url), expected=True)
    assert metrics.alerts == (FiringAlert.of({"alertname": "Slow", "sark_rollout": ROLLOUT, "severity": "page"}),)

    # And an alert that has just ended is gone as soon as somebody says so, however fresh the answer is
    server.replies["ALERTS"] = vector()
    assert (await read(source, spec(server.url), expected=True)).alerts == metrics.alerts
    source.forget_alerts()
    assert (await read(source, spec(server.url), expected=True)).alerts == ()


async def test_the_data_plane_is_told_apart_by_rollout_and_pod(source: PrometheusMetrics, server: Script) -> None:
    # Given a server that knows what two rollouts' sidecars measure inside the new arm
    healthy(server)
    server.replies |= {
        METRIC_FALLBACK: vector(({"sark_rollout": ROLLOUT}, "2.5"), ({"sark_rollout": "shop/other"}, "99")),
        METRIC_OPA_SECONDS: vector((labels("rust", le="+Inf"), "40"), (labels("rust", le="0.0075"), "39")),
        METRIC_CACHE_SECONDS: vector((labels("rust", le="+Inf"), "90"), (labels("rust", "shop/other", le="+Inf"), "7")),
        METRIC_SHADOW_COMPARISONS: vector(
            ({"sark_rollout": ROLLOUT, "result": "match"}, "80"),
            ({"sark_rollout": ROLLOUT, "result": "mismatch"}, "3"),
            ({"sark_rollout": ROLLOUT, "result": "unknown"}, "9"),
            ({"sark_rollout": ROLLOUT, "result": "unconfirmed"}, "2"),
            ({"sark_rollout": "shop/other", "result": "mismatch"}, "7"),
        ),
        METRIC_SHADOW_MISMATCHES: vector(
            ({"sark_rollout": ROLLOUT, "path": "authz/allow", "kind": "allow"}, "1"),
            ({"sark_rollout": ROLLOUT, "path": "authz/reason", "kind": "reason"}, "2"),
        ),
        METRIC_CPU: vector(
            ({"sark_rollout": ROLLOUT, "pod": "gateway-0", "instance": "10.0.0.1:8182"}, "0.25"),
            ({"sark_rollout": ROLLOUT, "pod": "gateway-0", "instance": "10.0.0.9:8182"}, "0.75"),
            ({"sark_rollout": ROLLOUT, "instance": "10.0.0.2:8182"}, "0.5"),
        ),
    }
    # When one of them is read
    plane = (await read(source, spec(server.url), expected=True)).data_plane
    # Then it has its own numbers
    assert plane == DataPlane(
        fallbacks=2.5,
        evaluations=Histogram((0.0075, inf), (39.0, 40.0)),
        lookups=Histogram((inf,), (90.0,)),
        cpu={"gateway-0": 0.75, "10.0.0.2:8182": 0.5},
        shadow=Comparisons(80.0, 3.0, (("authz/reason", "reason", 2.0), ("authz/allow", "allow", 1.0)), unconfirmed=2.0),
    )


async def test_what_the_data_plane_has_no_series_of_is_empty(source: PrometheusMetrics, server: Script) -> None:
    healthy(server)
    plane = (await read(source, spec(server.url), expected=True)).data_plane
    assert plane == DataPlane(None, Histogram((), ()), Histogram((), ()), {}, Comparisons())


async def test_nothing_of_a_rollout_that_has_not_begun_is_no_fault(source: PrometheusMetrics, server: Script) -> None:
    # Given a server that knows another rollout only
    healthy(server, rollout="shop/other")

    # When one is read whose sidecars have not been told its name
    metrics = await read(source, spec(server.url))

    # Then its arms are empty, not missing, and the other's numbers are not its own
    assert (metrics.arms, metrics.memory) == ({}, ())


async def test_nothing_of_a_rollout_in_force_is_missing(source: PrometheusMetrics, server: Script) -> None:
    healthy(server, rollout="shop/other")
    metrics = await read(source, spec(server.url), expected=True)
    assert missing(metrics.arms).reason == "MetricsAbsent"
    assert ROLLOUT in missing(metrics.memory).message


@pytest.mark.parametrize(
    ("window", "age", "stale"), [("1m", "29", False), ("1m", "31", True), ("5s", "4.9", False), ("5s", "6", True)]
)
async def test_old_samples_are_missing(source: PrometheusMetrics, server: Script, window: str, age: str, stale: bool) -> None:
    # Samples may be as old as half the window, and at least 5 s
    healthy(server, age=age)
    arms = (await read(source, spec(server.url, window=window), expected=True)).arms
    assert isinstance(arms, Missing) is stale
    if stale:
        assert missing(arms).reason == "MetricsStale"
        assert f"{age} s" in missing(arms).message


@pytest.mark.parametrize("ahead", [-300, 0, 300])
async def test_a_clock_that_is_not_ours_is_noticed(telemetry: Telemetry, server: Script, ahead: int) -> None:
    # Given a server that tells its own time with each answer, and a clock of ours that shows another
    healthy(server)
    clock = HandClock()
    clock.seconds -= ahead
    source = PrometheusMetrics(PrometheusDoor(telemetry), clock)

    # Then it is known how far it is ahead, and of one that knows no series nothing is
    assert (await read(source, spec(server.url))).clock_ahead == timedelta(seconds=ahead + 0.5)
    server.replies = {}
    clock.seconds += 60
    assert (await read(source, spec(server.url))).clock_ahead == timedelta(0)
    await source.close()


@pytest.mark.parametrize(("at", "ahead"), [(99.0, -1.0), (100.0, 0.0), (103.0, 0.0), (104.0, 0.0), (105.5, 1.5), (inf, 0.0)])
async def test_what_may_be_the_way_to_the_server_is_no_difference_of_clocks(at: float, ahead: float) -> None:
    asked, answered = datetime.fromtimestamp(100, UTC), datetime.fromtimestamp(104, UTC)
    assert clock_ahead(at, asked, answered) == timedelta(seconds=ahead)


async def test_an_age_that_is_not_a_number_is_old(source: PrometheusMetrics, server: Script) -> None:
    healthy(server, age="NaN")
    assert missing((await read(source, spec(server.url), expected=True)).arms).reason == "MetricsStale"


@pytest.mark.parametrize("value", ["NaN", "+Inf", "-Inf", "many"])
async def test_arms_with_a_number_that_is_none_are_missing(source: PrometheusMetrics, server: Script, value: str) -> None:
    healthy(server)
    server.replies[METRIC_REQUESTS] = vector((labels("rust", result="allow"), value))
    assert missing((await read(source, spec(server.url), expected=True)).arms).reason == "MetricsInvalid"


async def test_not_a_number_of_one_rollout_does_not_blind_another(source: PrometheusMetrics, server: Script) -> None:
    healthy(server)
    sick = vector((labels("rust", "shop/sick", result="allow"), "NaN"), (labels("rust", result="allow"), "7"))
    server.replies[METRIC_REQUESTS] = sick
    arms = (await read(source, spec(server.url), expected=True)).arms
    assert not isinstance(arms, Missing)
    assert arms["rust"].requests == 7


async def test_a_histogram_without_its_last_bucket_is_missing(source: PrometheusMetrics, server: Script) -> None:
    healthy(server)
    server.replies[METRIC_REQUEST_SECONDS] = vector((labels("rust", le="0.1"), "5"))
    assert "+Inf" in missing((await read(source, spec(server.url), expected=True)).arms).message


async def test_memory_goes_by_instance_where_there_is_no_pod(source: PrometheusMetrics, server: Script) -> None:
    healthy(server)
    unnamed = {"metric": {"sark_rollout": ROLLOUT, "instance": "10.0.0.9:8182"}, "values": [[2, "20"], [1, "10"]]}
    server.replies[METRIC_MEMORY] = success("matrix", [unnamed])
    metrics = await read(source, spec(server.url), expected=True)
    assert metrics.memory == (MemorySeries("10.0.0.9:8182", ((1.0, 10.0), (2.0, 20.0))),)


@pytest.mark.parametrize(
    "reply",
    [vector(({}, "2.5")), success("scalar", [1700000000, "2.5"]), vector(({}, "2.5"), infos=["PromQL info: rate of a gauge"])],
)
async def test_one_number_is_read(source: PrometheusMetrics, server: Script, reply: Reply) -> None:
    assert await custom(source, server, reply) == 2.5


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (vector(), "no series"),
        (vector(({"pod": "a"}, "1"), ({"pod": "b"}, "2"), ({"pod": "c"}, "3")), "3 series"),
        (vector(({}, "NaN")), "nan"),
        (success("scalar", [1700000000, "+Inf"]), "inf"),
        (success("matrix", [{"metric": {}, "values": [[1, "1"], [2, "2"]]}]), "value"),
        (success("vector", {"surprise": 1}), "in the form of its query API"),
        (success("vector", [[1, 2, 3]]), "unexpected form"),
    ],
)
async def test_anything_but_one_number_is_missing(source: PrometheusMetrics, server: Script, reply: Reply, words: str) -> None:
    answer = missing(await custom(source, server, reply))
    assert words in answer.message
    assert "criterion queue" in answer.message


async def test_a_partial_answer_is_missing(source: PrometheusMetrics, server: Script) -> None:
    answer = missing(await custom(source, server, vector(({}, "1"), warnings=["store 10.0.0.3 did not answer"])))
    assert answer.reason == "MetricsPartial"
    assert "store 10.0.0.3 did not answer" in answer.message


async def test_an_answer_that_says_it_is_partial_is_missing(source: PrometheusMetrics, server: Script) -> None:
    # As VictoriaMetrics says it of each answer, also of a whole one
    assert missing(await custom(source, server, vector(({}, "1"), isPartial=True))).reason == "MetricsPartial"


async def test_an_answer_that_says_it_is_whole_is_read(source: PrometheusMetrics, server: Script) -> None:
    assert await custom(source, server, vector(({}, "1"), isPartial=False)) == 1


@pytest.mark.parametrize("status", ["error", "", None])
async def test_an_answer_without_success_is_not_an_empty_one(
    source: PrometheusMetrics, server: Script, status: str | None
) -> None:
    # Given a server that says with HTTP 200 that it failed, and an empty result beside it
    server.all_metrics(vector(status=status, error="query timed out"))
    answer = missing((await read(source, spec(server.url))).alerts)

    # Then nothing is known
    assert answer.reason == "MetricsInvalid"
    assert status is None or "without success: query timed out" in answer.message


@pytest.mark.parametrize("status", [400, 422])
async def test_a_refused_query_quotes_the_server_within_bounds(source: PrometheusMetrics, server: Script, status: int) -> None:
    answer = missing(
        await custom(source, server, failure(status, "bad_data", "1:5: parse error: unexpected <by>" + "!" * 9000))
    )
    assert answer.reason == "MetricsQueryRefused"
    assert "1:5: parse error: unexpected <by>" in answer.message
    assert len(answer.message) < 500


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (Reply(b"upstream is down", 503), "HTTP 503"),
        (failure(503, "timeout", "query timed out in expression evaluation"), "query timed out in expression evaluation"),
        (Reply(b"", 404), "is this the address of a Prometheus?"),
        (Reply(b"<html>hello</html>"), "did not answer in JSON"),
        (Reply(b'{"status":"success"}'), "the form of its query API"),
        (Reply(b"[" * 100_000), "did not answer in JSON"),
        (success("vector", [odd(labels={"sark_rollout": [ROLLOUT]})]), "labels that are no mapping of texts"),
        (success("vector", [odd(at=1e300)]), "a time that no calendar has"),
        (success("vector", [odd(at="nan")]), "a time that no calendar has"),
        (success("vector", [odd(at=10**400)]), "not a time and a number"),
        (Reply(b"", 302, {"Location": "http://127.0.0.1:1/"}), "redirects"),
        (Reply(b'{"status":', headers={"Content-Length": "999"}, pause=0.001), "cannot be reached"),
    ],
)
async def test_every_part_is_missing_when_the_server_is_not_well(
    source: PrometheusMetrics, server: Script, telemetry: Telemetry, reply: Reply, words: str
) -> None:
    # Given a server that answers nothing but this, when a rollout is read
    server.all_metrics(reply)
    metrics = await read(source, spec(server.url, custom="queue_length", timeout=1))

    # Then each part is missing with a sentence that names the server and what is wrong
    plane = metrics.data_plane
    inside = (plane.fallbacks, plane.evaluations, plane.lookups, plane.cpu, plane.shadow)
    pods = (metrics.memory, metrics.sustained_memory, metrics.foreign)
    for part in (metrics.arms, *pods, metrics.custom["queue"], metrics.alerts, *inside):
        assert words in missing(part).message
        assert server.url in missing(part).message

    # And it was asked once for each, without a second try
    assert len(server.asked) == 15
    counted = telemetry.registry.get_sample_value("sark_operator_prometheus_query_seconds_count")
    assert counted == 15


def _raw(labels: bytes = b"{}", value: bytes = b'"1"') -> Reply:
    """An answer of one series, of either kind, whose bytes are as they are here."""
    series = b'{"metric": %s, "value": [1700000000.5, %s], "values": [[1700000000.5, %s]]}' % (labels, value, value)
    return Reply(b'{"status": "success", "data": {"resultType": "vector", "result": [%s]}}' % series)


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(_raw(labels=rb'{"sark_rollout": "\ud800"}'), id="half a pair in a label"),
        pytest.param(_raw(labels=rb'{"\udfff": "a"}'), id="half a pair in the name of a label"),
        pytest.param(_raw(labels=b'{"sark_rollout": "\xed\xa0\x80"}'), id="half a pair as bytes"),
        pytest.param(_raw(labels=b'{"sark_rollout": "\xff"}'), id="no UTF-8"),
        pytest.param(_raw(value=b"1e400"), id="a number beyond all"),
        pytest.param(_raw(value=rb'"\ud800"'), id="half a pair as a number"),
        pytest.param(Reply(rb'{"status": "success", "warnings": ["\ud800"], "data": {"result": []}}'), id="a warning"),
        pytest.param(Reply(b'{"status": "success", "warnings": ["\xff"], "data": {"result": []}}'), id="a warning in bytes"),
        pytest.param(Reply(b'{"status": "\xff", "data": {"result": []}}'), id="a status"),
        pytest.param(Reply(rb'{"status": "error", "error": "\ud800"}', 422), id="an error"),
        pytest.param(Reply(b'{"status": "error", "error": "\xff"}', 422), id="an error in bytes"),
        pytest.param(Reply(b'{"status": "error", "error": "\xff"}', 503), id="an error of a proxy in bytes"),
        pytest.param(Reply(b'{"status": "\xff", "error": 1e400}', 400), id="an error that is a number"),
    ],
)
async def test_what_is_no_text_or_no_number_is_told_as_the_answer_of_a_stranger(
    source: PrometheusMetrics, server: Script, reply: Reply
) -> None:
    # Given a server that answers all questions with half a character or with a number that is none
    server.all_metrics(reply)
    since = datetime.now(UTC) - timedelta(minutes=5)

    # When a rollout is read
    metrics = await source.read(ROLLOUT, spec(server.url, custom="queue_length"), expected=True, counted_until=since)

    # Then nothing is known of it, for a reason that can be stored, and none of them is what nobody foresaw
    plane = metrics.data_plane
    inside = (plane.fallbacks, plane.evaluations, plane.lookups, plane.cpu, plane.shadow)
    for part in (
        metrics.arms,
        metrics.memory,
        metrics.windows,
        metrics.foreign,
        metrics.custom["queue"],
        metrics.alerts,
        *inside,
    ):
        assert server.url in missing(part).message
        assert missing(part).message.encode()
        assert "cannot be reckoned with" not in missing(part).message


@pytest.mark.parametrize("broken", ["RequestsByArm", "firing"])
async def test_an_answer_that_nobody_foresaw_is_missing(
    source: PrometheusMetrics, server: Script, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    # Given a reader that fails at an answer
    def fails(*_: Any) -> Any:
        raise KeyError("surprise")

    healthy(server)
    monkeypatch.setattr(answers, broken, fails)

    # When the rollout is read, then that part is missing, and the others are there
    metrics = await read(source, spec(server.url), expected=True)
    part = metrics.arms if broken == "RequestsByArm" else metrics.alerts
    assert missing(part).reason == "MetricsInvalid"
    assert "cannot be reckoned with" in missing(part).message
    assert not isinstance(metrics.memory, Missing)


async def test_counting_windows_that_cannot_be_reckoned_with_are_missing(
    source: PrometheusMetrics, server: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given windows that fail when they are put together
    def fails(*_: Any) -> Any:
        raise OverflowError

    monkeypatch.setattr(question_module, "counted_windows", fails)

    # When the rollout is read, then they are missing, and the rest is there
    before = datetime.now(UTC) - timedelta(minutes=5)
    metrics = await source.read(ROLLOUT, spec(server.url), expected=False, counted_until=before)
    assert missing(metrics.windows).reason == "MetricsInvalid"
    assert "cannot be reckoned with" in missing(metrics.windows).message
    assert not isinstance(metrics.arms, Missing)


@pytest.mark.parametrize("packed", [False, True])
async def test_an_answer_without_end_is_cut_off(
    source: PrometheusMetrics, server: Script, monkeypatch: pytest.MonkeyPatch, packed: bool
) -> None:
    # Given a limit that the answer passes, be it only once it is unpacked
    monkeypatch.setattr(prometheus, "MAX_ANSWER_BYTES", 2 * 1024 * 1024)
    body = b" " * (3 * 1024 * 1024)
    server.all_metrics(Reply(gzip.compress(body), headers={"Content-Encoding": "gzip"}) if packed else Reply(body))
    assert "more than 2 MiB" in missing((await read(source, spec(server.url))).arms).message


async def test_of_an_error_only_the_beginning_is_read(source: PrometheusMetrics, server: Script) -> None:
    # Given an error that would take a minute to arrive after what may be quoted of it
    body = b'{"status":"error","error":"overloaded","more":"' + b"x" * 70_000
    server.all_metrics(Reply(body, 503, headers={"Content-Length": str(10 * len(body))}))

    # Then what is wrong is known at once
    answer = missing((await read(source, spec(server.url, timeout=3))).arms)
    assert "HTTP 503" in answer.message


async def test_an_answer_of_tiny_parts_is_not_read(source: PrometheusMetrics, server: Script) -> None:
    # Given a small answer that has millions of parts once it is unpacked
    body = b'{"status":"success","data":{"resultType":"vector","result":[' + b",".join([b"0"] * 5_000_000) + b"]}}"
    server.replies = {"queue_length": Reply(gzip.compress(body, 1), headers={"Content-Encoding": "gzip"})}
    answer = missing((await read(source, spec(server.url, custom="queue_length"))).custom["queue"])
    assert answer.reason == "MetricsInvalid"
    assert "more series or points than are read" in answer.message


async def test_the_body_of_a_redirect_is_not_read(source: PrometheusMetrics, server: Script) -> None:
    # Given a redirect whose body would take a minute to arrive
    server.all_metrics(Reply(b"x" * 6000, 302, {"Location": "/elsewhere"}, pause=0.01))
    metrics = await read(source, spec(server.url, timeout=1))
    assert "redirects" in missing(metrics.arms).message


async def test_a_server_that_hangs_is_late(source: PrometheusMetrics, server: Script) -> None:
    # Given a server that says nothing
    server.all_metrics(Reply(b"", release=threading.Event()))
    answer = missing((await read(source, spec(server.url, timeout=0.5))).arms)
    assert answer.reason == "MetricsTimeout"
    assert "did not answer within 0.5 s" in answer.message


async def test_a_server_that_drips_is_late(source: PrometheusMetrics, server: Script) -> None:
    # Given a server that sends a byte of each answer now and then
    server.all_metrics(Reply(b" " * 40, pause=0.2))
    metrics = await read(source, spec(server.url, timeout=0.5))
    said = [missing(answer) for answer in (metrics.arms, metrics.memory, metrics.alerts)]

    # Then the answers that came are late, and the others say that they waited for those
    late, behind = "did not answer within 0.5 s", "was not read within 0.5 s: other answers of it were still coming"
    assert {answer.reason for answer in said} == {"MetricsTimeout"}
    assert all(late in answer.message or behind in answer.message for answer in said)


@pytest.mark.parametrize(
    "reply",
    [
        Reply(b" " * 400, pause=0.1),
        Reply(b"", pause=0.1, drips=b"HTTP/1.1 200 OK\r\nX-A: " + b"a" * 400),
        Reply(b"", pause=0.1, drips=b"H" * 400),
        Reply(b"", pause=0.001, drips=b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"0" * 40_000),
    ],
    ids=["body", "header", "status", "chunk"],
)
async def test_a_server_that_drips_does_not_keep_its_thread(server: Script, telemetry: Telemetry, reply: Reply) -> None:
    # Given a server whose answer would take many times the timeout to arrive
    server.all_metrics(reply)
    door = PrometheusDoor(telemetry)

    # When the caller has been told that it is late
    missing(await door.instant(prometheus.Server(server.url, 0.3), "up"))

    # Then the thread is soon free for the next question
    async with asyncio.timeout(10):
        await asyncio.to_thread(door._pool.shutdown, wait=True)


@pytest.mark.parametrize("path", ["", "/%7Ea", "/a/../b", "/\u00e4", "/[x]"])
async def test_however_an_address_is_spelt_its_call_has_an_end(server: Script, telemetry: Telemetry, path: str) -> None:
    # Given an address that is sent otherwise than it is written, at which headers come a byte at a time
    server.all_metrics(Reply(b"", pause=0.1, drips=b"HTTP/1.1 200 OK\r\nX-A: " + b"a" * 400))
    door = PrometheusDoor(telemetry)
    missing(await door.instant(prometheus.Server(f"{server.url}{path}", 0.3), "up"))

    # Then the thread is soon free, and the room with it
    async with asyncio.timeout(10):
        await asyncio.to_thread(door._pool.shutdown, wait=True)


async def test_slow_queries_of_some_hold_up_no_question_about_all(source: PrometheusMetrics, server: Script) -> None:
    # Given more slow queries of criteria of their own, of many namespaces, than there are places
    healthy(server)
    held = Reply(b"", release=threading.Event())
    server.replies = {"slow": held, **server.replies}
    slow = [
        asyncio.create_task(
            source.read(f"team-{number}/gateway", spec(server.url, custom=f"slow_{number}", timeout=30), expected=False)
        )
        for number in range(rooms.PLACES + 1)
    ]
    assert await asyncio.to_thread(server.holding.wait, 10)

    # When another rollout is evaluated that asks at the same server, then it sees what is about all, and its own query waits
    metrics = await source.read(ROLLOUT, spec(server.url, custom="vector(1)", timeout=2, window="2m"), expected=True)
    assert not isinstance(metrics.arms, Missing)
    assert "was not asked within 2 s" in missing(metrics.custom["queue"]).message

    assert held.release is not None
    held.release.set()
    for task in slow:
        task.cancel()
    await asyncio.gather(*slow, return_exceptions=True)


async def test_of_the_answers_of_one_server_one_is_in_memory(server: Script, telemetry: Telemetry) -> None:
    # Given a server that sends much of each answer, and then no more
    stall = threading.Event()
    server.all_metrics(Reply(b" " * 250_000, headers={"Content-Length": "300000"}, stall=stall))
    door, most = PrometheusDoor(telemetry), 0
    many = [asyncio.create_task(door.instant(prometheus.Server(server.url, 1.5), f"up{number}")) for number in range(6)]

    # When many questions are under way, then the answer of one is taken in
    while not all(task.done() for task in many):
        most = max(most, sum(door._premises.budget._taken.values()))
        await asyncio.sleep(0.01)
    assert 0 < most <= 300_000
    assert {missing(task.result()).reason for task in many} == {"MetricsTimeout"}

    # And all is given back
    await asyncio.to_thread(door._pool.shutdown, wait=True)
    assert not door._premises.budget._taken
    assert not door._premises.turns._servers
    stall.set()


async def test_an_answer_for_which_there_is_no_memory_is_late(
    server: Script, telemetry: Telemetry, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given that others have left no memory
    monkeypatch.setattr(byte_budget, "PARTS", 1)
    door = PrometheusDoor(telemetry)
    shares = {"common": byte_budget.MOST - byte_budget.RESERVE, "ahead": byte_budget.RESERVE}
    for name, size in shares.items():
        assert door._premises.budget.take(name, size, 0.0, Precedence.AWAITED, lambda: None)
    healthy(server)

    # Then an answer is not taken in, and the message says so
    answer = missing(await door.instant(prometheus.Server(server.url, 0.5), METRIC_REQUESTS))
    assert (answer.reason, "other answers left no memory" in answer.message) == ("MetricsTimeout", True)

    # And when they have gone it is
    for name, size in shares.items():
        door._premises.budget.give(name, size)
    assert not isinstance(await door.instant(prometheus.Server(server.url, 5), METRIC_REQUESTS), Missing)


async def test_an_answer_that_stalls_with_the_last_memory_is_ended_for_others(
    server: Script, telemetry: Telemetry, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a server that stalls within an answer for which there is only the reserve
    monkeypatch.setattr(byte_budget, "HELD_SECONDS", 0.2)
    monkeypatch.setattr(byte_budget, "PARTS", 1)
    stall, door = threading.Event(), PrometheusDoor(telemetry)
    budget = door._premises.budget
    assert budget.take("common", byte_budget.MOST - byte_budget.RESERVE, 0.0, Precedence.AWAITED, lambda: None)
    server.all_metrics(Reply(b" " * 250_000, headers={"Content-Length": "300000"}, stall=stall))
    stalled = asyncio.create_task(door.instant(prometheus.Server(server.url, 20), METRIC_REQUESTS))
    while sum(budget._taken.values()) < byte_budget.MOST - byte_budget.RESERVE + 250_000:  # noqa: ASYNC110 - it is read in a thread
        await asyncio.sleep(0.01)

    # When another answer needs that, then it has it long before the time of the first is over, and that says why it is missing
    begun = time.monotonic()
    took = await asyncio.to_thread(budget.take, "other", 1000, begun + 15, Precedence.AWAITED, lambda: None)
    assert (took, time.monotonic() - begun < 10) == (True, True)
    answer = missing(await stalled)
    assert (answer.reason, "came too slowly" in answer.message) == ("MetricsTimeout", True)
    stall.set()
    await asyncio.to_thread(door._pool.shutdown, wait=True)


@pytest.mark.parametrize(
    ("taken", "why"), [("desk", "other answers were read before it"), ("turn", "other answers of it were still coming")]
)
async def test_a_server_is_not_blamed_for_what_others_took(telemetry: Telemetry, server: Script, taken: str, why: str) -> None:
    # Given an answer that is read all the while, of another server or of the same
    door = PrometheusDoor(telemetry)
    premises = door._premises
    if taken == "desk":
        assert premises.desk.enter(0.0, "others", Precedence.AWAITED)
    else:
        assert premises.turns.enter(origin(server.url), 0.0, Precedence.AWAITED)

    # When one more comes, then what is missing says that the server has answered
    answer = missing(await door.instant(prometheus.Server(server.url, 0.5), METRIC_REQUESTS))
    assert answer.reason == "MetricsTimeout"
    assert answer.message.endswith(f"answered, and was not read within 0.5 s: {why}")

    # And when that has ended it is read
    premises.desk.leave() if taken == "desk" else premises.turns.leave(origin(server.url))
    assert not isinstance(await door.instant(prometheus.Server(server.url, 5), METRIC_REQUESTS), Missing)
    await asyncio.to_thread(door._pool.shutdown, wait=True)


async def test_a_server_that_hangs_does_not_hold_up_another(source: PrometheusMetrics, server: Script) -> None:
    # Given more questions at four addresses of a server that hangs than there are threads in all
    held = Reply(b"", release=threading.Event())
    server.replies = {"hangs": held}
    paths = ["/hangs", "/hangs/too", "/x/../hangs", "/more"]
    hanging = [
        asyncio.create_task(read(source, spec(f"{server.url}{paths[number % 4]}", custom=f"hangs_{number}", timeout=30)))
        for number in range(prometheus.WORKERS + 1)
    ]
    assert await asyncio.to_thread(server.holding.wait, 10)
    before = 0
    while before != len(server.asked):  # until all threads hang that may
        before = len(server.asked)
        await asyncio.sleep(0.3)

    # When another server is asked, then it is heard
    metrics = await read(source, spec(server.url.replace("127.0.0.1", "localhost"), timeout=5))
    assert metrics.arms == {}
    assert not any(task.done() for task in hanging)

    # And the questions that wait end with their callers
    assert held.release is not None
    held.release.set()
    for task in hanging:
        task.cancel()
    await asyncio.gather(*hanging, return_exceptions=True)


async def test_a_name_that_is_not_resolved_holds_up_its_own_server_alone(
    source: PrometheusMetrics, server: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a name server that does not answer for one name, and more questions at that name than there are threads for it
    resolved, look_up = threading.Event(), socket.getaddrinfo

    def slowly(host: Any, *more: Any, **options: Any) -> Any:
        if host == "slow.example":
            resolved.wait(30)
            raise socket.gaierror(socket.EAI_AGAIN, "try again")
        return look_up(host, *more, **options)

    monkeypatch.setattr(socket, "getaddrinfo", slowly)
    places = rooms.PLACES + rooms.SIGNS
    given = [spec("http://slow.example:9090", custom=f"slow_{number}", timeout=0.2) for number in range(places)]
    try:
        # When they are asked, then each is late, though nothing can end the look-up
        found = await asyncio.gather(*(read(source, each) for each in given))
        assert {missing(each.custom["queue"]).reason for each in found} == {"MetricsTimeout"}

        # And another server is heard meanwhile
        assert (await read(source, spec(server.url, timeout=5))).arms == {}
    finally:
        resolved.set()


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("http://127.0.0.1:1", "connection refused"),
        ("http://127.0.0.1:99999", "not a URL"),
        ("http://[abc", "not a URL"),
        ("http://" + "a" * 70 + ".invalid", "not a URL"),
        ("http://operator:secret@127.0.0.1:1/metrics", "http://127.0.0.1:1/metrics"),
        ("http://operator:secret@[abc", "http://[abc"),
    ],
)
async def test_an_address_that_leads_nowhere_is_named_without_its_password(
    source: PrometheusMetrics, address: str, words: str
) -> None:
    answer = missing((await read(source, spec(address, timeout=1))).arms)
    assert answer.reason == "MetricsUnreachable"
    assert words in answer.message
    assert "secret" not in answer.message


async def test_no_proxy_of_the_environment_is_asked(
    source: PrometheusMetrics, server: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.setenv("no_proxy", "")
    assert (await read(source, spec(server.url))).arms == {}


async def test_the_server_is_given_the_timeout_and_the_memory_windows(source: PrometheusMetrics, server: Script) -> None:
    await read(source, spec(server.url + "/", timeout=4))
    assert {asked["timeout"] for asked in server.asked} == {"4s"}
    ranges = [asked for asked in server.asked if asked["path"] == "/api/v1/query_range"]
    asked = {(float(asked["end"]) - float(asked["start"]), asked["step"]) for asked in ranges}  # which comes first is chance
    assert asked == {(3600.0, "60"), (14400.0, "240")}
    assert len(ranges) == len(asked)


async def test_rollouts_of_one_server_share_its_answers(source: PrometheusMetrics, server: Script) -> None:
    # Given ten rollouts on one server, when all are read at once
    await asyncio.gather(*(read(source, spec(server.url, interval="10m"), f"shop/{number}") for number in range(10)))

    # Then it was asked what one rollout costs
    assert len(server.asked) == 14


async def test_a_breach_is_seen_in_what_another_rollout_asks(telemetry: Telemetry, server: Script) -> None:
    # Given a rollout at 25% that was well when it was evaluated
    clock, woken = HandClock(), list[str]()
    tripwires = Tripwires(clock)
    tripwires.on_tripped = woken.append
    source = PrometheusMetrics(PrometheusDoor(telemetry), clock, tripwires=tripwires)
    healthy(server)
    wire = Tripwire("u1", ROLLOUT, spec(server.url).criteria, 25)
    server.replies[METRIC_REQUESTS] = vector((labels("rust", result="allow"), "1000"))
    await source.read(ROLLOUT, spec(server.url), expected=True, tripwire=wire)
    assert woken == []

    # When its new arm fails, and another rollout asks before its own turn has come
    server.replies[METRIC_REQUESTS] = vector((labels("rust", result="error"), "1000"))
    clock.seconds += 6
    await read(source, spec(server.url), "shop/other")

    # Then it is woken
    assert woken == ["u1"]
    await source.close()


async def test_a_rollout_whose_credentials_are_gone_is_woken_no_more(telemetry: Telemetry, server: Script) -> None:
    # Given a rollout at 25% that was well, and whose credentials are gone by its next evaluation
    class Credentials(PrometheusServers):
        gone: frozenset[str] = frozenset()

        def access(self, prometheus: Prometheus, namespace: str) -> Access | Missing:
            return Missing("Gone", "gone") if namespace in self.gone else super().access(prometheus, namespace)

    clock, woken, credentials = HandClock(), list[str](), Credentials()
    tripwires = Tripwires(clock)
    tripwires.on_tripped = woken.append
    source = PrometheusMetrics(PrometheusDoor(telemetry), clock, credentials, tripwires)
    healthy(server)
    wire = Tripwire("u1", ROLLOUT, spec(server.url).criteria, 25)
    server.replies[METRIC_REQUESTS] = vector((labels("rust", result="allow"), "1000"))
    await source.read(ROLLOUT, spec(server.url), expected=True, tripwire=wire)
    credentials.gone = frozenset({"shop"})
    await source.read(ROLLOUT, spec(server.url), expected=True, tripwire=wire)

    # When another one's answer shows it to be broken, then it is not woken: it could see nothing of it
    server.replies[METRIC_REQUESTS] = vector((labels("rust", result="error"), "1000"))
    clock.seconds += 6
    await read(source, spec(server.url), "other/gateway")
    assert woken == []
    await source.close()


async def test_memory_is_asked_for_less_often_than_requests(telemetry: Telemetry, server: Script) -> None:
    # Given rollouts that are evaluated every fifteen seconds, by a clock set by hand
    clock = HandClock()
    source = PrometheusMetrics(PrometheusDoor(telemetry), clock)
    healthy(server)

    def asked(metric: str) -> int:
        return sum(metric in each["query"] for each in server.asked)

    def memory_by_step() -> Counter[str]:
        return Counter(each["step"] for each in server.asked if METRIC_MEMORY in each["query"] and "step" in each)

    # When time goes on
    await read(source, spec(server.url))
    clock.seconds += 15
    await read(source, spec(server.url))

    # Then the requests are asked for again, and the memory of the last hour is not; when it has a new point it is
    assert (asked(f"{METRIC_REQUESTS}["), memory_by_step()) == (2, {"60": 1, "240": 1})
    clock.seconds += 44
    await read(source, spec(server.url))
    assert memory_by_step() == {"60": 1, "240": 1}
    clock.seconds += 2
    await read(source, spec(server.url))
    assert memory_by_step() == {"60": 2, "240": 1}

    # And that of four hours, which has a new point every four minutes, is asked for as rarely
    clock.seconds += 181
    await read(source, spec(server.url))
    assert memory_by_step() == {"60": 3, "240": 2}

    # And for a rollout that is not in the answer it is asked again as soon as anything is
    await read(source, spec(server.url), "shop/new")
    clock.seconds += 6
    await read(source, spec(server.url), "shop/new")
    assert memory_by_step() == {"60": 4, "240": 3}


async def test_memory_of_one_window_is_asked_for_once(source: PrometheusMetrics, server: Script) -> None:
    # Given a rollout for which growth in one window is enough, when it is read
    healthy(server)
    given = spec(server.url)
    memory = given.criteria.memory_growth.model_copy(update={"sustained_windows": 1})
    criteria = given.criteria.model_copy(update={"memory_growth": memory})
    metrics = await read(source, given.model_copy(update={"criteria": criteria}))

    # Then there is no longer range
    assert metrics.sustained_memory is None
    assert [each["step"] for each in server.asked if METRIC_MEMORY in each["query"] and "step" in each] == ["60"]
    await source.close()


async def test_memory_that_could_not_be_seen_is_soon_looked_for_again(telemetry: Telemetry, server: Script) -> None:
    # Given a server that fails once
    clock = HandClock()
    source = PrometheusMetrics(PrometheusDoor(telemetry), clock)
    healthy(server)
    whole = server.replies[METRIC_MEMORY]
    server.replies[METRIC_MEMORY] = Reply(b"", 500)
    missing((await read(source, spec(server.url))).memory)

    # When it is well again and the next evaluation comes
    server.replies[METRIC_MEMORY] = whole
    clock.seconds += 6

    # Then it is seen
    assert not isinstance((await read(source, spec(server.url))).memory, Missing)
    await source.close()


@pytest.mark.parametrize("well", [True, False])
async def test_an_evaluation_does_not_wait_for_an_answer_that_renews_a_good_one(
    telemetry: Telemetry, server: Script, well: bool
) -> None:
    # Given answers that took a second to come, or a server that was not well
    clock = HandClock()
    source = PrometheusMetrics(PrometheusDoor(telemetry), clock)
    if well:
        healthy(server)
    else:
        server.all_metrics(Reply(b"", 500))
    first = asyncio.create_task(read(source, spec(server.url)))
    await asyncio.sleep(0)
    clock.seconds += 1
    before = await first

    # When they are older than they may be, and those that renew them are held back
    held = threading.Event()
    number = len(server.asked)
    server.all_metrics(Reply(b"{}", release=held))
    clock.seconds += 5
    evaluating = asyncio.create_task(read(source, spec(server.url)))
    await asyncio.to_thread(server.holding.wait, 10)
    done, _ = await asyncio.wait([evaluating], timeout=10 if well else 0.1)

    # Then the evaluation goes on with what was seen, and waits where nothing was
    assert bool(done) is well
    assert not well or evaluating.result() == replace(before, age=timedelta(seconds=6))
    assert before.age == timedelta(seconds=1)
    assert len(server.asked) > number
    held.set()
    await evaluating
    await source.close()


class NotingDoor(PrometheusDoor):
    """Notes what precedence each instant query has."""

    def __init__(self, telemetry: Telemetry) -> None:
        super().__init__(telemetry)
        self.noted: dict[str, list[Precedence]] = {}

    async def instant(self, server: prometheus.Server, query: str, *args: Any, **options: Any) -> Any:
        self.noted.setdefault(query, []).append(options["precedence"])
        return await super().instant(server, query, *args, **options)


async def test_an_answer_is_awaited_but_where_another_goes_on(telemetry: Telemetry, server: Script) -> None:
    # Given answers that took a second to come
    clock, door = HandClock(), NotingDoor(telemetry)
    source = PrometheusMetrics(door, clock)
    healthy(server)
    first = asyncio.create_task(read(source, spec(server.url)))
    await asyncio.sleep(0)
    clock.seconds += 1
    await first

    # When they are renewed while they go on, and an alert has begun since
    clock.seconds += 5
    source.forget_alerts()
    await read(source, spec(server.url))

    # Then nobody waits for most of them, and what may show a breach comes first all the same
    minute = timedelta(minutes=1)
    rates = (promql.requests, promql.latency, promql.comparisons, promql.mismatches)
    for query in (promql.alerts(), promql.sample_age(""), *(each(minute, "") for each in rates)):
        assert door.noted.pop(query) == [Precedence.SIGN, Precedence.SIGN], query
    assert set(map(tuple, door.noted.values())) == {(Precedence.AWAITED, Precedence.RENEWED)}
    await source.close()


@pytest.mark.parametrize(("query", "asked"), [(promql.requests, 2), (promql.fallbacks, 1)], ids=["a sign", "none"])
async def test_a_sign_of_a_breach_is_asked_for_as_often_as_ever_by_who_is_behind(
    telemetry: Telemetry, server: Script, query: promql.QueryOf, asked: int
) -> None:
    # Given answers that take six seconds to come, and are asked for every six
    clock, door = HandClock(), NotingDoor(telemetry)
    source = PrometheusMetrics(door, clock)
    healthy(server)
    for _ in range(3):
        reading = asyncio.create_task(read(source, spec(server.url)))
        await asyncio.sleep(0)
        clock.seconds += 6
        await reading

    # Then those that may show a breach are asked for again, and the others not yet: they are good for twice as long
    assert len(door.noted[query(timedelta(minutes=1), "")]) == asked
    await source.close()


async def test_questions_that_are_slow_leave_places_to_signs_of_a_breach(telemetry: Telemetry, server: Script) -> None:
    # Given as many questions as may be under way at a server, and none is answered
    held = Reply(b"", release=threading.Event())
    server.replies = {"slow": held, METRIC_REQUESTS: vector()}
    door, there = PrometheusDoor(telemetry), prometheus.Server(server.url, 30)
    slow = [asyncio.create_task(door.instant(there, f"slow_{number}")) for number in range(rooms.PLACES)]
    assert await asyncio.to_thread(server.holding.wait, 10)

    # When one more is asked, then it waits, unless it may show a breach
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(door.instant(there, METRIC_REQUESTS), 0.3)
    found = await asyncio.wait_for(door.instant(there, METRIC_REQUESTS, precedence=Precedence.SIGN), 10)
    assert found == []

    assert held.release is not None
    held.release.set()
    await asyncio.gather(*slow)
    door.close()


@pytest.fixture
def few_are_common(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no more topics be common for being the commonest than one rollout has."""
    monkeypatch.setattr(audience, "COMMONEST", TOPICS)


async def many_read(source: PrometheusMetrics, server: Script) -> None:
    """Let so many rollouts ask the same that what one asks beside them is rare."""
    healthy(server)
    for number in range(2 * RARE):
        await read(source, spec(server.url), f"shop/gateway-{number}")


@pytest.mark.usefixtures("few_are_common")
async def test_windows_that_hardly_anybody_else_has_are_asked_for_one_rollout(telemetry: Telemetry, server: Script) -> None:
    # Given more than enough rollouts with the same windows, which are the commonest
    source = PrometheusMetrics(PrometheusDoor(telemetry), HandClock())
    await many_read(source, server)
    assert len({(each["query"], each.get("step")) for each in server.asked}) == len(server.asked)
    assert not any("shop/gateway" in each["query"] for each in server.asked)

    # When one with a window of its own is read
    shared = len(server.asked)
    await read(source, spec(server.url, window="61s"), "evil/gateway")

    # Then nothing with that window is asked about all, and nothing else is asked anew
    alone = [each["query"] for each in server.asked[shared:]]
    assert alone
    assert all('{sark_rollout="evil/gateway"' in query or ', sark_rollout="evil/gateway"' in query for query in alone)
    assert all("61s" in query or METRIC_SHADOW_UNCONFIRMED in query for query in alone)

    # And it sees what it would have seen
    unlike = await read(source, spec(server.url, window="62s"), ROLLOUT, expected=True)
    await source.close()
    lonely = PrometheusMetrics(PrometheusDoor(telemetry), HandClock())
    assert replace(unlike, age=timedelta(0)) == await read(lonely, spec(server.url, window="62s"), ROLLOUT, expected=True)
    await lonely.close()


@pytest.mark.usefixtures("few_are_common")
async def test_an_address_in_a_spelling_of_its_own_asks_nothing_about_all(telemetry: Telemetry, server: Script) -> None:
    # Given many rollouts of one server, who ask what is commonest
    source = PrometheusMetrics(PrometheusDoor(telemetry), HandClock())
    await many_read(source, server)

    # When one names the same server in another way, or waits longer for it
    shared = len(server.asked)
    await read(source, spec(f"{server.url}/a/.."), "evil/gateway")
    await read(source, spec(server.url, timeout=5.5), "evil/gateway")

    # Then each of its questions is about itself
    assert len(server.asked) > shared
    assert all('sark_rollout="evil/gateway"' in each["query"] for each in server.asked[shared:])
    await source.close()


async def test_who_is_behind_asks_only_for_windows_that_nobody_has_asked_for(telemetry: Telemetry, server: Script) -> None:
    # Given a rollout that has counted the latest window, by a clock set by hand
    clock = HandClock()
    clock.seconds = 1_700_000_000.0 // 3 * 3 + 4.0
    source = PrometheusMetrics(PrometheusDoor(telemetry), clock)
    latest = datetime.fromtimestamp(clock.seconds - 1, UTC)

    async def asked(rollout: str, *, behind: int) -> set[tuple[str, str]]:
        before, until = len(server.asked), latest - behind * timedelta(seconds=3)
        await source.read(rollout, spec(server.url), expected=True, counted_until=until)
        counted = [each for each in server.asked[before:] if each.get("step") == "3"]
        assert len(counted) % 5 == 0
        return {(each["start"], each["end"]) for each in counted}

    assert len(await asked("shop/punctual", behind=1)) == 1

    # When others read that are behind by more, then each window is asked for once in a block of each size
    late = await asked("shop/late", behind=4)
    assert late
    assert await asked("shop/as-late", behind=4) == set()
    later = await asked("shop/later", behind=12)
    assert later
    assert late.isdisjoint(later)
    await source.close()


class LateDoor:
    """Answers with seven requests in each window of three seconds that it knows of by now, which it learns of so much later."""

    def __init__(self, clock: HandClock, late: float) -> None:
        self.clock, self.late = clock, late

    async def instant(self, _server: prometheus.Server, _query: str, *, read: prometheus.Read, **_: Any) -> Any:
        return read([])

    async def over(
        self,
        _server: prometheus.Server,
        query: str,
        start: datetime,
        end: datetime,
        step: int,
        *,
        read: prometheus.Read,
        **_: Any,
    ) -> Any:
        ends = range(int(start.timestamp()), int(end.timestamp()) + 1, step)
        known = [[each, "7"] for each in ends if each <= self.clock.seconds - self.late]
        asked = f"({METRIC_REQUESTS} - " in query
        return read([{"metric": labels("rust", result="allow"), "values": known}] if asked and known else [])

    def close(self) -> None:
        """Nothing is open."""


@pytest.mark.parametrize("late", [1, 3, 4, 7, 13, 29], ids="{} s late".format)
@pytest.mark.parametrize("pauses", [[3], [6], [3, 9, 15]], ids=str)
async def test_a_window_that_was_not_stored_yet_is_asked_for_again_with_the_one_after_it(late: int, pauses: list[int]) -> None:
    # Given a server that stores what happened so much later, and two rollouts that are evaluated in turn
    clock = HandClock()
    begun = clock.seconds // 24 * 24
    source = PrometheusMetrics(LateDoor(clock, late), clock)
    until = dict.fromkeys((ROLLOUT, "shop/other"), datetime.fromtimestamp(begun, UTC))
    seen = list[float]()

    # When they read again and again, and count until the last window in which somebody asked anything
    clock.seconds = begun + 1
    for number in range(40):
        clock.seconds += pauses[number % len(pauses)]
        for rollout, since in until.items():
            metrics = await source.read(rollout, spec("http://late"), expected=False, counted_until=since)
            windows = countable(_present(metrics.windows), since, clock.now())
            until[rollout] = windows[-1].end if windows else since
            seen += [window.end.timestamp() - begun for window in windows if rollout == ROLLOUT]

    # Then none is passed over: all that are stored have been counted, once
    assert seen == [3 * number for number in range(1, len(seen) + 1)]
    assert seen[-1] >= clock.seconds - begun - late - 2 * max(pauses)
    await source.close()


@pytest.mark.usefixtures("few_are_common")
async def test_a_rollout_that_asks_for_itself_and_is_behind_has_places_left_for_the_present(
    telemetry: Telemetry, server: Script
) -> None:
    # Given a rollout that asks for itself, whose operator was away for many counting windows
    clock = HandClock()
    source = PrometheusMetrics(PrometheusDoor(telemetry), clock)
    await many_read(source, server)
    behind = clock.now() - timedelta(minutes=30)

    async def asked(seconds: float) -> list[dict[str, str]]:
        before = len(server.asked)
        await source.read(ROLLOUT, spec(server.url, timeout=seconds), expected=True, counted_until=behind)
        return [each for each in server.asked[before:] if each.get("step") == "3"]

    # When it is read, then of each question it asks for one part of what it missed, and the rest is asked too
    alone = await asked(5.5)
    assert (len({each["query"] for each in alone}), len(alone)) == (5, 5)
    # And where it is asked with the others, for all of it
    assert len(await asked(5.0)) > len(alone)
    await source.close()


@pytest.mark.usefixtures("few_are_common")
async def test_answers_about_one_rollout_push_none_about_all_out(
    telemetry: Telemetry, server: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given many rollouts that ask the same
    source = PrometheusMetrics(PrometheusDoor(telemetry), HandClock())
    await many_read(source, server)

    # When more answers than are kept were about one rollout each
    monkeypatch.setattr(source._own, "_most", 3)
    monkeypatch.setattr(source._answers, "_most", 30)
    for number in range(3):
        await read(source, spec(server.url, window=f"6{number}s"), f"evil/gateway-{number}")

    # Then those about all are still there
    shared = len(server.asked)
    await read(source, spec(server.url), "shop/gateway-0")
    assert len(server.asked) == shared
    await source.close()


async def test_a_question_that_waited_for_others_says_so(telemetry: Telemetry, server: Script) -> None:
    # Given as many questions at a server that hangs as there are places, and one more that gets the place of one that goes
    server.all_metrics(Reply(b"", release=threading.Event()))
    door = PrometheusDoor(telemetry)
    first = [asyncio.create_task(door.instant(prometheus.Server(server.url, 2.0), "up")) for _ in range(rooms.PLACES)]
    await asyncio.sleep(0)
    late = missing(await door.instant(prometheus.Server(server.url, 2.5), "up"))

    # Then it says how much of its time had passed before it was asked
    assert late.reason == "MetricsTimeout"
    assert re.search(r"did not answer within 2.5 s, of which \d\.\d s passed before it was asked", late.message)
    for task in first:
        assert missing(task.result() if task.done() else await task).message.endswith("did not answer within 2 s")
    door.close()


async def test_a_server_that_is_late_is_not_asked_twice_in_one_evaluation(telemetry: Telemetry, server: Script) -> None:
    # Given a server that answers nothing in time
    clock = HandClock()
    source = PrometheusMetrics(PrometheusDoor(telemetry), clock)
    hold = threading.Event()
    server.all_metrics(Reply(b"", release=hold))
    reading = asyncio.create_task(read(source, spec(server.url, timeout=0.3)))
    await asyncio.sleep(0)
    clock.seconds += 60

    # When an evaluation has waited for it
    metrics = await reading
    hold.set()

    # Then each question was asked once
    missing(metrics.memory)
    assert len({(each["query"], each.get("step")) for each in server.asked}) == len(server.asked)
    await source.close()


async def test_one_answer_is_read_at_a_time(server: Script, telemetry: Telemetry) -> None:
    # Given a door, and a reader that notes how many are reading
    door, inside, most = PrometheusDoor(telemetry), 0, 0

    def slowly(result: Any) -> Any:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        time.sleep(0.02)
        inside -= 1
        return list(result)

    # When ten questions are asked at once
    asked = prometheus.Server(server.url, 5)
    answers = await asyncio.gather(*(door.instant(asked, f"up{number}", read=slowly) for number in range(10)))

    # Then all are answered, one read after another
    assert answers == [[]] * 10
    assert most == 1
    door.close()


async def test_what_a_reader_raises_comes_out_and_the_next_answer_is_read(server: Script, telemetry: Telemetry) -> None:
    door, asked = PrometheusDoor(telemetry), prometheus.Server(server.url, 5)

    def broken(_: Any) -> Any:
        raise AnswerError("is not what was asked for")

    with pytest.raises(AnswerError, match="is not what"):
        await door.instant(asked, "up", read=broken)
    assert await door.instant(asked, "up") == []
    door.close()


async def test_a_series_that_cannot_be_read_is_a_foreign_answer_and_no_failure(server: Script, telemetry: Telemetry) -> None:
    # Given an answer whose outside is in order, and one of whose series is not JSON
    door, asked = PrometheusDoor(telemetry), prometheus.Server(server.url, 5)
    server.all_metrics(Reply(rb'{"status":"success","data":{"resultType":"vector","result":[{"metric":{"a":"\ud800"}}]}}'))

    # Then it is missing with a sentence, as any other answer that is not Prometheus'
    answer = missing(await door.instant(asked, "up"))
    assert answer.reason == prometheus.INVALID
    assert "did not answer in JSON" in answer.message
    door.close()


EachPart = Callable[[Metrics], object]


@pytest.mark.parametrize(
    ("metric", "lost", "kept"),
    [
        (METRIC_MEMORY, lambda metrics: metrics.memory, lambda metrics: metrics.arms),
        (METRIC_REQUESTS, lambda metrics: metrics.arms, lambda metrics: metrics.memory),
        (METRIC_REQUEST_SECONDS, lambda metrics: metrics.arms, lambda metrics: metrics.memory),
    ],
)
async def test_one_failed_question_leaves_the_others(
    source: PrometheusMetrics, server: Script, metric: str, lost: EachPart, kept: EachPart
) -> None:
    healthy(server)
    server.replies[metric] = Reply(b"", 500)
    metrics = await read(source, spec(server.url), expected=True)
    missing(lost(metrics))
    assert not isinstance(kept(metrics), Missing)


@pytest.mark.parametrize(
    ("steps", "limit", "asked"),
    [
        pytest.param([{"percent": 100}], 0, False, id="nothing is compared"),
        pytest.param(
            [{"percent": 0, "bake": "1m", "shadow": {"samplePercent": 10}}, {"percent": 100}], 0, True, id="none may differ"
        ),
        pytest.param([{"percent": 100}], 10, True, id="some may"),
    ],
)
async def test_comparisons_are_counted_by_window_where_there_may_be_any(
    source: PrometheusMetrics, server: Script, steps: list[dict[str, Any]], limit: int, asked: bool
) -> None:
    wire = spec(server.url).to_wire()
    wire["steps"] = steps
    wire["criteria"]["decisionMismatch"] = {"limitPartsPerMillion": limit}
    given = SarkRolloutSpec.model_validate(wire)
    await source.read(ROLLOUT, given, expected=True, counted_until=datetime.now(UTC) - timedelta(minutes=5))

    ranges = [each["query"] for each in server.asked if each["path"].endswith("query_range")]
    assert any("sark_shadow_comparisons_total" in query for query in ranges) is asked
