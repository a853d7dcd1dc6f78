"""The publisher's HTTPS transport through an HTTP proxy, and within its timeout."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path

import pytest
import trustme

from alertworker.errors import BrokerUnavailable
from alertworker.publisher import exchange_timeout
from alertworker.publisher.https import HttpTransport
from tests.integration.test_web_events import answering, batch

LOGIN = "ops:pa ss%"
AUTHORIZATION = f"Proxy-Authorization: Basic {b64encode(LOGIN.encode()).decode()}"


@contextmanager
def serving(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    """Accept connections and serve each in a thread; return the port."""
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
    """Read a request's head and no byte more. Return an empty string if the client has closed the connection."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = taken.recv(1)
        if not byte:
            return ""
        head += byte
    return head.decode()


def pump(near: socket.socket, far: socket.socket) -> None:
    """Forward bytes until the connection ends."""
    with suppress(OSError):
        while data := near.recv(65_536):
            far.sendall(data)
    with suppress(OSError):
        far.shutdown(socket.SHUT_RDWR)


@contextmanager
def proxy(*, answer: str = "200 OK") -> Iterator[tuple[int, list[str]]]:
    """Run an HTTP proxy; return its port and the heads of the requests that it received."""
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
    """Return a server's TLS context, whose certificate the client trusts."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


def test_https_goes_through_the_proxys_tunnel(monkeypatch: pytest.MonkeyPatch, tls: ssl.SSLContext) -> None:
    """The proxy gets its login, which the server never sees. The certificate is the server's."""
    with answering(202, 202, tls=tls) as (port, came), proxy() as (near, heads):
        monkeypatch.setenv("HTTPS_PROXY", f"http://ops:pa%20ss%25@127.0.0.1:{near}")
        transport = HttpTransport(f"https://127.0.0.1:{port}", "key")
        transport.send(batch())
        transport.send(batch())
        transport.close()

    assert len(came) == 2
    assert heads[0].startswith(f"CONNECT 127.0.0.1:{port} HTTP/1.")
    assert AUTHORIZATION in heads[0]


def test_plain_http_is_asked_of_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The request line has the whole URL."""
    with answering(202) as (port, came), proxy() as (near, heads):
        monkeypatch.setenv("http_proxy", f"127.0.0.1:{near}")
        transport = HttpTransport(f"http://127.0.0.1:{port}", "key")
        transport.send(batch())
        transport.close()

    assert len(came) == 1
    assert heads[0].startswith(f"POST http://127.0.0.1:{port}/v1/events HTTP/1.1\r\n")


def test_no_proxy_bypasses_the_proxy_for_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy listens on the port."""
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "example.com,127.0.0.1")
    with answering(202) as (port, came):
        transport = HttpTransport(f"http://127.0.0.1:{port}", "key")
        transport.send(batch())
        transport.close()

    assert len(came) == 1


@pytest.mark.parametrize("named", ["http://ops:secret@127.0.0.1:{port}", "socks5://ops:secret@127.0.0.1", "http://"])
def test_a_proxy_that_refuses_is_named_without_its_credentials(monkeypatch: pytest.MonkeyPatch, named: str) -> None:
    """The batch waits, and the error names what to correct."""
    with proxy(answer="407 Proxy Authentication Required") as (port, _):
        monkeypatch.setenv("HTTPS_PROXY", named.format(port=port))
        with pytest.raises(BrokerUnavailable, match="HTTP proxy") as caught:
            HttpTransport("https://127.0.0.1:9", "key").send(batch())

    assert "secret" not in str(caught.value)


def request_of(taken: socket.socket) -> str:
    """Read a whole request. Return its head, or an empty string if the client has closed the connection."""
    head = head_of(taken)
    _, _, length = head.lower().partition("content-length: ")
    left = int(length.split()[0]) if length else 0
    while left and (data := taken.recv(left)):
        left -= len(data)
    return head


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    ],
    ids=["empty", "sized", "chunked"],
)
def test_one_connection_carries_all_batches(answer: bytes) -> None:
    """This holds for every framing of answers."""
    connections: list[int] = []

    def serve(taken: socket.socket) -> None:
        connections.append(0)
        while request_of(taken):
            connections[-1] += 1
            taken.sendall(answer)

    with serving(serve) as port:
        transport = HttpTransport(f"http://127.0.0.1:{port}", "key")
        for _ in range(5):
            transport.send(batch())
        transport.close()

    assert connections == [5]


