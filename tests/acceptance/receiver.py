"""A receiver on loopback in place of Slack: it records every POST with its time, and answers as configured."""

from __future__ import annotations

import json
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.contract.shape import Sent
from tests.contract.vendors import slack

#: Status (0: the message is accepted, and the answer lost), headers, and the seconds before the answer.
Answer = tuple[int, dict[str, str], float]
OK: Answer = (200, {}, 0.0)


@dataclass(frozen=True)
class Post:
    """One POST: its time (monotonic seconds), path, body, and answer."""

    at: float
    path: str
    body: dict[str, Any]
    status: int
    notification_id: str

    @property
    def text(self) -> str:
        """Return Slack's ``text``, or "" if the body is another vendor's."""
        return str(self.body.get("text", ""))

    @property
    def count(self) -> int:
        """Return how many occurrences the message counts beyond those of earlier messages."""
        more = re.search(r"^(\d+) more in ", self.text, re.MULTILINE)
        times = re.search(r"^(\d+) times since ", self.text, re.MULTILINE)
        return int(more[1]) if more else int(times[1]) if times else 1


@dataclass
class Receiver:
    """The received posts. ``answer`` returns the answer for the number of the POST (from 0) and its path."""

    url: str = ""
    posts: list[Post] = field(default_factory=list)
    #: The reasons for which Slack would have refused a body of ours.
    complaints: list[str] = field(default_factory=list)
    answer: Callable[[int, str], Answer] = lambda _number, _path: OK
    #: While it is entered, nothing listens, and all earlier connections are closed.
    refusing: Callable[[], AbstractContextManager[None]] = nullcontext

    def taken(self, containing: str = "") -> list[Post]:
        """Return the accepted posts, in order."""
        return [post for post in self.posts if post.status in (0, 200) and containing in post.text]

    def wait_for(self, containing: str, *, seconds: float, count: int = 1) -> list[Post]:
        """Wait until this many messages with that text were accepted."""
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            found = self.taken(containing)
            if len(found) >= count:
                return found
            time.sleep(0.05)
        seen = "\n".join(f"{post.at:.1f} {post.status} {post.path} {post.text[:200]!r}" for post in self.posts)
        raise AssertionError(f"no {count} messages with {containing!r} within {seconds} s; there came:\n{seen}")


@contextmanager
def receiver(tls: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    """Run a receiver, with TLS if there is a context."""
    state = Receiver()
    port = _Port(_handler(state), tls)
    state.url = f"{'https' if tls else 'http'}://127.0.0.1:{port.server.server_port}"
    state.refusing = port.refusing
    try:
        yield state
    finally:
        port.close()
    assert state.complaints == []


def _handler(state: Receiver) -> type[BaseHTTPRequestHandler]:
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            at = time.monotonic()
            raw = self.rfile.read(int(self.headers["Content-Length"])).decode()
            body = json.loads(raw)
            with lock:
                if "blocks" in body:
                    state.complaints += slack.complaints(Sent(raw, {}))
                status, headers, seconds = state.answer(len(state.posts), self.path)
                name = self.headers.get("X-Alertworker-Notification", "")
                state.posts.append(Post(at, self.path, body, status, name))
            time.sleep(seconds)
            if status == 0:
                self.close_connection = True
                return
            self.send_response(status)
            for name, value in {"Content-Length": "2", **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            """Keep the test's output clean."""

    return Handler


class _Server(ThreadingHTTPServer):
    """Knows its connections, so that they can be closed with it."""

    daemon_threads = True

    def __init__(self, *arguments: Any) -> None:
        self.connections: list[socket.socket] = []
        super().__init__(*arguments)

    def process_request(self, request: Any, client_address: Any) -> None:
        self.connections.append(request)
        super().process_request(request, client_address)


class _Port:
    """A listening port that can stop listening for a while."""

    def __init__(self, handler: type[BaseHTTPRequestHandler], tls: ssl.SSLContext | None) -> None:
        self._handler = handler
        self._tls = tls
        self.server = self._listen(0)

    def _listen(self, port: int) -> _Server:
        server = _Server(("127.0.0.1", port), self._handler)
        if self._tls is not None:
            server.socket = self._tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return server

    def close(self) -> None:
        """Stop listening, and close all connections."""
        self.server.shutdown()
        self.server.server_close()
        for connection in self.server.connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    @contextmanager
    def refusing(self) -> Iterator[None]:
        """Stop listening, and listen at the same port again afterwards."""
        self.close()
        try:
            yield
        finally:
            self.server = self._listen(self.server.server_port)
