"""The servers beside the control plane, and the way from a Pod object to a sample in Prometheus."""

from __future__ import annotations

import http.server
import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client

from sark_e2e import binaries
from sark_e2e.deadline import eventually
from sark_e2e.loopback import LoopbackNetwork
from sark_e2e.opa import OpaServer
from sark_e2e.pod import PodAddress, create_pod, delete_pod, set_status
from sark_e2e.program import CATALOGUE
from sark_e2e.prometheus import PrometheusServer
from sark_e2e.reaper import start_time
from sark_e2e.redis import RedisServer
from sark_e2e.traffic.load import Traffic
from sark_e2e.traffic.mix import PATH, Mix

PORT = 8182


def get_json(url: str, body: object = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, headers={"Content-Type": "application/json"})  # noqa: S310
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - a URL of our own server
        return json.load(answer)


class Exposition(http.server.BaseHTTPRequestHandler):
    """One metric, as a sidecar exposes its own."""

    def do_GET(self) -> None:
        body = b'# TYPE sark_flag_revision gauge\nsark_flag_revision{sark_rollout="team/gateway"} 7\n'
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def pod(api: client.ApiClient, namespace: str, network: LoopbackNetwork) -> Iterator[PodAddress]:
    """A pod whose address serves metrics."""
    address = PodAddress(namespace, "gateway-0", network.pod())
    with http.server.ThreadingHTTPServer((address.ip, PORT), Exposition) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        create_pod(api, address, labels={"app": "gateway"}, metrics_port=PORT)
        yield address
        delete_pod(api, address)
        server.shutdown()
        thread.join()


def test_a_pod_with_an_address_is_discovered_and_scraped(
    api: client.ApiClient, pod: PodAddress, prometheus_server: PrometheusServer
):
    # Given a pod that has just become ready
    set_status(api, pod, ready=True, restarts=0)

    # When Prometheus has had time to find it
    query = urllib.parse.urlencode({"query": f'sark_flag_revision{{namespace="{pod.namespace}"}}'})
    found: list[dict[str, Any]] = []

    def scraped() -> bool:
        found[:] = get_json(f"{prometheus_server.url}/api/v1/query?{query}")["data"]["result"]
        return bool(found)

    eventually(scraped, what="a sample of the pod in Prometheus", seconds=60)

    # Then the sample carries the pod, its namespace and the sidecar's own labels
    labels = found[0]["metric"]
    assert (labels["pod"], labels["namespace"], labels["sark_rollout"]) == ("gateway-0", pod.namespace, "team/gateway")
    assert labels["instance"] == f"{pod.ip}:{PORT}"
    assert found[0]["value"][1] == "7"


def test_a_pod_without_a_node_is_left_alone_by_the_controllers(api: client.ApiClient, pod: PodAddress):
    # Given a ready pod that is bound to no node
    set_status(api, pod, ready=True, restarts=2)

    # When the pod garbage collector has run (every 20 s)
    time.sleep(25)

    # Then the pod is as it was
    status = client.CoreV1Api(api).read_namespaced_pod(pod.name, pod.namespace).status
    assert status is not None
    assert (status.phase, status.pod_ip) == ("Running", pod.ip)
    assert {each.type: each.status for each in status.conditions or []}["Ready"] == "True"
    assert [each.restart_count for each in status.container_statuses or []] == [2]


def test_opa_is_the_pinned_version_and_decides_the_example(opa_server: OpaServer):
    # Given the server that was built or found
    shown = subprocess.run([binaries.program("opa"), "version"], capture_output=True, text=True, check=True).stdout
    assert binaries.parse_version(shown) == CATALOGUE["opa"].pinned()

    # When it is asked the questions of the load
    mix = Mix(seed=1)
    decisions = [get_json(opa_server.url + PATH, mix.question())["result"] for _ in range(200)]

    # Then some are allowed and some denied, each with a reason, and no secret parameter is passed on
    assert {decision["allow"] for decision in decisions} == {True, False}
    assert all(decision["reason"] for decision in decisions)
    assert any(decision["reason"].startswith("tool belongs to tenant") for decision in decisions)
    passed_on = [decision["filtered_parameters"] for decision in decisions if decision["allow"]]
    assert not any("token" in parameters for parameters in passed_on)
    assert any("query" in parameters for parameters in passed_on)


def test_redis_keeps_what_it_is_given(redis_server: RedisServer):
    redis = pytest.importorskip("redis")
    with redis.Redis.from_url(redis_server.url) as connection:
        connection.set("sark-test", "kept", ex=30)

        assert connection.get("sark-test") == b"kept"


def test_children_end_when_their_parent_is_killed(tmp_path: Path):
    # Given a program that has started a child through the local cluster's process
    script = (
        "import sys, time; from pathlib import Path; from sark_e2e.process import Process\n"
        "child = Process('sleeper', ['sleep', '600'], log=Path(sys.argv[1])).start()\n"
        "print(child.pid, flush=True); time.sleep(600)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script, str(tmp_path / "log")], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        started = start_time(child)
        assert started is not None

        # When it is killed without a chance to clean up
        os.kill(parent.pid, signal.SIGKILL)

    # Then its child ends all the same
    eventually(lambda: start_time(child) != started, what="the end of the child", seconds=30)


def test_the_load_asks_at_its_rate_and_counts_the_answers(opa_server: OpaServer, tmp_path: Path):
    # Given a load on OPA itself, which answers the same API as a sidecar
    with Traffic([opa_server.url], rate=100, folder=tmp_path) as traffic:
        # When it has asked for some seconds
        eventually(lambda: traffic.stats().requests > 300, what="300 questions", seconds=60)
        first = traffic.stats()
        eventually(lambda: traffic.stats().time > first.time + 3, what="newer numbers", seconds=60)
        second = traffic.stats()

    # Then it is not faster than was asked for, and every answer is a decision
    rate = (second.requests - first.requests) / (second.time - first.time)
    assert rate < 150
    assert second.failures == 0
    assert set(second.answers) == {"allow", "deny"}
    assert second.p50_ms <= second.p95_ms <= second.p99_ms
