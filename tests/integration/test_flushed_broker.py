"""FLUSHALL removes kombu's bindings. Messages that are published afterwards still arrive, on the same connections."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import kombu
import pytest
import redis
from celery import Celery

from alertworker.broker import CeleryBroker
from alertworker.embedded import valkey
from alertworker.embedded.supervisor import Supervisor
from alertworker.events.batch import QUEUE, seal
from alertworker.host.paths import default_broker_url, socket_path
from alertworker.publisher import BrokerTransport
from alertworker.publisher.topology import events_queue, task_queue, transport_options
from alertworker.worker.opaque import Connection
from alertworker.worker.queues import DELIVERIES


def flush(broker: redis.Redis) -> None:
    """Remove everything."""
    broker.flushall()


def unbind(broker: redis.Redis) -> None:
    """Remove the bindings alone."""
    for key in broker.scan_iter("_kombu.binding*"):
        broker.delete(key)


faults = pytest.mark.parametrize("fault", [flush, unbind])
Fault = Callable[[redis.Redis], None]


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    """Run a broker, and return its address."""
    supervisor = Supervisor({})
    supervisor.start("broker", valkey.command(tmp_path))
    valkey.wait_until_ready(tmp_path)
    yield default_broker_url(tmp_path)
    supervisor.stop()


@pytest.fixture
def broker(url: str, tmp_path: Path) -> Iterator[redis.Redis]:
    """Return a client of the broker."""
    assert url
    with redis.Redis(unix_socket_path=str(socket_path(tmp_path))) as client:
        yield client


@faults
def test_a_publisher_s_batches_reach_the_queue(url: str, broker: redis.Redis, fault: Fault) -> None:
    """Without its bindings kombu finds no queue. It would drop the batch without an error."""
    transport = BrokerTransport(url)

    def send(batch_id: str) -> None:
        transport.send(seal([b"{}"], batch_id=batch_id, producer="p", sealed_at=datetime.now(UTC)))

    send("b1")
    before = broker.llen(QUEUE)
    fault(broker)
    kept = broker.llen(QUEUE)
    send("b2")
    send("b3")
    transport.close()

    assert before == 1
    assert broker.llen(QUEUE) == kept + 2


@faults
def test_the_worker_s_own_tasks_reach_their_queue(url: str, broker: redis.Redis, fault: Fault) -> None:
    """Wakes and beat's tasks use Celery's connections. Celery sends to the default exchange, which needs no binding."""
    app = Celery("test", amqp="alertworker.worker.opaque:AMQP", broker=url)
    app.conf.broker_transport_options = transport_options(url)
    app.conf.task_queues = (task_queue(url, DELIVERIES),)
    app.conf.task_default_queue = DELIVERIES
    waking = CeleryBroker(app)
    waking.wake(["outbox"])
    before = broker.llen(DELIVERIES)
    fault(broker)
    kept = broker.llen(DELIVERIES)
    waking.wake(["outbox"])
    app.close()

    assert before == 1
    assert broker.llen(DELIVERIES) == kept + 1


@faults
def test_a_worker_restores_the_bindings_for_other_producers(url: str, broker: redis.Redis, fault: Fault) -> None:
    """Publishers of earlier releases and plain kombu producers need them."""
    queues = [events_queue(url), task_queue(url, "theirs")]
    taken: list[Any] = []
    with Connection(url, transport_options=transport_options(url)) as connection, kombu.Connection(url) as plain:
        worker: Any = connection
        consumer = kombu.Consumer(connection.channel(), queues, on_message=taken.append, accept=["json"])
        consumer.consume()
        producer = plain.Producer(serializer="json")
        fault(broker)
        worker.transport.cycle.maybe_restore_messages()
        for queue in queues:
            producer.publish({}, exchange=queue.exchange, routing_key=queue.routing_key, headers={"id": queue.name})
        waiting = [broker.llen(queue.name) for queue in queues]
        consumer.cancel()

    assert waiting == [1, 1]
