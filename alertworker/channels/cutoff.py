"""A deadline for a whole HTTP exchange, which requests does not have: its timeout begins anew with every byte."""

from __future__ import annotations

import os
import socket
import threading
from contextlib import suppress
from typing import Any, Self

import requests.adapters
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection


class Cutoff:
    """Shuts a connection down when its time is over, whatever a thread is just waiting for on it.

    Looking up the receiver's name is the one part that it cannot end; that is the resolver's own timeout.
    """

    def __init__(self, seconds: float) -> None:
        self.passed = False
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

    def watch(self, connection: socket.socket) -> None:
        """Take a new connection under the deadline; by a handle of its own, since TLS takes the socket object over."""
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


class CutoffAdapter(requests.adapters.HTTPAdapter):
    """Puts every connection that requests opens under one cutoff."""

    def __init__(self, cutoff: Cutoff) -> None:
        self._cutoff = cutoff
        super().__init__(max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Use connections that report themselves."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _pools(self._cutoff)

    def proxy_manager_for(self, proxy: Any, **proxy_kwargs: Any) -> Any:
        """Use them through an HTTP proxy, too."""
        manager = super().proxy_manager_for(proxy, **proxy_kwargs)
        manager.pool_classes_by_scheme = _pools(self._cutoff)
        return manager


def _pools(cutoff: Cutoff) -> dict[str, type[HTTPConnectionPool]]:
    class Plain(HTTPConnection):
        def _new_conn(self) -> socket.socket:
            connection = super()._new_conn()
            cutoff.watch(connection)
            return connection

    class Secure(HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            connection = super()._new_conn()
            cutoff.watch(connection)
            return connection

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    return {"http": PlainPool, "https": SecurePool}