def test_a_batch_is_sent_again_where_the_server_gave_up_an_idle_connection() -> None:
    """The server reads the second request and closes. The batch id makes a second try safe. There is no third try."""
    ids: list[str] = []

    def serve(taken: socket.socket) -> None:
        while head := request_of(taken):
            ids.append(head.partition("Alertworker-Batch-Id: ")[2].split()[0])
            if len(ids) in {2, 4, 5}:
                return
            taken.sendall(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n")

    with serving(serve) as port:
        transport = HttpTransport(f"http://127.0.0.1:{port}", "key")
        first, second, third = batch(), batch(), batch()
        transport.send(first)
        transport.send(second)
        with pytest.raises(BrokerUnavailable, match="RemoteDisconnected"):
            transport.send(third)
        transport.close()

    names = {first.batch_id: 1, second.batch_id: 2, third.batch_id: 3}
    assert [names[came] for came in ids] == [1, 2, 2, 3, 3]


def test_a_redirect_is_not_followed() -> None:
    """The key must not reach another server."""
    connections: list[str] = []

    def serve(taken: socket.socket) -> None:
        connections.append(request_of(taken))
        place = "Location: /elsewhere\r\nContent-Length: 0\r\nConnection: close"
        taken.sendall(f"HTTP/1.1 307 Temporary Redirect\r\n{place}\r\n\r\n".encode())

    with serving(serve) as port, pytest.raises(BrokerUnavailable, match="answered 307"):
        HttpTransport(f"http://127.0.0.1:{port}", "key").send(batch())

    assert len(connections) == 1


def test_a_long_response_is_read_to_a_bound_and_the_next_batch_is_sent() -> None:
    """The error shows the start of the answer. The rest is not read as the next answer."""

    def serve(taken: socket.socket) -> None:
        head = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 1000000\r\n\r\n"
        with suppress(OSError):  # the client closes the connection in the middle of the answer
            while request_of(taken):
                taken.sendall(head + b"x" * 1_000_000)

    with serving(serve) as port:
        transport = HttpTransport(f"http://127.0.0.1:{port}", "key")
        for _ in range(2):
            with pytest.raises(BrokerUnavailable, match=r"answered 503 x{200}$"):
                transport.send(batch())


def drip(taken: socket.socket, over: threading.Event, *, first: bytes = b"") -> None:
    """Send these bytes, then one at a time until the test is over or the client has closed the connection."""
    taken.sendall(first)
    while not over.wait(0.05):
        try:
            taken.sendall(b"x")
        except OSError:
            return


@pytest.mark.parametrize("drips", [b"H", b"HTTP/1.1 202 Accepted\r\nContent-Length: 900\r\n\r\n"])
@pytest.mark.parametrize("over_tls", [False, True], ids=["plain", "tls"])
def test_a_server_that_drips_is_given_up_at_the_timeout(
    monkeypatch: pytest.MonkeyPatch, tls: ssl.SSLContext, drips: bytes, *, over_tls: bool
) -> None:
    """The timeout holds although bytes keep arriving, also on a connection that served a batch before."""
    monkeypatch.setattr(exchange_timeout, "TOTAL", 0.5)
    over = threading.Event()

    def serve(taken: socket.socket) -> None:
        with tls.wrap_socket(taken, server_side=True) if over_tls else nullcontext(taken) as connection:
            request_of(connection)
            connection.sendall(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n")
            request_of(connection)
            drip(connection, over, first=drips)

    with serving(serve) as port:
        transport = HttpTransport(f"{'https' if over_tls else 'http'}://127.0.0.1:{port}", "key")
        transport.send(batch())
        time.sleep(0.3)  # each exchange has its own timeout
        began = time.monotonic()
        with pytest.raises(BrokerUnavailable, match="TimeoutError"):
            transport.send(batch())
        took = time.monotonic() - began
        over.set()

    assert 0.4 < took < 5


def test_a_proxy_that_drips_is_given_up_at_the_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer to CONNECT is part of the exchange."""
    monkeypatch.setattr(exchange_timeout, "TOTAL", 0.5)
    over = threading.Event()

    def serve(taken: socket.socket) -> None:
        head_of(taken)
        drip(taken, over, first=b"HTTP/1.1 200 OK\r\nVia: ")

    with serving(serve) as port:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
        began = time.monotonic()
        with pytest.raises(BrokerUnavailable, match="TimeoutError"):
            HttpTransport("https://127.0.0.1:9", "key").send(batch())
        took = time.monotonic() - began
        over.set()

    assert 0.4 < took < 5
