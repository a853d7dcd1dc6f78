"""The publisher's HTTPS transport through an HTTP proxy, and within its deadline."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import trustme

from alertworker.errors import LineUnavailable
from alertworker.publisher import connection
from alertworker.publisher.https import HttpTransport
from tests.integration.test_web_events import answering, batch

LOGIN = "ops:pa ss%"
AUTHORIZATION = f"Proxy-Authorization: Basic {b64encode(LOGIN.encode()).decode()}"


@contextmanager
def serving(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    """Take connections one after the other and serve each in a thread; gives the port."""
    listener = socket.create_server(("127.0.0.1", 0))
    threads: list[threading.Thread] = []

    def serve_one(taken: socket.socket) -> None:
        with taken:
            serve(taken)

    def accept() -> None:
        while True:
            try:
                taken, _ = listener.accept()
            except OSError:
                return
            threads.append(threading.Thread(target=serve_one, args=(taken,)))
            threads[-1].start()

    accepting = threading.Thread(target=accept)
    accepting.start()
    yield listener.getsockname()[1]
    listener.shutdown(socket.SHUT_RDWR)
    for thread in (accepting, *threads):
        thread.join()
    listener.close()


def head_of(taken: socket.socket) -> str:
    """Read a request's head, and no byte more."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += taken.recv(1)
    return head.decode()


def pump(near: socket.socket, far: socket.socket) -> None:
    """Pass on what comes until nothing does."""
    with suppress(OSError):
        while data := near.recv(65_536):
            far.sendall(data)
    with suppress(OSError):
        far.shutdown(socket.SHUT_RDWR)


@contextmanager
def proxy(*, answer: str = "200 OK") -> Iterator[tuple[int, list[str]]]:
    """Run an HTTP proxy; gives its port and the heads of what it was asked for."""
    heads: list[str] = []

    def serve(taken: socket.socket) -> None:
        heads.append(head_of(taken))
        target = heads[-1].split()[1].removeprefix("http://").partition("/")[0]
        host, _, port = target.rpartition(":")
        if heads[-1].startswith("CONNECT"):
            taken.sendall(f"HTTP/1.1 {answer}\r\nVia: 1.1 test\r\n\r\n".encode())
            if not answer.startswith("200"):
                return
        with socket.create_connection((host, int(port))) as far:
            if not heads[-1].startswith("CONNECT"):
                far.sendall(heads[-1].encode())
            back = threading.Thread(target=pump, args=(far, taken))
            back.start()
            pump(taken, far)
            back.join()

    with serving(serve) as port:
        yield port, heads


@pytest.fixture
def tls(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ssl.SSLContext:
    """Give a server's certificate that is trusted."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


def test_https_goes_through_the_proxys_tunnel(monkeypatch: pytest.MonkeyPatch, tls: ssl.SSLContext) -> None:
    """With the proxy's login, which the server never sees; the certificate is the server's."""
    with answering(202, 202, tls=tls) as (port, came), proxy() as (near, heads):
        monkeypatch.setenv("HTTPS_PROXY", f"http://ops:pa%20ss%25@127.0.0.1:{near}")
        transport = HttpTransport(f"https://127.0.0.1:{port}", "key")
        transport.send(batch())
        transport.send(batch())
        transport.close()

    assert len(came) == 2
    assert heads[0].startswith(f"CONNECT 127.0.0.1:{port} HTTP/1.1\r\n")
    assert AUTHORIZATION in heads[0]


def test_plain_http_is_asked_of_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the whole address."""
    with answering(202) as (port, came), proxy() as (near, heads):
        monkeypatch.setenv("http_proxy", f"127.0.0.1:{near}")
        transport = HttpTransport(f"http://127.0.0.1:{port}", "key")
        transport.send(batch())
        transport.close()

    assert len(came) == 1
    assert heads[0].startswith(f"POST http://127.0.0.1:{port}/v1/events HTTP/1.1\r\n")


def test_no_proxy_lets_the_server_past(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing listens where the proxy should be."""
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "example.com,127.0.0.1")
    with answering(202) as (port, came):
        transport = HttpTransport(f"http://127.0.0.1:{port}", "key")
        transport.send(batch())
        transport.close()

    assert len(came) == 1


@pytest.mark.parametrize("named", ["http://ops:secret@127.0.0.1:{port}", "socks5://ops:secret@127.0.0.1", "http://"])
def test_a_proxy_that_lets_nobody_through_is_named_without_its_login(
    monkeypatch: pytest.MonkeyPatch, named: str
) -> None:
    """The batch waits; the operator reads where to look."""
    with proxy(answer="407 Proxy Authentication Required") as (port, _):
        monkeypatch.setenv("HTTPS_PROXY", named.format(port=port))
        with pytest.raises(LineUnavailable, match="HTTP proxy") as caught:
            HttpTransport("https://127.0.0.1:9", "key").send(batch())

    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("drips", [b"H", b"HTTP/1.1 202 Accepted\r\nContent-Length: 900\r\n\r\n"])
def test_a_server_that_drips_is_given_up_at_the_deadline(monkeypatch: pytest.MonkeyPatch, drips: bytes) -> None:
    """However often it sends a byte."""
    monkeypatch.setattr(connection, "TOTAL", 0.5)
    over = threading.Event()

    def serve(taken: socket.socket) -> None:
        head_of(taken)
        taken.sendall(drips)
        while not over.wait(0.05):
            try:
                taken.sendall(b"x")
            except OSError:
                return

    with serving(serve) as port:
        began = time.monotonic()
        with pytest.raises(LineUnavailable, match="TimeoutError"):
            HttpTransport(f"http://127.0.0.1:{port}", "key").send(batch())
        took = time.monotonic() - began
        over.set()

    assert 0.4 < took < 5
