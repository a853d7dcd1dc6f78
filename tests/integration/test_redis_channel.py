"""A batch on Redis and Valkey is always somebody's, also in the moment between the list and the consumer."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import redis
from kombu import Connection, Consumer, Message

from alertworker.embedded import valkey
from alertworker.embedded.supervisor import Supervisor
from alertworker.events.batch import QUEUE, seal
from alertworker.host.paths import default_broker_url, socket_path
from alertworker.publisher import BrokerTransport
from alertworker.publisher.topology import events_queue, transport_options

OPTIONS = {"visibility_timeout": 1, "unacked_restore_interval": 1, "unacked_restore_throttle": 1}


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[redis.Redis]:
    """Run a broker, and give a client of it."""
    supervisor = Supervisor({})
    supervisor.start("broker", valkey.command(tmp_path))
    valkey.wait_until_ready(tmp_path)
    with redis.Redis(unix_socket_path=str(socket_path(tmp_path))) as client:
        yield client
    supervisor.stop()


def publish(folder: Path, batch_id: str) -> None:
    """Publish a batch, as a proxy does."""
    transport = BrokerTransport(default_broker_url(folder))
    transport.send(seal([b"{}"], batch_id=batch_id, producer="p", sealed_at=datetime.now(UTC)))
    transport.close()


def consume(folder: Path, seconds: float) -> list[tuple[str, bool]]:
    """Consume as a worker does, and give the ids that came, and whether each was redelivered."""
    taken: list[tuple[str, bool]] = []

    def take(message: Message) -> None:
        taken.append((message.headers["id"], bool(message.headers.get("redelivered"))))
        message.ack()

    url = default_broker_url(folder)
    with Connection(url, transport_options=OPTIONS) as connection:
        consumer = Consumer(
            connection.channel(),
            queues=[events_queue(url)],
            on_message=take,
            accept=["json", "msgpack"],
            auto_declare=True,
        )
        with consumer:
            ends = time.monotonic() + seconds
            while time.monotonic() < ends and not taken:
                try:
                    connection.drain_events(timeout=0.5)
                except TimeoutError:
                    continue
    return taken


def test_a_batch_whose_consumer_dies_before_it_notes_it_comes_again(broker: redis.Redis, tmp_path: Path) -> None:
    """It was taken off the list, and then there was nobody."""
    publish(tmp_path, "b1")
    assert broker.rpop(QUEUE) is not None
    assert broker.llen(QUEUE) == 0

    assert consume(tmp_path, 15) == [("b1", True)]


def test_one_who_is_killed_while_he_looks_for_lost_batches_holds_nobody_up(broker: redis.Redis, tmp_path: Path) -> None:
    """His lock outlives him by seconds."""
    url = default_broker_url(tmp_path)
    with Connection(url, transport_options=transport_options(url)) as connection:
        channel: Any = connection.channel()
        broker.set(channel.unacked_mutex_key, "of a dead worker", ex=channel.unacked_mutex_expire)
    publish(tmp_path, "b1")
    assert broker.rpop(QUEUE) is not None

    assert consume(tmp_path, 30) == [("b1", True)]


def test_a_batch_that_was_acknowledged_leaves_nothing_behind(broker: redis.Redis, tmp_path: Path) -> None:
    """Neither on the list nor among the notes."""
    publish(tmp_path, "b1")

    assert consume(tmp_path, 15) == [("b1", False)]
    assert (broker.llen(QUEUE), broker.hlen("unacked"), broker.zcard("unacked_index")) == (0, 0, 0)
