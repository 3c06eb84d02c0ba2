"""A small policy, an engine, and a data plane with someone to answer its jobs."""

from __future__ import annotations

import http.client
import json
import select
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sark_engine import BaselineJob, Engine, Policies, Server

AUTHZ = """package authz
default allow := false
allow if input.user.id == "alice"
reason := "she is alice" if allow
decision := {"allow": allow}
clock := time.now_ns()
signed if io.jwt.encode_sign({}, input.claims, {})
conflict := 1 if input
conflict := 2 if input
"""


@pytest.fixture
def engine() -> Engine:
    return Engine(Policies([("authz.rego", AUTHZ)]))


@dataclass(frozen=True)
class Reply:
    status: int
    body: bytes
    headers: dict[str, str]

    @property
    def json(self) -> object:
        return json.loads(self.body)


@dataclass
class DataPlane:
    """A running server, its client, and a thread that answers its jobs."""

    server: Server
    port: int
    jobs: list[BaselineJob] = field(default_factory=list)
    completed: list[bool] = field(default_factory=list)

    def flags(
        self, *, percentage: int = 100, opa: bool = True, cache: bool = True, rollout: str = "shop/gateway", revision: int = 1
    ) -> None:
        self.server.set_flags(
            rollout=rollout, revision=revision, percentage=percentage, salt="salt", rust_opa=opa, rust_cache=cache
        )

    def request(self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> Reply:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request(method, path, body=body, headers=headers or {})
            response = connection.getresponse()
            return Reply(response.status, response.read(), {name.lower(): value for name, value in response.getheaders()})
        finally:
            connection.close()

    def ask(self, path: str, user: str = "alice") -> Reply:
        return self.request("POST", f"/v1/data/{path}", json.dumps({"input": {"user": {"id": user}}}).encode())

    def samples(self) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
        families = text_string_to_metric_families(self.server.metrics().decode())
        return {(s.name, frozenset(s.labels.items())): s.value for family in families for s in family.samples}

    def metric(self, name: str, rollout: str = "shop/gateway", **labels: str) -> float:
        return self.samples()[name, frozenset({**labels, "sark_rollout": rollout}.items())]

    def answer(self, job: BaselineJob) -> None:
        self.completed.append(self.server.complete(job.id, 200, b'{"result":true}\n', outcome="allow"))


@pytest.fixture
def start(engine: Engine) -> Iterator[Callable[..., DataPlane]]:
    """Start a data plane; `answer` answers its jobs, None leaves them lying."""
    planes: list[DataPlane] = []
    stopping = threading.Event()
    threads: list[threading.Thread] = []

    def begin(answer: Callable[[DataPlane, BaselineJob], None] | None = DataPlane.answer, **options: object) -> DataPlane:
        server = Server(engine, **options)  # type: ignore[arg-type]
        plane = DataPlane(server, server.start())
        plane.flags()
        planes.append(plane)
        if answer is not None:
            threads.append(threading.Thread(target=serve_jobs, args=(plane, answer, stopping)))
            threads[-1].start()
        return plane

    yield begin
    stopping.set()
    for thread in threads:
        thread.join()
    for plane in planes:
        plane.server.drain(0.0)


def serve_jobs(plane: DataPlane, answer: Callable[[DataPlane, BaselineJob], None], stopping: threading.Event) -> None:
    while not stopping.is_set():
        if select.select([plane.server.baseline_fd], [], [], 0.02)[0]:
            for job in plane.server.take_jobs():
                plane.jobs.append(job)
                answer(plane, job)
