"""The real proxy with a stopped or paused broker, and with 1,000 hanging calls at once."""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from alertworker.publisher.topology import transport_options
from tests.acceptance.proxy import MASTER_KEY, PROMPT, UPSTREAM_KEY, Proxy
from tests.acceptance.receiver import Receiver
from tests.acceptance.stack import Stack
from tests.acceptance.test_redelivery import rows, wait_for_rows

#: How long the broker is down, in seconds.
AWAY = float(os.environ.get("ALERTWORKER_TEST_AWAY", "10"))
#: How often the test stops the broker for a part of that time.
ROUNDS = 3


@pytest.fixture
def proxy(stack: Stack, tmp_path: Path) -> Iterator[Proxy]:
    """Run a proxy that publishes to the installation's broker."""
    running = Proxy(tmp_path / "p", stack.broker_url, ("fast", "slow-1", "hang-8"))
    try:
        running.up()
        yield running
    finally:
        running.down()


@dataclass
class Window:
    """The requests of a time window: the seconds of each, and the proxy's CPU seconds for all of them."""

    taken: list[float]
    cpu: float

    @property
    def cost(self) -> float:
        """The CPU seconds of one request."""
        return self.cpu / len(self.taken)


def ask_for(proxy: Proxy, seconds: float) -> Window:
    """Send one request after another for this time."""
    taken: list[float] = []
    used, ends = proxy.cpu_seconds(), time.monotonic() + seconds
    while time.monotonic() < ends:
        began = time.perf_counter()
        assert proxy.ask("fast")[0] == 200
        taken.append(time.perf_counter() - began)
    return Window(taken, proxy.cpu_seconds() - used)


def describe(windows: Sequence[Window]) -> str:
    """Return the figures of some windows, in milliseconds."""
    costs = " ".join(f"{window.cost * 1e3:.1f}" for window in windows)
    taken = [seconds * 1e3 for window in windows for seconds in window.taken]
    return f"CPU {costs} ms a request; median {statistics.median(taken):.1f} ms, slowest {max(taken):.1f} ms"


def wait_for_requests(stack: Stack, windows: Sequence[Window]) -> None:
    """Wait until the ledger has every request, and check that no batch was parked."""
    total = sum(len(window.taken) for window in windows)
    query = "SELECT SUM(requests) FROM spend WHERE dimension = 'model' AND entity = 'fast'"
    wait_for_rows(stack, query, [(total,)], 60)
    assert rows(stack, "SELECT count(*) FROM dead_letters") == [(0,)]


def test_a_stopped_broker_does_not_slow_the_proxy_down(proxy: Proxy, stack: Stack) -> None:
    """A request costs as much CPU without the broker, and the ledger has every request once the broker is back.

    Other processes on the machine only add to a figure, so the cheapest windows are compared.
    """
    warm, there, away = ask_for(proxy, 5), [], []
    for _ in range(ROUNDS):
        there.append(ask_for(proxy, AWAY / ROUNDS))
        stack.kill("broker")
        away.append(ask_for(proxy, AWAY / ROUNDS))
        spool = [path.read_bytes() for path in (proxy.folder / "data").rglob("*") if path.is_file()]
        stack.start_broker()

    print(f"with the broker: {describe(there)}; without it: {describe(away)}")
    assert min(window.cost for window in away) < 1.5 * min(window.cost for window in there)
    assert spool, "nothing was spooled"
    for canary in (PROMPT[:20], MASTER_KEY, UPSTREAM_KEY):
        assert not any(canary.encode() in content for content in spool)
    wait_for_requests(stack, [warm, *there, *away])


def test_no_request_waits_for_a_broker_that_does_not_answer(proxy: Proxy, stack: Stack) -> None:
    """The broker is paused: it accepts connections and answers nothing until the client's timeout."""
    warm = ask_for(proxy, 3)
    stack.pause("broker")
    try:
        paused = ask_for(proxy, AWAY)
    finally:
        stack.resume("broker")

    print(f"with a paused broker: {describe([paused])}")
    assert max(paused.taken) < transport_options(stack.broker_url)["socket_timeout"] / 2
    wait_for_requests(stack, [warm, paused])


def test_a_proxy_that_gets_sigterm_shuts_down_cleanly(proxy: Proxy, stack: Stack) -> None:
    """The ledger has the earlier calls and those in flight, and the proxy does not count as lost."""
    with ThreadPoolExecutor(6) as pool:
        slow = pool.submit(proxy.ask, "slow-1")
        assert [status for status, _ in pool.map(proxy.ask, ["fast"] * 20)] == [200] * 20
        proxy.end()
        assert slow.result()[0] == 200

    wait_for_rows(
        stack,
        "SELECT entity, requests FROM spend WHERE dimension = 'model' ORDER BY entity",
        [("fast", 20), ("slow-1", 1)],
        10,
    )
    wait_for_rows(stack, "SELECT count(*) FROM publishers WHERE stopped_at IS NOT NULL", [(1,)], 5)


async def hang(proxy: Proxy, count: int) -> list[int]:
    """Send this many requests at once and return the status of each."""
    body = json.dumps({"model": "hang-8", "messages": [{"role": "user", "content": PROMPT}]}).encode()
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nHost: proxy\r\nAuthorization: Bearer {MASTER_KEY}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )

    async def ask() -> int:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.write(head.encode() + body)
        status = int((await reader.readline()).split()[1])
        await reader.read()
        writer.close()
        return status

    return await asyncio.gather(*(ask() for _ in range(count)))


@pytest.mark.timeout(180)
def test_a_thousand_hung_calls_are_all_counted_in_few_messages(proxy: Proxy, stack: Stack, slack: Receiver) -> None:
    """One condition fires, counts all calls, and its last message has their results."""
    statuses = asyncio.run(hang(proxy, 1_000))
    assert set(statuses) == {200}
    [ended] = slack.wait_for("Resolved after", seconds=60)

    assert "Ended: `1000 finished`" in ended.text
    hanging = slack.taken("Requests are hanging")
    # Those that were reported after the last summary are counted by the end alone.
    assert sum(post.count for post in hanging) <= ended.count == 1_000
    assert len(hanging) <= 10
    assert rows(stack, "SELECT count(*) FROM alerts WHERE type = 'llm_requests_hanging'") == [(1,)]
