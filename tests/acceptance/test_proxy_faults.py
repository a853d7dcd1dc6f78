"""The real proxy while its broker is away, and with a thousand calls that hang at once."""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.acceptance.proxy import MASTER_KEY, PROMPT, UPSTREAM_KEY, Proxy
from tests.acceptance.receiver import Receiver
from tests.acceptance.stack import Stack
from tests.acceptance.test_redelivery import rows, wait_for_rows

#: How long the broker is away, in seconds.
AWAY = float(os.environ.get("ALERTWORKER_TEST_AWAY", "10"))


@pytest.fixture
def proxy(stack: Stack, tmp_path: Path) -> Iterator[Proxy]:
    """Run a proxy that publishes to the installation's broker."""
    running = Proxy(tmp_path / "p", stack.broker_url, ("fast", "slow-1", "hang-8"))
    try:
        running.up()
        yield running
    finally:
        running.down()


def latencies(proxy: Proxy, seconds: float) -> list[float]:
    """Ask one request after another for so long, and give the seconds that each took."""
    taken: list[float] = []
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        began = time.perf_counter()
        assert proxy.ask("fast")[0] == 200
        taken.append(time.perf_counter() - began)
    return taken


def percentiles(taken: list[float]) -> str:
    """Give p50, p95 and p99 in milliseconds."""
    cuts = statistics.quantiles(taken, n=100)
    return " ".join(f"p{number} {cuts[number - 1] * 1e3:.1f} ms" for number in (50, 95, 99))


def test_a_stopped_broker_does_not_slow_the_proxy_down(proxy: Proxy, stack: Stack) -> None:
    """Requests take as long without it as with it, and all are in the books once it is back."""
    asked = len(latencies(proxy, 3))
    there = latencies(proxy, AWAY)
    stack.kill("broker")
    away = latencies(proxy, AWAY)
    spool = [path.read_bytes() for path in (proxy.folder / "data").rglob("*") if path.is_file()]
    stack.start_broker()

    print(f"with the broker {percentiles(there)}; without it {percentiles(away)} ({len(away)} requests)")
    assert statistics.median(away) < 1.5 * statistics.median(there)
    assert spool, "nothing was spooled"
    for canary in (PROMPT[:20], MASTER_KEY, UPSTREAM_KEY):
        assert not any(canary.encode() in content for content in spool)
    total = asked + len(there) + len(away)
    wait_for_rows(
        stack, "SELECT SUM(requests) FROM spend WHERE dimension = 'model' AND entity = 'fast'", [(total,)], 60
    )
    assert rows(stack, "SELECT count(*) FROM dead_letters") == [(0,)]


def test_a_proxy_that_is_told_to_end_says_goodbye(proxy: Proxy, stack: Stack) -> None:
    """What was asked right before, and what still ran, is in the books; nobody takes the proxy for lost."""
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
    """Send so many requests at once and give the status of each."""
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
    """One condition fires, follows them, and says at its end how all of them ended."""
    statuses = asyncio.run(hang(proxy, 1_000))
    assert set(statuses) == {200}
    [ended] = slack.wait_for("Resolved after", seconds=60)

    assert "Ended: `1000 finished`" in ended.text
    hanging = slack.taken("Requests are hanging")
    assert sum(post.count for post in hanging) == 1_000
    assert len(hanging) <= 10
    assert rows(stack, "SELECT count(*) FROM alerts WHERE type = 'llm_requests_hanging'") == [(1,)]
