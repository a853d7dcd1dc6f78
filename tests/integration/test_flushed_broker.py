"""FLUSHALL removes kombu's bindings. Messages that are published afterwards still arrive, on the same connections."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import kombu
import pytest
import redis
from celery import Celery

from alertworker.broker import CeleryBroker
from alertworker.events.batch import QUEUE, seal
from alertworker.host.paths import socket_path
from alertworker.publisher import BrokerTransport
from alertworker.publisher.topology import events_queue, task_queue, transport_options
from alertworker.worker.opaque import Connection
from alertworker.worker.queues import DELIVERIES
from tests.integration.broker import Broker


def flush(client: redis.Redis) -> None:
    """Remove everything."""
    client.flushall()


def unbind(client: redis.Redis) -> None:
    """Remove the bindings alone."""
    for key in client.scan_iter("_kombu.binding*"):
        client.delete(key)


faults = pytest.mark.parametrize("fault", [flush, unbind])
Fault = Callable[[redis.Redis], None]


@pytest.fixture
def client(broker: Broker) -> Iterator[redis.Redis]:
    """Return a client of the broker."""
    with redis.Redis(unix_socket_path=str(socket_path(broker.folder))) as client:
        yield client


@faults
def test_a_publisher_s_batches_reach_the_queue(broker: Broker, client: redis.Redis, fault: Fault) -> None:
    """Without its bindings kombu finds no queue. It would drop the batch without an error."""
    transport = BrokerTransport(broker.url)

    def send(batch_id: str) -> None:
        transport.send(seal([b"{}"], batch_id=batch_id, producer="p", sealed_at=datetime.now(UTC)))

    send("b1")
    before = client.llen(QUEUE)
    fault(client)
    kept = client.llen(QUEUE)
    send("b2")
    send("b3")
    transport.close()

    assert before == 1
    assert client.llen(QUEUE) == kept + 2


@faults
def test_the_worker_s_own_tasks_reach_their_queue(broker: Broker, client: redis.Redis, fault: Fault) -> None:
    """Wakes and beat's tasks use Celery's connections. Celery sends to the default exchange, which needs no binding."""
    app = Celery("test", amqp="alertworker.worker.opaque:AMQP", broker=broker.url)
    app.conf.broker_transport_options = transport_options(broker.url)
    app.conf.task_queues = (task_queue(broker.url, DELIVERIES),)
    app.conf.task_default_queue = DELIVERIES
    waking = CeleryBroker(app)
    waking.wake(["outbox"])
    before = client.llen(DELIVERIES)
    fault(client)
    kept = client.llen(DELIVERIES)
    waking.wake(["outbox"])
    app.close()

    assert before == 1
    assert client.llen(DELIVERIES) == kept + 1


@faults
def test_a_worker_restores_the_bindings_for_other_producers(broker: Broker, client: redis.Redis, fault: Fault) -> None:
    """Publishers of earlier releases and plain kombu producers need them."""
    queues = [events_queue(broker.url), task_queue(broker.url, "theirs")]
    taken: list[Any] = []
    with (
        Connection(broker.url, transport_options=transport_options(broker.url)) as connection,
        kombu.Connection(broker.url) as plain,
    ):
        worker: Any = connection
        consumer = kombu.Consumer(connection.channel(), queues, on_message=taken.append, accept=["json"])
        consumer.consume()
        producer = plain.Producer(serializer="json")
        fault(client)
        worker.transport.cycle.maybe_restore_messages()
        for queue in queues:
            producer.publish({}, exchange=queue.exchange, routing_key=queue.routing_key, headers={"id": queue.name})
        waiting = [client.llen(queue.name) for queue in queues]
        consumer.cancel()

    assert waiting == [1, 1]
