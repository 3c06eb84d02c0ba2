"""A request of the rust arm is answered while another thread holds the GIL; one of the baseline arm cannot be."""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

REQUESTS = 200

CLIENT = """
import http.client, json, sys
connection = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]), timeout=15)
statuses = []
for number in range(int(sys.argv[2])):
    body = json.dumps({"input": {"user": {"id": "alice"}, "request": number % 7}})
    connection.request("POST", "/v1/data/authz/allow", body=body)
    response = connection.getresponse()
    statuses.append((response.status, response.read().decode()))
sys.stdout.write(json.dumps(sorted(set(statuses)) + [len(statuses)]))
"""


@contextmanager
def counting() -> Iterator[list[int]]:
    """A thread that counts whenever it gets the GIL."""
    count = [0]
    stopped = threading.Event()

    def run() -> None:
        while not stopped.wait(0.001):
            count[0] += 1

    interval = sys.getswitchinterval()
    # Nobody is asked to hand the GIL over within this time: the main thread keeps it until it waits by itself.
    sys.setswitchinterval(60)
    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield count
    finally:
        stopped.set()
        sys.setswitchinterval(interval)
        thread.join()


def ask_while_the_gil_is_held(port: int, requests: int) -> tuple[list[Any], int]:
    """Run the client, hold the GIL until it has reported, and return its report and how often another thread ran meanwhile."""
    # PyDLL, unlike CDLL, keeps the GIL during the call.
    read = ctypes.PyDLL(None, use_errno=True).read
    buffer = ctypes.create_string_buffer(65_536)
    receiver, sender = os.pipe()
    with subprocess.Popen([sys.executable, "-c", CLIENT, str(port), str(requests)], stdout=sender) as client:
        os.close(sender)
        with counting() as count:
            before = count[0]
            size = read(receiver, buffer, len(buffer))
            ran = count[0] - before
        client.wait()
    os.close(receiver)
    return json.loads(buffer.raw[:size]), ran


@pytest.mark.parametrize("workers", [1, 2])
def test_the_rust_arm_answers_while_the_gil_is_held(start: Any, workers: int):
    plane = start(answer=None, workers=workers)
    report, ran = ask_while_the_gil_is_held(plane.port, REQUESTS)
    assert ran == 0
    assert report == [[200, '{"result":true}\n'], REQUESTS]
    assert plane.metric("cache_operations_total", implementation="rust", operation="get", result="miss") == 7


def test_the_baseline_arm_waits_for_the_gil(start: Any):
    # The control: the same hold stops what needs Python.
    plane = start(baseline_timeout_seconds=0.2)
    plane.flags(percentage=0)
    assert plane.ask("authz/allow").status == 200
    report, ran = ask_while_the_gil_is_held(plane.port, 1)
    assert ran == 0
    assert report[0][0] == 500
