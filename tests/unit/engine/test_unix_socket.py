from __future__ import annotations

import socket
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sark_engine import Engine, Server

ASK = b'POST /v1/data/authz/allow HTTP/1.1\r\nContent-Length: 35\r\n\r\n{"input":{"user":{"id": "alice"}}} '


def listening(engine: Engine, **options: Any) -> Server:
    """A server whose rust arm serves everybody."""
    server = Server(engine, **options)
    server.set_flags(rollout="shop/gateway", revision=1, percentage=100, salt="salt", rust_opa=True, rust_cache=True)
    return server


def ask(path: Path) -> bytes:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(20)
        client.connect(str(path))
        client.sendall(ASK)
        return client.recv(1_000)


@pytest.mark.parametrize("workers", [1, 3])
def test_questions_are_answered_over_a_unix_socket_and_tcp_alike(start: Any, tmp_path: Path, workers: int):
    path = tmp_path / "data.sock"
    plane = start(unix_path=path, port=0, workers=workers)
    assert {ask(path).partition(b"\r\n\r\n")[2] for _ in range(20)} == {b'{"result":true}\n'}
    assert plane.ask("authz/allow").json == {"result": True}
    assert plane.metric("sark_requests_total", implementation="rust", result="allow") == 21


def test_a_unix_socket_alone_leaves_tcp_out(engine: Engine, tmp_path: Path):
    path = tmp_path / "data.sock"
    server = listening(engine, unix_path=str(path), unix_mode=0o600)
    assert server.start() == 0
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert ask(path).startswith(b"HTTP/1.1 200 ")
    assert server.drain(5.0)
    assert not path.exists()


def test_the_file_goes_also_when_the_server_is_dropped(engine: Engine, tmp_path: Path):
    path = tmp_path / "data.sock"
    server = Server(engine, unix_path=path)
    server.start()
    del server
    assert not path.exists()


def test_a_dead_processes_file_is_replaced(engine: Engine, tmp_path: Path):
    path = tmp_path / "data.sock"
    dying = "import os, socket, sys; s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(); os._exit(0)"
    subprocess.run([sys.executable, "-c", dying, path], check=True)
    assert path.exists()
    server = listening(engine, unix_path=path)
    server.start()
    assert ask(path).startswith(b"HTTP/1.1 200 ")
    server.drain(0.0)


def test_a_live_processes_file_is_respected(engine: Engine, start: Any, tmp_path: Path):
    path = tmp_path / "data.sock"
    start(unix_path=path)
    with pytest.raises(OSError, match=r"data\.sock: .*a live process listens there"):
        Server(engine, unix_path=path).start()
    assert ask(path).startswith(b"HTTP/1.1 200 ")


def test_a_file_that_is_no_socket_is_respected(engine: Engine, tmp_path: Path):
    path = tmp_path / "data.sock"
    path.write_text("precious", encoding="utf-8")
    with pytest.raises(OSError, match="no socket"):
        Server(engine, unix_path=path).start()
    assert path.read_text(encoding="utf-8") == "precious"


def test_a_successors_file_is_left_alone(engine: Engine, start: Any, tmp_path: Path):
    path = tmp_path / "data.sock"
    first = start(unix_path=path)
    path.unlink()
    successor = listening(engine, unix_path=path)
    successor.start()
    first.server.drain(1.0)
    assert ask(path).startswith(b"HTTP/1.1 200 ")
    successor.drain(0.0)


def test_a_path_that_cannot_be_used_is_named(engine: Engine, tmp_path: Path):
    for path in (tmp_path / "absent" / "data.sock", tmp_path / ("x" * 200)):
        with pytest.raises(OSError, match=path.name):
            Server(engine, unix_path=path).start()
