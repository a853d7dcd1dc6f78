"""A timeout for a whole HTTP exchange of urllib3.

urllib3's timeouts apply to each read and write. A server that sends one byte at a time never exceeds them.
"""

from __future__ import annotations

import socket
import ssl
import time
from typing import Any, ClassVar, Final

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

#: How long an exchange may take, in seconds. The server allows less for reading a body and waiting for its broker.
TOTAL: Final = 60.0
#: How long one read or write may wait, in seconds. The server allows its broker less.
SILENCE: Final = 20.0
#: How many bytes are passed to TLS at a time: one record, so that the timeout is checked between records.
_RECORD: Final = 16 * 1024


class ExchangeTimeout:
    """The time that the current exchange of one transport may still take. Every socket of the transport asks for it."""

    def __init__(self) -> None:
        self._ends = 0.0

    def start(self) -> None:
        """Begin a new exchange."""
        self._ends = time.monotonic() + TOTAL

    def left(self) -> float:
        """Return how long the next read or write may wait, in seconds.

        Raises:
            TimeoutError: the exchange timed out.
        """
        seconds = min(SILENCE, self._ends - time.monotonic())
        if seconds <= 0:
            raise TimeoutError("the exchange timed out")
        return seconds


class _TimedSocket(socket.socket):
    """A socket whose reads and writes end with the exchange."""

    exchange: ClassVar[ExchangeTimeout]

    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        """Read the bytes that are there. Files of `makefile` read through this method as well."""
        self.settimeout(self.exchange.left())
        return super().recv_into(*args, **kwargs)

    def sendall(self, data: Any, flags: int = 0) -> None:
        """Send all bytes."""
        view = memoryview(data).cast("B")
        for start in range(0, len(view), _RECORD):
            self.settimeout(self.exchange.left())
            super().sendall(view[start : start + _RECORD], flags)


def timed_pools(timeout: ExchangeTimeout, tls: ssl.SSLContext | None) -> dict[str, type[HTTPConnectionPool]]:
    """Return the pool classes of a `PoolManager` whose connections obey the timeout, by scheme.

    ``tls`` must be the context that the manager connects with.
    """

    class Timed(_TimedSocket):
        exchange = timeout

    class TimedTls(Timed, ssl.SSLSocket):
        pass

    if tls is not None:
        tls.sslsocket_class = TimedTls

    def timed(dialed: socket.socket) -> socket.socket:
        connection = Timed(dialed.family, dialed.type, dialed.proto, dialed.detach())
        connection.settimeout(timeout.left())  # also holds for the TLS handshake as a whole
        return connection

    class Plain(HTTPConnection):
        def _new_conn(self) -> socket.socket:
            return timed(super()._new_conn())

    class Secure(HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            return timed(super()._new_conn())

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    return {"http": PlainPool, "https": SecurePool}
