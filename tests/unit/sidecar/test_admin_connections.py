"""Connections of an admin port that speaks TLS: what they hold before hands are shaken, and what comes with the handshake."""

from __future__ import annotations

import asyncio
import socket
import ssl
import tracemalloc
from contextlib import ExitStack
from pathlib import Path

import pytest

from sark_e2e.certificates import Authority
from sark_sidecar.admin.server import AdminServer
from sark_sidecar.admin.status import Parts
from sark_sidecar.configuration import settings_of
from sark_sidecar.securing import server_context

HOST = "127.0.0.1"
MOST = 4
BURST = 60
"""As many as wait in the kernel for one accept."""
HANDSHAKE_BYTES = 400_000
"""More than asyncio holds for one."""


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "authority")


@pytest.fixture
def admin(authority: Authority) -> AdminServer:
    certificate, key = authority.server("sidecar", [HOST], [])
    tls = {"cert_file": str(certificate), "key_file": str(key)}
    settings = settings_of(
        {"policies": {"directory": "/policies"}, "admin": {"host": HOST, "port": 0, "max_connections": MOST, "tls": tls}}
    )
    server = AdminServer(settings.admin, Parts(settings))
    server.use_tls(server_context(settings.admin.tls))
    return server


def is_open(connection: socket.socket) -> bool:
    try:
        return connection.recv(1, socket.MSG_DONTWAIT) != b""
    except BlockingIOError:
        return True
    except ConnectionResetError:
        return False


@pytest.mark.asyncio
async def test_many_that_come_at_once_and_never_shake_hands_hold_no_more_than_the_few_that_may_be_open(admin: AdminServer):
    async with admin:
        with ExitStack() as stack:
            # Given many connections that wait to be accepted
            tracemalloc.start()
            stack.callback(tracemalloc.stop)
            crowd = [stack.enter_context(socket.create_connection((HOST, admin.port))) for _ in range(BURST)]

            # When all are accepted at once, and nothing comes on any
            await asyncio.sleep(1)

            # Then few are open, and nothing is held for the others
            assert sum(is_open(each) for each in crowd) == MOST
            assert tracemalloc.get_traced_memory()[0] < 2 * MOST * HANDSHAKE_BYTES


@pytest.mark.asyncio
async def test_a_request_that_comes_with_the_end_of_the_handshake_is_answered(admin: AdminServer, authority: Authority):
    async with admin:
        reader, writer = await asyncio.open_connection(HOST, admin.port)
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        client = ssl.create_default_context(cafile=authority.certificate).wrap_bio(incoming, outgoing, server_hostname=HOST)

        # Given a client whose last words of the handshake are not sent yet
        with pytest.raises(ssl.SSLWantReadError):
            client.do_handshake()
        while True:
            writer.write(outgoing.read())
            incoming.write(await reader.read(65_536))
            try:
                client.do_handshake()
                break
            except ssl.SSLWantReadError:
                pass

        # When they come together with its request
        client.write(b"GET /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        writer.write(outgoing.read())
        incoming.write(await reader.read())
        writer.close()

        # Then it is answered
        assert b"200 OK" in client.read(65_536)
