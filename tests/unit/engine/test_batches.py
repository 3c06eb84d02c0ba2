"""Batches whose inputs or answers would be too large together, and who else is served meanwhile."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Iterator

import pytest
from sark_engine import Engine, Policies, Server

from .conftest import DataPlane

LARGE = 100_000
POLICY = "package authz\nimport rego.v1\ndefault allow := false\nallow if input.user == input.owner\n"


@pytest.fixture
def plane() -> Iterator[DataPlane]:
    engine = Engine(Policies([("authz.rego", POLICY)], json.dumps({"large": "y" * LARGE}).encode()))
    server = Server(engine)
    plane = DataPlane(server, server.start())
    plane.flags()
    yield plane
    server.drain(0.0)


def nested(levels: int, inner: str) -> str:
    return '{"a":' * levels + inner + "}" * levels


def batch(inputs: int, common: str, own: str = "{}") -> bytes:
    each = ",".join(f'"{number}":{own}' for number in range(inputs))
    return f'{{"common_input":{common},"inputs":{{{each}}}}}'.encode()


def test_what_is_common_counts_once_for_each_input(plane: DataPlane):
    # Given: a megabyte below a hundred levels that 256 inputs share, on a connection that another request comes by
    common = nested(99, json.dumps({"p": "x" * 800_000}))
    connection = http.client.HTTPConnection("127.0.0.1", plane.port, timeout=20)
    # When
    connection.request("POST", "/v1/batch/data/authz/allow", batch(256, common, nested(99, "{}")))
    response = connection.getresponse()
    told = json.loads(response.read())
    # Then: it is refused with the limit, none of it is asked, and the connection goes on
    assert (response.status, told["code"]) == (413, "invalid_parameter")
    assert str(8 << 20) in told["message"]
    assert plane.metric("sark_requests_refused_total", reason="body") == 1
    assert plane.metric("sark_requests_total", implementation="rust", result="deny") == 0
    connection.request("GET", "/health")
    assert connection.getresponse().status == 200
    connection.close()


def test_answers_that_are_too_large_together_are_not_given(plane: DataPlane):
    # Given: a document of 100 kB
    few = plane.request("POST", "/v1/batch/data/large", batch(20, "null"))
    assert (few.status, len(few.body) > 20 * LARGE) == (200, True)
    # When: it is asked for 256 times at once
    many = plane.request("POST", "/v1/batch/data/large", batch(256, "null"))
    # Then
    assert many.status == 413
    assert str(8 << 20).encode() in many.body


def test_others_are_answered_while_a_batch_is_under_way(plane: DataPlane):
    # Given: a client that asks one thing again and again, on the only thread there is
    ended = threading.Event()
    answered: list[bool] = []

    def ask_on() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", plane.port, timeout=60)
        while not ended.is_set():
            connection.request("GET", "/v1/data/authz/allow")
            answered.append(connection.getresponse().read() == b'{"result":false}\n')
        connection.close()

    # When: a batch comes of 36 questions of 200 kB, no two of them alike
    common, own = nested(50, json.dumps({"p": ["x" * 10] * 15_000})), nested(50, '{"number":%d}')
    inputs = ",".join(f'"{number}":{own % number}' for number in range(36))
    body = f'{{"common_input":{common},"inputs":{{{inputs}}}}}'.encode()
    sender = http.client.HTTPConnection("127.0.0.1", plane.port, timeout=60)
    sender.putrequest("POST", "/v1/batch/data/authz/allow")
    sender.putheader("Content-Length", str(len(body)))
    sender.endheaders(body[:-1])
    asker = threading.Thread(target=ask_on)
    asker.start()
    while len(answered) < 10:
        time.sleep(0.001)
    before = len(answered)
    sender.send(body[-1:])
    reply = sender.getresponse()
    meanwhile = len(answered) - before
    ended.set()
    asker.join()
    assert reply.status == 200, reply.read()
    # Then: it is answered between them
    assert meanwhile >= 10
    assert all(answered)
    sender.close()
