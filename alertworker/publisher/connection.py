"""Connections to an HTTP server that end by a deadline, through a proxy where the environment names one.

The standard library alone: its client knows a timeout for each read only, and a server that drips never meets that.
"""

from __future__ import annotations

import socket
import ssl
import time
from base64 import b64encode
from http.client import HTTPConnection, HTTPResponse
from typing import Any, Final, NamedTuple
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

#: How long an exchange may take, connecting included, in seconds; more than the server gives body and broker.
TOTAL: Final = 60.0
#: How long connecting to one address may take, in seconds.
_CONNECT: Final = 10.0
#: How long nothing may come or go, in seconds; more than the server gives its broker.
_SILENCE: Final = 20.0
#: How much is handed to TLS at a time, in bytes: one record, so that each has its own share of the deadline.
_RECORD: Final = 16 * 1024


class ProxyError(OSError):
    """The HTTP proxy of the environment is the trouble; the message names no address."""


class _Timed(socket.socket):
    """A socket whose operations end by ``ends``, a moment of the monotonic clock."""

    ends: float = 0.0

    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        """Read what is there; what `makefile` gives reads by it, too."""
        self.settimeout(left(self.ends, _SILENCE))
        return super().recv_into(*args, **kwargs)

    def sendall(self, data: Any, flags: int = 0) -> None:
        """Send all of it."""
        view = memoryview(data).cast("B")
        for start in range(0, len(view), _RECORD):
            self.settimeout(left(self.ends, _SILENCE))
            super().sendall(view[start : start + _RECORD], flags)


class _TimedTls(_Timed, ssl.SSLSocket):
    """The same under TLS."""


def left(ends: float, most: float) -> float:
    """Give how long one operation may take, in seconds.

    Raises:
        TimeoutError: nothing is left.
    """
    seconds = min(most, ends - time.monotonic())
    if seconds <= 0:
        raise TimeoutError("the deadline has passed")
    return seconds


class Proxy(NamedTuple):
    """An HTTP proxy, with what it asks for to let us through."""

    host: str
    port: int
    headers: dict[str, str]


class TimedConnection(HTTPConnection):
    """Speaks to ``host``, under TLS where ``tls`` is given; each `exchange` ends by a deadline of its own."""

    sock: _Timed | None

    def __init__(self, host: str, port: int, tls: ssl.SSLContext | None) -> None:
        super().__init__(host, port)
        self._tls = tls
        if tls is not None:
            tls.sslsocket_class = _TimedTls
        self._proxy = proxy_for("http" if tls is None else "https", host, port)
        self._ends = 0.0

    def exchange(self, path: str, body: bytes, headers: dict[str, str]) -> tuple[HTTPResponse, bytes]:
        """Post a body, and give the answer with the first bytes of its text.

        Raises:
            OSError, HTTPException: the server, or the proxy (`ProxyError`), is away or does not answer in time.
        """
        self._ends = time.monotonic() + TOTAL
        if self.sock is not None:
            self.sock.ends = self._ends
        if self._proxy is not None and self._tls is None:
            path, headers = f"http://{_authority(self.host, self.port)}{path}", headers | self._proxy.headers
        self.request("POST", path, body, headers)
        answer = self.getresponse()
        return answer, answer.read(2_000)

    def connect(self) -> None:
        """Connect, through the proxy if there is one, and agree on TLS."""
        near = self._proxy or Proxy(self.host, self.port, {})
        sock = _dial(near.host, near.port, self._ends)
        try:
            if self._tls is not None:
                if self._proxy is not None:
                    _tunnel(sock, _authority(self.host, self.port), self._proxy.headers)
                sock.settimeout(left(self._ends, _SILENCE))
                sock = self._tls.wrap_socket(sock, server_hostname=self.host)  # type: ignore[assignment]
                sock.ends = self._ends
        except BaseException:
            sock.close()
            raise
        self.sock = sock


def proxy_for(scheme: str, host: str, port: int) -> Proxy | None:
    """Give the proxy that HTTPS_PROXY, HTTP_PROXY or ALL_PROXY names, unless NO_PROXY lets the host past it.

    Raises:
        ProxyError: for one that we cannot speak to.
    """
    known = getproxies()
    named = known.get(scheme) or known.get("all")
    if not named or proxy_bypass(f"{host}:{port}"):
        return None
    try:
        parts = urlsplit(named if "://" in named else f"http://{named}")
        near, near_port = parts.hostname, parts.port or 80
    except ValueError:
        near, near_port = None, 0
    if not near or parts.scheme != "http":
        raise ProxyError("the HTTP proxy of the environment has no http address")
    headers = {}
    if parts.username is not None:
        login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        headers["Proxy-Authorization"] = f"Basic {b64encode(login.encode()).decode()}"
    return Proxy(near, near_port, headers)


def _dial(host: str, port: int, ends: float) -> _Timed:
    """Connect to the first address that answers. Resolving the name is the system's, with its own timeout."""
    problem: OSError | None = None
    for family, kind, protocol, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        sock = _Timed(family, kind, protocol)
        sock.ends = ends
        try:
            sock.settimeout(left(ends, _CONNECT))
            sock.connect(address)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as error:
            sock.close()
            problem = error
        else:
            return sock
    raise problem or OSError("the name has no address")


def _tunnel(sock: _Timed, authority: str, headers: dict[str, str]) -> None:
    """Have a proxy connect us to the server."""
    lines = [f"CONNECT {authority} HTTP/1.1", f"Host: {authority}", *(f"{name}: {headers[name]}" for name in headers)]
    sock.sendall("\r\n".join([*lines, "", ""]).encode())
    answer = HTTPResponse(sock, method="CONNECT")
    try:
        answer.begin()
    finally:
        answer.close()
    if answer.status != 200:
        raise ProxyError(f"the HTTP proxy answered {answer.status}")


def _authority(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
