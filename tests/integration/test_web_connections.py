"""Clients that send nothing, or too slowly, lose their connection. Others are not affected."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from alertworker.web import connection
from alertworker.web.connection import TimedProtocol, protocol

LARGE = 30_000_000
HEAD = b"POST /%b HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n"


async def refuse(_request: Request) -> PlainTextResponse:
    """Answer without the body, as a request without a key is answered."""
    return PlainTextResponse("no", 401)


async def read(request: Request) -> PlainTextResponse:
    """Answer after the body."""
    return PlainTextResponse(str(len(await request.body())))


async def large(_request: Request) -> PlainTextResponse:
    """Answer with more than the system's buffers take."""
    return PlainTextResponse("a" * LARGE)


async def slow(_request: Request) -> PlainTextResponse:
    """Answer late."""
    await asyncio.sleep(1.5)
    return PlainTextResponse("done")


@contextlib.contextmanager
def serving(
    app: Starlette, http: type[asyncio.Protocol], *, most: int | None = None
) -> Iterator[Callable[[], socket.socket]]:
    """Run a server, and yield a function that connects to it. With more than ``most`` connections, it answers 503."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, http=http, log_config=None, lifespan="off", limit_concurrency=most))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    yield lambda: socket.create_connection(listener.getsockname(), timeout=10)
    server.should_exit = True
    thread.join()
    listener.close()


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], socket.socket]]:
    """Run a server with a short limit, and return a function that connects to it."""
    monkeypatch.setattr(connection, "WAITING_SECONDS", 0.5)
    methods = ["POST"]
    app = Starlette(
        routes=[Route("/refuse", refuse, methods=methods), Route("/read", read, methods=methods), Route("/slow", slow)]
    )
    with serving(app, TimedProtocol) as connects:
        yield connects


def drip(client: socket.socket, data: bytes, seconds: float) -> bytes:
    """Send single bytes for a while, and return what the server sent until it closed the connection."""
    begun, received = time.monotonic(), b""
    client.settimeout(0.05)
    while time.monotonic() - begun < seconds:
        try:
            client.sendall(data)
            piece = client.recv(10_000)
        except TimeoutError:
            continue
        except OSError:
            return received
        if not piece:
            return received
        received += piece
    raise AssertionError("the connection is still open")


def until(client: socket.socket, end: bytes) -> bytes:
    """Return what the server sends up to ``end``."""
    received = b""
    while not received.endswith(end):
        received += client.recv(1)
    return received


def test_a_client_that_sends_nothing_is_disconnected(connect: Callable[[], socket.socket]) -> None:
    with connect() as client:
        assert client.recv(1) == b""


@pytest.mark.parametrize("start", [b"", b"POST /read HTTP/1.1\r\nX-A: "])
def test_a_head_that_drips_is_given_up(connect: Callable[[], socket.socket], start: bytes) -> None:
    with connect() as client:
        client.sendall(start)
        assert drip(client, b"a", 5) == b""


def test_the_rest_of_a_refused_body_is_given_up(connect: Callable[[], socket.socket]) -> None:
    with connect() as client:
        client.sendall(HEAD % (b"refuse", 1_000_000))
        assert b" 401 " in drip(client, b"a", 5)


def test_the_head_of_the_next_request_is_given_up(connect: Callable[[], socket.socket]) -> None:
    with connect() as client:
        client.sendall(HEAD % (b"read", 1) + b"1")
        assert until(client, b"\r\n\r\n1").startswith(b"HTTP/1.1 200")
        client.sendall(b"POST /read HTTP/1.1\r\nX-A: ")
        assert drip(client, b"a", 5) == b""


def test_a_request_in_progress_has_its_time(connect: Callable[[], socket.socket]) -> None:
    """A body's time is limited where it is read, and a response's by the route."""
    with connect() as client:
        client.sendall(HEAD % (b"read", 5))
        for _ in range(5):
            time.sleep(0.3)
            client.sendall(b"a")
        until(client, b"\r\n\r\n5")
        client.sendall(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
        until(client, b"done")
        client.sendall(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n" * 2)  # pipelined
        until(client, b"done")
        until(client, b"done")


def test_connections_take_turns(connect: Callable[[], socket.socket], monkeypatch: pytest.MonkeyPatch) -> None:
    """Small chunks cost the parser much, and no other client is served during a turn."""
    turns: list[int] = []
    receive = TimedProtocol.data_received

    def count(self: TimedProtocol, data: bytes) -> None:
        turns.append(len(data))
        receive(self, data)

    monkeypatch.setattr(TimedProtocol, "data_received", count)
    with connect() as client:
        client.sendall(HEAD % (b"read", 2_000_000) + b"a" * 2_000_000)
        until(client, b"\r\n\r\n2000000")
    assert sum(turns) > 2_000_000
    assert max(turns) <= connection.READ_BYTES


def _is_closed(client: socket.socket) -> bool:
    try:
        return client.recv(1_000) == b""
    except ConnectionResetError:
        return True


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], socket.socket]]:
    """Run a server that takes 6 connections, 3 from one address, and return a function that connects to it."""
    app = Starlette(routes=[Route("/read", read, methods=["POST"]), Route("/slow", slow), Route("/large", large)])
    with serving(app, protocol((), most=6), most=7) as connects:
        yield connects


@pytest.mark.parametrize("start", [b"", b"POST /read HTTP/1.1\r\nX-A: ", HEAD % (b"read", 100) + b"a"])
def test_idle_connections_make_room_for_new_clients(small: Callable[[], socket.socket], start: bytes) -> None:
    """Idle ones, half heads and half bodies: the longest wait ends first, and each new client is served."""
    idle = [small() for _ in range(20)]
    for client in idle:
        with contextlib.suppress(OSError):
            client.sendall(start)
    for _ in range(5):
        with small() as client:
            client.sendall(HEAD % (b"read", 1) + b"1")
            assert until(client, b"\r\n\r\n1").startswith(b"HTTP/1.1 200")
    closed = 0
    for client in idle:
        client.settimeout(0.2)
        with contextlib.suppress(TimeoutError), client:
            closed += _is_closed(client)
    assert closed >= 17


@pytest.mark.parametrize("requests", [1, 50])
def test_clients_that_do_not_read_make_room_for_new_clients(small: Callable[[], socket.socket], requests: int) -> None:
    """Their responses fill the buffers, and asyncio keeps a connection that it closes until all is read."""
    deaf = [small() for _ in range(20)]
    for client in deaf:
        with contextlib.suppress(OSError):
            client.sendall(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n" * requests)
    for _ in range(5):
        with small() as client:
            client.sendall(HEAD % (b"read", 1) + b"1")
            assert until(client, b"\r\n\r\n1").startswith(b"HTTP/1.1 200")
    for client in deaf:
        client.close()


def test_a_client_that_does_not_read_is_given_up(
    small: Callable[[], socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "READING_SECONDS", 0.3)
    with small() as client:
        client.sendall(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
        time.sleep(1)  # the time limit, and not for synchronisation
        received = 0
        with contextlib.suppress(ConnectionResetError):
            while piece := client.recv(1_000_000):
                received += len(piece)
        assert received < LARGE


def test_requests_in_progress_are_never_closed_for_new_clients(small: Callable[[], socket.socket]) -> None:
    with small() as one, small() as two, small() as three:
        for client in (one, two, three):
            client.sendall(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
        time.sleep(0.3)  # the server has read them
        with small() as more:
            assert more.recv(1) == b""
        for client in (one, two, three):
            until(client, b"done")
