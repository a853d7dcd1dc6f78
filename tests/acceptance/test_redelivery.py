"""Batches that are redelivered, delivered to several workers, or cannot be applied: the ledger stays exact."""

from __future__ import annotations

import re
import signal
import sqlite3
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgpack
import pytest
from kombu import Connection, Exchange
from kombu.pools import producers

from alertworker.events import EVENTS
from alertworker.events.base import new_id
from alertworker.events.batch import QUEUE, TASK, SealedBatch, seal
from alertworker.publisher import topology
from tests.acceptance.receiver import Receiver
from tests.acceptance.stack import Stack
from tests.acceptance.test_faults import FAILED, failed, wait_for_count
from tests.processes import children, kill

ON_EVERY_BROKER = pytest.mark.parametrize(
    "environ",
    [
        pytest.param({}, id="valkey"),
        pytest.param({"ALERTWORKER_BROKER_URL": "rabbitmq_url"}, marks=pytest.mark.rabbitmq, id="rabbitmq"),
    ],
    indirect=True,
)


def batch_of(events: Sequence[dict[str, Any]]) -> SealedBatch:
    """Seal events as a publisher does."""
    encoded = [event.model_dump_json().encode() for event in EVENTS.validate_python(list(events))]
    return seal(encoded, batch_id=str(new_id()), producer="test", sealed_at=datetime.now(UTC))


def send(
    url: str,
    batches: Sequence[SealedBatch],
    exchange: str = QUEUE,
    routing_key: str = QUEUE,
    *,
    headers: Mapping[str, object] | None = None,
    expiration: float | None = None,
) -> None:
    """Put batches on the broker unchanged, with further headers and a time in seconds after which they expire."""
    ours = {"task": TASK, "lang": "py", "argsrepr": "", "kwargsrepr": "", **(headers or {})}
    with Connection(url, transport_options=topology.transport_options(url)) as connection:
        exchange_type = "topic" if topology.is_amqp(url) else "direct"
        with producers[connection].acquire(block=True) as producer:
            for batch in batches:
                producer.publish(
                    [[], batch.arguments(), {}],
                    exchange=Exchange(exchange, type=exchange_type, durable=True),
                    routing_key=routing_key,
                    serializer="msgpack",
                    headers=ours | {"id": str(new_id())},
                    expiration=expiration,
                )


def rows(stack: Stack, query: str) -> list[tuple[Any, ...]]:
    """Query the installation's database."""
    with closing(sqlite3.connect(stack.folder / "alertworker.db", timeout=30)) as database:
        return list(database.execute(query))


def wait_for_rows(stack: Stack, query: str, wanted: list[tuple[Any, ...]], seconds: float) -> None:
    """Wait until the database has these rows."""
    ends = time.monotonic() + seconds
    while (found := rows(stack, query)) != wanted and time.monotonic() < ends:
        time.sleep(0.1)
    assert found == wanted, stack.log("ingest")[-2000:]


@ON_EVERY_BROKER
def test_the_same_batches_three_times_to_two_workers_count_once(stack: Stack, slack: Receiver) -> None:
    """Spend is exact to the nano-dollar and every failure is counted once, no matter which worker gets which copy."""
    stack.start("ingest", "another")
    batches = [batch_of([failed(number * 20 + index) for index in range(20)]) for number in range(10)]
    send(stack.broker_url, [batch for batch in batches for _ in range(3)])

    wait_for_count(slack, 200, 30)
    wait_for_rows(stack, "SELECT spend_nanos, failures FROM spend WHERE dimension = 'team'", [(200 * 135, 200)], 5)
    assert rows(stack, "SELECT count(*) FROM alerts WHERE type = 'llm_exceptions'") == [(1,)]
    assert rows(stack, "SELECT count(*) FROM dead_letters") == [(0,)]


@ON_EVERY_BROKER
def test_a_batch_that_cannot_be_applied_is_parked_with_its_bytes(stack: Stack, slack: Receiver) -> None:
    """The next batch is applied. The parked one is stored as it arrived, with the reason."""
    with closing(sqlite3.connect(stack.folder / "alertworker.db", timeout=30)) as database:
        database.execute(
            "CREATE TRIGGER poison BEFORE INSERT ON spend WHEN NEW.team_id = 'poison' "
            "BEGIN SELECT RAISE(ABORT, 'cannot be applied'); END"
        )
    poison, good = batch_of([failed(1, team_id="poison")]), batch_of([failed(2)])
    send(stack.broker_url, [poison, good])

    slack.wait_for(FAILED, seconds=15)
    wait_for_rows(
        stack,
        "SELECT kind, reason, payload FROM dead_letters",
        [("message", "not applied after 5 redeliveries", msgpack.packb([[], poison.arguments(), {}]))],
        60,
    )
    wait_for_count(slack, 1, 5)


