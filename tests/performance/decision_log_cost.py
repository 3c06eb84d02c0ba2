"""What the decision log costs: requests a second of one connection with it off, on and with masks, in turns, and their ratios.

Run it with `.venv/bin/python tests/performance/decision_log_cost.py`. Its figures are of one moment; the ratios count.
"""

from __future__ import annotations

import json
import socket
import statistics
import threading
import time

from sark_engine import Engine, Policies, Server

AUTHZ = 'package authz\ndefault allow := false\nallow if input.user.id == "alice"\n'
INPUT = {"user": {"id": "alice", "tenant": "acme", "roles": ["developer"]}, "action": "invoke", "tool": {"name": "read_ticket"}}
BODY = json.dumps({"input": INPUT}).encode()
REQUEST = b"POST /v1/data/authz/allow HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY
DEPTH = 16
"""Requests on the way at a time."""
ROUNDS = 9
ROUND_SECONDS = 1.0


def serve(*, logs: bool, erase: tuple[str, ...] = ()) -> tuple[Server, int]:
    """Return a data plane in which every request is of the new arm, and its port."""
    server = Server(Engine(Policies([("authz.rego", AUTHZ)])))
    if logs:
        server.log_decisions(labels={"id": "x"}, erase=erase, queue=200_000, queue_bytes=1 << 30)
    port = server.start()
    server.set_flags(rollout="shop/gateway", revision=1, percentage=100, salt="salt", rust_opa=True, rust_cache=True)
    return server, port


def rate(port: int) -> float:
    """Return requests answered a second."""
    answered, began = 0, time.perf_counter()
    with socket.create_connection(("127.0.0.1", port)) as connection:
        while time.perf_counter() - began < ROUND_SECONDS:
            connection.sendall(REQUEST * DEPTH)
            read = b""
            while read.count(b"HTTP/1.1 200") < DEPTH or not read.endswith(b"}\n"):
                read += connection.recv(1 << 20)
            answered += DEPTH
    return answered / (time.perf_counter() - began)


def empty(server: Server) -> None:
    """Make events and throw them away, for ever."""
    while True:
        if server.take_logged() is None:
            time.sleep(0.05)


def main() -> None:
    """Measure and print."""
    planes = {
        "off": serve(logs=False),
        "on": serve(logs=True),
        "masked": serve(logs=True, erase=("/input/user/roles",)),
    }
    for name in ("on", "masked"):
        threading.Thread(target=empty, args=(planes[name][0],), daemon=True).start()
    rates: dict[str, list[float]] = {name: [] for name in planes}
    for _ in range(ROUNDS):
        for name, (_, port) in planes.items():
            rates[name].append(rate(port))
    medians = {name: statistics.median(found) for name, found in rates.items()}
    for name, median in medians.items():
        print(f"{name:8} {median:8.0f} requests/s   {median / medians['off']:.2f} of off")  # noqa: T201 - a figure for people


if __name__ == "__main__":
    main()
