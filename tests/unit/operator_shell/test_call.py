"""A call that is over lets nobody wait."""

from __future__ import annotations

import socket
import threading

import pytest

from sark_operator.shell.call import Call


def test_who_waits_for_something_sees_that_the_call_is_over() -> None:
    # Given a thread that waits for what never comes
    call, (here, there), read = Call(), socket.socketpair(), list[bytes]()
    with here, there:
        call.opened(here)
        waiting = threading.Thread(target=lambda: read.append(here.recv(1)))
        waiting.start()

        # When the call is ended, more than once, then it waits no longer
        call.end()
        call.end()
        waiting.join(10)
        assert read == [b""]
        call.forget()


def test_a_connection_that_comes_too_late_is_closed() -> None:
    call, (here, there) = Call(), socket.socketpair()
    with here, there:
        call.end()
        with pytest.raises(TimeoutError):
            call.opened(here)
        assert there.recv(1) == b""


def test_what_is_forgotten_goes_on() -> None:
    call, (here, there) = Call(), socket.socketpair()
    with here, there:
        call.opened(here)
        call.forget()
        call.end()
        there.sendall(b"x")
        assert here.recv(1) == b"x"
