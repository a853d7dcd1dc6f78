"""One address does not keep the bodies of others from being decoded. The clients have addresses of the loopback."""

from __future__ import annotations

import gzip
import http.client
import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from functools import partial

import pytest

from alertworker.events.batch import SealedBatch
from alertworker.web.app import build_app
from alertworker.web.connection import TimedProtocol
from alertworker.web.decoders import MAX_DECODING, Decoders, T
from alertworker.web.event_rate import EventRate
from tests.integration.test_web_connections import serving
from tests.unit.web.test_bounds import EVENT, PATHS, web

BUSY, ALSO_BUSY, OTHER, RELAY = "127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4"
INVALID = json.dumps(json.loads(EVENT) | {"started_at": "x"}).encode()


class Turns(Decoders):
    """Decoders that note the addresses in the order of their turns. The turns of ``held`` wait for ``gate``."""

    def __init__(self) -> None:
        super().__init__()
        self.begun: list[str] = []
        self.held: set[str] = set()
        self.gate, self.arrived, self.entered = threading.Event(), threading.Semaphore(0), threading.Semaphore(0)

    async def run(self, work: Callable[[threading.Event], T], address: str) -> T:
        """Do the work in its turn."""

        def noted(stopped: threading.Event) -> T:
            self.begun.append(address)
            self.entered.release()
            if address in self.held:
                self.gate.wait()
            return work(stopped)

        self.arrived.release()
        return await super().run(noted, address)


class Clients:
    """Clients of a server, each with its own address."""

    def __init__(self, port: int, turns: Turns) -> None:
        self.turns, self._port = turns, port
        self._threads = ThreadPoolExecutor(20)

    def post(self, address: str, body: bytes = EVENT, path: str = PATHS[0], encoding: str = "identity") -> int:
        """Post a body from an address. Return the status."""
        source = (address, 0)
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60, source_address=source)
        connection.request("POST", path, body, {"Authorization": "Bearer key", "Content-Encoding": encoding})
        status = connection.getresponse().status
        connection.close()
        return status

    def begin(self, address: str, count: int, path: str = PATHS[0], body: bytes = EVENT) -> list[Future[int]]:
        """Post bodies at once, and wait until they all queue for their turns."""
        posts = [self._threads.submit(partial(self.post, address, body, path)) for _ in range(count)]
        for _ in posts:
            assert self.turns.arrived.acquire(timeout=30)
        return posts

    def close(self) -> None:
        """Let all turns end, and wait for the answers."""
        self.turns.gate.set()
        self._threads.shutdown()


@pytest.fixture
def clients(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clients]:
    """Run a server with a low rate, which takes every batch."""
    monkeypatch.setattr("alertworker.web.decoders.DECODE_SECONDS", 60.0)
    batches: list[SealedBatch] = []
    _, context = web(batches.append)
    turns = Turns()
    context = replace(context, decoders=turns, event_rate=EventRate(1))
    with serving(build_app(context), TimedProtocol) as connect:
        with connect() as probe:
            port = probe.getpeername()[1]
        clients = Clients(port, turns)
        yield clients
        clients.close()
        turns.close()
    context.broker_queue.close()


@pytest.mark.parametrize(("path", "body"), [(PATHS[0], EVENT), (PATHS[1], b'{"text": "hello"}')])
def test_an_address_with_many_bodies_leaves_a_thread_to_others(clients: Clients, path: str, body: bytes) -> None:
    """This holds for the relay, too. The bodies took both threads, and others waited for seconds or got 503."""
    clients.turns.held = {BUSY}
    posts = clients.begin(BUSY, 6)
    assert clients.post(OTHER, body, path) in (200, 202)
    assert clients.turns.begun == [BUSY, OTHER]

    clients.turns.gate.set()
    assert [post.result() for post in posts] == [202] * 6


def test_addresses_take_turns(clients: Clients) -> None:
    """An address that comes last waits for one body of each other address, and not for all."""
    busy = [BUSY, ALSO_BUSY]
    assert len(busy) == MAX_DECODING
    clients.turns.held = set(busy)
    posts = [post for address in busy for post in clients.begin(address, 5)]
    for _ in busy:
        assert clients.turns.entered.acquire(timeout=30)
    posts += clients.begin(OTHER, 2)
    relayed = clients.begin(RELAY, 1, PATHS[1], b'{"text": "hello"}')
    clients.turns.gate.set()

    assert [post.result() for post in posts] == [202] * 12
    assert [post.result() for post in relayed] == [200]
    begun = clients.turns.begun
    assert (set(begun[:2]), set(begun[2:4])) == ({BUSY, ALSO_BUSY}, {OTHER, RELAY})
    assert OTHER in begun[4:8]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"\n".join([INVALID] * 400), 422),
        (b"\n".join([INVALID + b" " * 600] * 600), 422),
        (b"\n".join([EVENT, *[INVALID] * 400]), 202),
        (b" " * 1_024 * 700 + EVENT, 202),
    ],
    ids=["invalid", "too many invalid", "partly invalid", "large"],
)
def test_all_that_is_decoded_counts_and_what_is_above_the_rate_is_not_decoded(
    clients: Clients, body: bytes, status: int
) -> None:
    """Each body costs 400 events or more, and 60 may come at once. Compressed, the body does not show its cost."""
    packed = gzip.compress(body)

    assert [clients.post(BUSY, packed, encoding="gzip") for _ in range(3)] == [status, 429, 429]
    assert clients.turns.begun == [BUSY]
    assert clients.post(OTHER) == 202
