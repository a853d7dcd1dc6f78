"""A deadline for a whole exchange, and the check of the address that a connection goes to.

The timeouts of requests and smtplib start again with every byte, so they do not limit an exchange.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from contextlib import suppress
from http.client import HTTPResponse
from typing import Any, Self

import requests.adapters
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError

from alertworker.channels import address_guard


class Refused(OSError):
    """No address of a host is allowed."""


class Deadline:
    """Shuts connections down when their time is over, even while a thread waits on them.

    ``seconds`` limits the whole exchange. ``connect`` limits the attempt to connect to each address of the receiver.
    The lookup of the receiver's name cannot be interrupted; the resolver has its own timeout. ``allowed`` holds the
    private networks and hosts that connections may go to, see `address_guard`.
    """

    def __init__(self, seconds: float, *, connect: float, allowed: address_guard.AllowedAddresses) -> None:
        self.passed = False
        self._allowed = allowed
        self._connect = connect
        self._ends = time.monotonic() + seconds
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []
        self._timer = threading.Timer(seconds, self._cut)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        with self._lock:
            for connection in self._sockets:
                connection.close()
            self._sockets.clear()

    def connect(self, host: str, port: int, *, tls: bool, guarded: bool = True) -> socket.socket:
        """Return a connection to the first address of a host that accepts one, under the deadline.

        The name is looked up once. The addresses that the lookup returned are checked and connected to.

        Raises:
            OSError: no address accepts a connection. `TimeoutError`: time is over. `Refused`: no address is allowed.
        """
        failure: OSError = Refused()
        for family, socket_type, protocol, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
            if guarded and not address_guard.admits(host, str(address[0]), tls=tls, allowed=self._allowed):
                continue
            left = min(self._connect, self._ends - time.monotonic())
            if left <= 0:
                raise TimeoutError
            connection = socket.socket(family, socket_type, protocol)
            try:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connection.settimeout(left)
                connection.connect(address)
                self._watch(connection)
            except OSError as error:
                connection.close()
                failure = error
            else:
                return connection
        raise failure

    def _watch(self, connection: socket.socket) -> None:
        """Put a connection under the deadline, by a duplicate handle, because TLS takes over the socket object."""
        with self._lock:
            self._sockets.append(socket.socket(fileno=os.dup(connection.fileno())))
            if self.passed:
                self._shut()

    def _cut(self) -> None:
        with self._lock:
            self.passed = True
            self._shut()

    def _shut(self) -> None:
        for connection in self._sockets:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class DeadlineAdapter(requests.adapters.HTTPAdapter):
    """Puts every connection that requests opens under one deadline."""

    def __init__(self, deadline: Deadline) -> None:
        self._deadline = deadline
        super().__init__(max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Open connections under the deadline."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _pools(self._deadline)

    def proxy_manager_for(self, proxy: Any, **proxy_kwargs: Any) -> Any:
        """Open connections to an HTTP proxy under the deadline, too."""
        manager = super().proxy_manager_for(proxy, **proxy_kwargs)
        # The proxy decides what it connects to. The proxy's own address is often private.
        manager.pool_classes_by_scheme = _pools(self._deadline, guarded=False)
        return manager


class _FinalAnswer(HTTPResponse):
    """An answer after any number of interim ones (1xx). http.client skips only 100."""

    def begin(self) -> None:
        """Read heads until one is final."""
        super().begin()
        while 100 <= self.status < 200:
            self.headers = self.msg = None  # type: ignore[assignment]
            super().begin()


def _pools(deadline: Deadline, *, guarded: bool = True) -> dict[str, type[HTTPConnectionPool]]:
    def connect(connection: HTTPConnection) -> socket.socket:
        tls = isinstance(connection, HTTPSConnection)
        try:
            return deadline.connect(connection.host, connection.port, tls=tls, guarded=guarded)
        except TimeoutError:
            raise ConnectTimeoutError from None

    class Plain(HTTPConnection):
        _new_conn = connect
        response_class = _FinalAnswer

    class Secure(HTTPSConnection):
        _new_conn = connect
        response_class = _FinalAnswer

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    return {"http": PlainPool, "https": SecurePool}