@ON_EVERY_BROKER
def test_a_backlog_is_applied_in_few_transactions_and_survives_every_kill(stack: Stack) -> None:
    """A worker, or a process of its pool, is killed with several batches. All are applied, each once."""
    stack.kill("ingest")
    sent = 120
    send(stack.broker_url, [batch_of([failed(number)]) for number in range(sent)])

    stack.start("ingest")
    wait_for_any_batch(stack, 1)
    stack.kill("ingest")
    stack.start("ingest")
    wait_for_any_batch(stack, 20)
    kill(children(stack.processes["ingest"].pid))
    wait_for_any_batch(stack, 60)
    stack.kill("ingest", signal.SIGTERM)
    stack.start("ingest")
    wait_for_rows(stack, "SELECT failures FROM spend WHERE dimension = 'team'", [(sent,)], 60)
    [(batches, transactions)] = rows(
        stack, "SELECT count(*), count(DISTINCT applied_at) FROM batches WHERE producer = 'test'"
    )
    assert batches == sent
    assert transactions < sent, "some batches were applied together"
    assert rows(stack, "SELECT count(*) FROM dead_letters") == [(0,)]


@ON_EVERY_BROKER
def test_a_batch_that_cannot_be_applied_holds_up_none_of_those_beside_it(stack: Stack) -> None:
    """They are applied one by one at once. The poisoned one is parked after its redeliveries, and no other."""
    stack.kill("ingest")
    with closing(sqlite3.connect(stack.folder / "alertworker.db", timeout=30)) as database:
        database.execute(
            "CREATE TRIGGER poison BEFORE INSERT ON spend WHEN NEW.team_id = 'poison' "
            "BEGIN SELECT RAISE(ABORT, 'cannot be applied'); END"
        )
    send(stack.broker_url, [batch_of([failed(n, team_id="poison" if n == 10 else f"t{n}")]) for n in range(20)])
    stack.start("ingest")

    applied = "SELECT count(*), sum(failures) FROM spend WHERE dimension = 'team'"
    wait_for_rows(stack, applied, [(19, 19)], 30)
    parked = "SELECT kind, reason FROM dead_letters"
    wait_for_rows(stack, parked, [("message", "not applied after 5 redeliveries")], 60)
    assert rows(stack, applied) == [(19, 19)]


def wait_for_any_batch(stack: Stack, least: int) -> None:
    """Wait until the worker has applied this many batches."""
    ends = time.monotonic() + 60
    while rows(stack, "SELECT count(*) FROM batches WHERE producer = 'test'")[0][0] < least:
        assert time.monotonic() < ends, stack.log("ingest")[-2000:]
        time.sleep(0.01)


@pytest.mark.rabbitmq
@pytest.mark.parametrize("environ", [{"ALERTWORKER_BROKER_URL": "rabbitmq_url"}], indirect=True)
def test_a_good_batch_that_rabbitmq_gives_up_is_applied(stack: Stack) -> None:
    """Workers may have restarted 20 times while the database was away. An expired batch may have forged headers."""
    send(stack.broker_url, [batch_of([failed(1)])], topology.DEAD_EXCHANGE, topology.DEAD_QUEUE)
    forged = {"x-death": [{"queue": "other", "reason": "rejected", "count": 99}], "x-first-death-reason": "rejected"}
    send(stack.broker_url, [batch_of([failed(2)])], headers=forged | {"x-delivery-count": 99}, expiration=0.001)

    wait_for_rows(stack, "SELECT failures FROM spend WHERE dimension = 'team'", [(2,)], 15)
    assert rows(stack, "SELECT count(*) FROM dead_letters") == [(0,)]


@pytest.mark.rabbitmq
@pytest.mark.parametrize("environ", [{"ALERTWORKER_BROKER_URL": "rabbitmq_url"}], indirect=True)
def test_a_producer_in_any_language_needs_only_plain_json(stack: Stack, slack: Receiver) -> None:
    """The example of docs/events.md, verbatim: a JSON body, two headers, no library of ours."""
    text = (Path(__file__).parents[2] / "docs" / "events.md").read_text()
    body = re.search(r"```json\n(\[\[\], .*?)```", text, re.DOTALL)
    assert body is not None
    with Connection(stack.broker_url) as connection, producers[connection].acquire(block=True) as producer:
        producer.publish(
            body[1],
            exchange=QUEUE,
            routing_key=QUEUE,
            content_type="application/json",
            content_encoding="utf-8",
            headers={"task": TASK, "id": str(new_id())},
        )

    assert "checkout-bot" in slack.wait_for(FAILED, seconds=15)[0].text
    assert rows(stack, "SELECT count(*) FROM dead_letters") == [(0,)]
