"""The queries to the broker: whether it answers and accepts writes, and how many batches wait."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
import redis
from celery import Celery

from alertworker.broker import CeleryBroker
from alertworker.embedded import valkey
from alertworker.embedded.supervisor import Supervisor
from alertworker.errors import BrokerUnavailable
from alertworker.events.batch import seal
from alertworker.host.paths import default_broker_url, socket_path
from alertworker.publisher.topology import transport_options


def broker_at(url: str) -> CeleryBroker:
    """Return the broker of the worker's own application."""
    app = Celery("test", amqp="alertworker.worker.opaque:AMQP", broker=url)
    app.conf.broker_transport_options = transport_options(url)
    return CeleryBroker(app)


def counts(url: str) -> tuple[int, int]:
    """Return how many batches wait before and after three are sent."""
    broker = broker_at(url)
    before = broker.ask()
    for number in range(3):
        broker.send(seal([b"{}"], batch_id=f"b{number}", producer="p", sealed_at=datetime.now(UTC)))
    after = broker.ask()
    broker._transport.close()
    return before, after


def test_valkey_reports_the_number_of_waiting_batches(tmp_path: Path) -> None:
    """Without a list, none wait."""
    supervisor = Supervisor({})
    supervisor.start("broker", valkey.command(tmp_path))
    valkey.wait_until_ready(tmp_path)
    try:
        assert counts(default_broker_url(tmp_path)) == (0, 3)
    finally:
        supervisor.stop()
    with pytest.raises(BrokerUnavailable):
        broker_at(default_broker_url(tmp_path)).ask()


def test_a_broker_that_became_a_replica_is_named_as_one(tmp_path: Path) -> None:
    """It answers. "Cannot be reached" would send an operator to the network."""
    supervisor = Supervisor({})
    supervisor.start("broker", valkey.command(tmp_path))
    valkey.wait_until_ready(tmp_path)
    broker = broker_at(default_broker_url(tmp_path))
    try:
        with redis.Redis(unix_socket_path=str(socket_path(tmp_path))) as client:
            client.execute_command("REPLICAOF", "127.0.0.1", "1")
            with pytest.raises(BrokerUnavailable, match="it is a replica"):
                broker.ask()
            with pytest.raises(BrokerUnavailable, match="it is a replica"):
                broker.wake(["slack"])
            client.execute_command("REPLICAOF", "NO", "ONE")
        assert broker.ask() == 0
    finally:
        supervisor.stop()


@pytest.mark.rabbitmq
def test_rabbitmq_reports_the_number_of_waiting_batches(rabbitmq_url: str) -> None:
    """Before a worker declares the queue, none wait."""
    assert counts(rabbitmq_url) == (0, 3)
