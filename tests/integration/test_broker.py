"""The queries to the broker: whether it answers and accepts writes, and how many batches wait."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
import redis
from celery import Celery

from alertworker.broker import CeleryBroker
from alertworker.errors import BrokerUnavailable
from alertworker.events.batch import seal
from alertworker.host.paths import socket_path
from alertworker.publisher.topology import events_queue, transport_options
from tests.integration.broker import Broker, wait_for
from tests.rabbitmq_node import rabbitmq_node


def broker_at(url: str) -> CeleryBroker:
    """Return the broker of the worker's own application."""
    app = Celery("test", amqp="alertworker.worker.opaque:AMQP", broker=url)
    app.conf.broker_transport_options = transport_options(url)
    return CeleryBroker(app)


def problem(broker: CeleryBroker) -> str:
    """Return why the broker takes no messages, "" if it does."""
    try:
        broker.ask()
    except BrokerUnavailable as error:
        return str(error)
    return ""


def counts(url: str) -> tuple[int, int]:
    """Return how many batches wait before and after three are sent."""
    broker = broker_at(url)
    before = broker.ask()
    for number in range(3):
        broker.send(seal([b"{}"], batch_id=f"b{number}", producer="p", sealed_at=datetime.now(UTC)))
    after = broker.ask()
    broker._transport.close()
    return before, after


def test_valkey_reports_the_number_of_waiting_batches(broker: Broker) -> None:
    """Without a list, none wait."""
    assert counts(broker.url) == (0, 3)
    broker.stop()
    with pytest.raises(BrokerUnavailable):
        broker_at(broker.url).ask()


def test_a_broker_that_became_a_replica_is_named_as_one(broker: Broker) -> None:
    """It answers. "Cannot be reached" would send an operator to the network."""
    asked = broker_at(broker.url)
    with redis.Redis(unix_socket_path=str(socket_path(broker.folder))) as client:
        client.execute_command("REPLICAOF", "127.0.0.1", "1")
        with pytest.raises(BrokerUnavailable, match="it is a replica"):
            asked.ask()
        with pytest.raises(BrokerUnavailable, match="it is a replica"):
            asked.wake(["slack"])
        client.execute_command("REPLICAOF", "NO", "ONE")
    assert asked.ask() == 0


@pytest.mark.rabbitmq
def test_rabbitmq_reports_the_number_of_waiting_batches(rabbitmq_url: str) -> None:
    """Before a worker declares the queue, none wait."""
    assert counts(rabbitmq_url) == (0, 3)


@pytest.mark.rabbitmq
def test_an_alarm_of_rabbitmq_is_reported_at_once(tmp_path: Path) -> None:
    """It answers all queries then, and blocks publishers. Readiness was 200 until the canary was a minute old."""
    with rabbitmq_node(tmp_path) as node:
        asked = broker_at(node.url)
        with asked._app.connection_for_write() as connection:
            events_queue(node.url)(connection.default_channel).declare()
        assert asked.ask() == 0
        node.control("set_vm_memory_high_watermark", "0.00001")
        wait_for(lambda: "takes no messages because of an alarm" in problem(asked))
        node.control("set_vm_memory_high_watermark", "0.4")
        wait_for(lambda: not problem(asked))


@pytest.mark.rabbitmq
@pytest.mark.parametrize("address", ["guest:wrong@127.0.0.1:5672//", "guest:guest@127.0.0.1:5672/alertworker-none"])
def test_access_that_rabbitmq_refuses_is_named(address: str) -> None:
    """An error that it "cannot be reached" would send an operator to the network."""
    with pytest.raises(BrokerUnavailable, match="RabbitMQ refuses access: check the user") as caught:
        broker_at(f"amqp://{address}").ask()
    assert "wrong" not in str(caught.value)
