"""A backlog, with running publishers: it is served oldest first, each batch once, without wrong alerts.

``ALERTWORKER_BACKLOG_SECONDS`` makes it longer (``make backlog``). Each run prints its figures.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from alertworker.events.batch import SealedBatch
from alertworker.publisher import BrokerTransport, Publisher
from tests.acceptance.conftest import CONFIG
from tests.acceptance.receiver import Receiver
from tests.acceptance.stack import Stack

#: How long nothing is applied: longer than Redis's visibility timeout plus the interval of its restore.
SECONDS = float(os.environ.get("ALERTWORKER_BACKLOG_SECONDS", "27"))
BROKERS = ["valkey", "redis", "rabbitmq"] if "ALERTWORKER_BACKLOG_SECONDS" in os.environ else ["valkey"]
PUBLISHERS = 6
#: The interval of each publisher's calls in seconds, and the cost of one.
EVERY, NANOS = 1.0, 1_000
#: Each claim of a batch, also of an applied one, costs about as much as this recursion.
SLOW = """
    CREATE TABLE deliveries (batch_id TEXT);
    CREATE TRIGGER slow BEFORE INSERT ON batches BEGIN
      INSERT INTO deliveries VALUES (NEW.batch_id);
      SELECT count(*) FROM (
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) SELECT i FROM n
      );
    END;
"""


@dataclass
class Recorded:
    """Sends through the broker, and records which batches were sent, and when."""

    transport: BrokerTransport
    batches: dict[str, float] = field(default_factory=dict)

    def send(self, batch: SealedBatch) -> None:
        """Send a batch."""
        self.transport.send(batch)
        self.batches[batch.batch_id] = time.time()

    def close(self) -> None:
        """Close the connection."""
        self.transport.close()


@pytest.fixture(params=BROKERS)
def stack(request: pytest.FixtureRequest, tmp_path: Path, slack: Receiver) -> Iterator[Stack]:
    """Run an installation on a broker, with one slow ingest process."""
    environ = {"ALERTWORKER_BROKER_URL": request.getfixturevalue("rabbitmq_url")} if request.param == "rabbitmq" else {}
    server = "redis-server" if request.param == "redis" else None
    running = Stack(tmp_path / "s", CONFIG.format(url=slack.url, secret="none"), environ, server=server)
    try:
        running.up()
        with closing(sqlite3.connect(running.folder / "alertworker.db", timeout=30)) as database:
            database.executescript(SLOW)
        yield running
    finally:
        running.down()


@contextmanager
def publishing(stack: Stack, folder: Path) -> Iterator[tuple[list[Recorded], list[int]]]:
    """Run publishers that publish all the time. Return their transports and, at the end, the number of calls."""
    transports = [Recorded(BrokerTransport(stack.broker_url)) for _ in range(PUBLISHERS)]
    calls: list[int] = []
    over = threading.Event()

    def run(number: int) -> None:
        publisher = Publisher(transports[number], folder / str(number))
        count = 0
        while not over.wait(EVERY):
            publisher.publish(answered(f"{number}-{count}"))
            count += 1
        publisher.close()
        calls.append(count)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(PUBLISHERS)]
    for thread in threads:
        thread.start()
    try:
        yield transports, calls
    finally:
        over.set()
        for thread in threads:
            thread.join(30)


def answered(call_id: str) -> dict[str, Any]:
    """Return a good call."""
    now = datetime.now(UTC)
    return {
        "type": "llm.request.succeeded",
        "call_id": call_id,
        "started_at": now,
        "ended_at": now,
        "model_group": "gpt-4o",
        "deployment_id": "d1",
        "team_id": "search",
        "cost_nanos": NANOS,
    }


def ask(stack: Stack, query: str) -> list[tuple[Any, ...]]:
    """Query the database."""
    with closing(sqlite3.connect(stack.folder / "alertworker.db", timeout=30)) as database:
        return list(database.execute(query))


def measure(stack: Stack, transports: list[Recorded], now: float) -> tuple[int, float, float]:
    """Return how many batches are not applied, the age of the oldest, and the age of the newest canary that arrived."""
    applied = {row[0] for row in ask(stack, "SELECT batch_id FROM batches")}
    waiting = [sent for one in transports for batch, sent in list(one.batches.items()) if batch not in applied]
    (canary,) = ask(stack, "SELECT strftime('%s', at) FROM line WHERE name = 'canary_arrived'")[0]
    return len(waiting), now - min(waiting, default=now), now - float(canary)


def wait_for_canary(stack: Stack) -> None:
    """Wait until a canary has returned."""
    ends = time.monotonic() + 30
    while not ask(stack, "SELECT at FROM line WHERE name = 'canary_arrived'") and time.monotonic() < ends:
        time.sleep(0.2)


@pytest.mark.timeout(max(300, int(SECONDS * 5)))
def test_a_backlog_is_applied_oldest_first_and_concludes_nothing(stack: Stack, tmp_path: Path) -> None:
    """Six publishers keep running while nothing is applied, and while the backlog is applied slowly."""
    seen: list[tuple[int, float, float]] = []
    with publishing(stack, tmp_path) as (transports, calls):
        wait_for_canary(stack)
        stack.kill("ingest", signal.SIGTERM)
        time.sleep(SECONDS)
        stack.start("ingest")
        ends = time.monotonic() + 3 * SECONDS
        while time.monotonic() < ends and (not seen or seen[-1][1] > 5):
            seen.append(measure(stack, transports, time.time()))
            time.sleep(0.5)
    ends = time.monotonic() + 60
    while measure(stack, transports, time.time())[0] and time.monotonic() < ends:
        time.sleep(0.5)

    sent = {batch: at for one in transports for batch, at in one.batches.items()}
    deliveries = Counter(row[0] for row in ask(stack, "SELECT batch_id FROM deliveries"))
    order = [sent[row[0]] for row in ask(stack, "SELECT batch_id FROM deliveries ORDER BY rowid") if row[0] in sent]
    overtaken = max(before - after for before, after in pairwise(order))
    apart = max(abs(oldest - canary) for _, oldest, canary in seen if oldest > 5)
    print(
        f"\n{len(sent)} batches, {sum(calls)} calls; at most {max(one[0] for one in seen)} waited, the oldest for "
        f"{max(one[1] for one in seen):.0f} s; canary and oldest batch at most {apart:.1f} s apart; "
        f"a batch overtook one that was at most {overtaken:.1f} s older; {sum(deliveries.values())} deliveries"
    )
    assert max(one[1] for one in seen) > SECONDS - 5
    assert {batch: deliveries[batch] for batch in sent} == dict.fromkeys(sent, 1)
    assert overtaken < 22  # two processes apply: one may wait for the lock while the other goes on
    assert apart < 30
    assert ask(stack, "SELECT type FROM alerts") == []
    assert ask(stack, "SELECT sum(spend_nanos), sum(requests) FROM spend WHERE dimension = 'team'") == [
        (sum(calls) * NANOS, sum(calls))
    ]
    assert ask(stack, "SELECT count(*) FROM dead_letters") == [(0,)]
