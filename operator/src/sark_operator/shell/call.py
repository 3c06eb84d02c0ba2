"""One connection that is ended from another thread when its time is over.

A timeout of a socket counts from one piece to the next. A server that sends a byte of its headers now and then is never late by
it, and the thread that reads them sees nothing in between.
"""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from functools import partial
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection


class Call:
    """Whatever is open for one question."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: list[socket.socket] = []
        self._is_over = False

    @property
    def is_over(self) -> bool:
        """Whether nobody waits for an answer any more."""
        return self._is_over

    def opened(self, connection: socket.socket) -> None:
        """Know of a connection. Raises `TimeoutError` when it comes too late."""
        with self._lock:
            if self._is_over:
                connection.close()
                raise TimeoutError
            self._open.append(connection.dup())  # TLS takes the original apart, and its number may be another's soon

    def end(self) -> None:
        """Let nothing more come, and let whoever waits for it see that."""
        with self._lock:
            self._is_over = True
            for connection in self._open:
                with suppress(OSError):  # the other side was faster
                    connection.shutdown(socket.SHUT_RDWR)

    def forget(self) -> None:
        """Know no more of what has been read to the end."""
        with self._lock:
            for connection in self._open:
                connection.close()
            self._open.clear()


class CallAdapter(HTTPAdapter):
    """Lets `requests` connect for one call alone."""

    def __init__(self, call: Call, **options: Any) -> None:
        super().__init__(**options)
        # Of a class, a function and since Python 3.14 a partial too would be called with the pool before all else.
        plain = type("_Pool", (HTTPConnectionPool,), {"ConnectionCls": staticmethod(partial(_Plain, call))})
        secure = type("_SecurePool", (HTTPSConnectionPool,), {"ConnectionCls": staticmethod(partial(_Secure, call))})
        self.poolmanager.pool_classes_by_scheme = {"http": plain, "https": secure}


class _Plain(HTTPConnection):
    def __init__(self, call: Call, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._call = call

    def _new_conn(self) -> socket.socket:
        connection = super()._new_conn()
        self._call.opened(connection)
        return connection


class _Secure(_Plain, HTTPSConnection):
    """Connects as the one above, and then by TLS."""
