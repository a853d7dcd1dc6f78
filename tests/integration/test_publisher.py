"""The publisher with real brokers: events arrive in order and once, also if the broker fails."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from kombu import Connection

from alertworker.errors import BrokerUnavailable
from alertworker.events import PublisherHeartbeat, PublisherStopped, RequestAnnounced
from alertworker.events.batch import QUEUE, seal
from alertworker.publisher import BrokerTransport, Publisher
from alertworker.publisher.topology import dead_queue, events_queue
from tests.integration.broker import Broker, call, wait_for
from tests.processes import running


@contextmanager
def publishing(broker: Broker, spool: Path, **more: Any) -> Iterator[Publisher]:
    """Run a publisher and close it at the end."""
    publisher = Publisher(BrokerTransport(broker.url), spool, **more)
    yield publisher
    publisher.close()


def test_events_arrive_in_batches_in_order(broker: Broker, tmp_path: Path) -> None:
    """2,000 events are a few batches. A heartbeat and a clean shutdown count them."""
    with publishing(broker, tmp_path / "spool") as publisher:
        for number in range(2_000):
            publisher.publish(call(number))
        wait_for(lambda: publisher.stats().sent >= 2_000)

    assert broker.calls() == [f"{number:05d}" for number in range(2_000)]
    assert len(broker.batches()) < 30
    events = [event for _, events in broker.batches() for event in events]
    assert any(isinstance(event, PublisherHeartbeat) for event in events)
    assert isinstance(events[-1], PublisherStopped)
    assert events[-1].counters.published == 2_000


def test_a_call_that_hangs_is_announced_before_anything_was_published(broker: Broker, tmp_path: Path) -> None:
    """The first call of a process may hang."""
    with publishing(broker, tmp_path / "spool", threshold_seconds=1.0) as publisher:
        publisher.inflight.start("00001", lambda: {"model": "gpt-4o"})
        wait_for(lambda: publisher.stats().sent >= 1)

    [announced] = [event for _, events in broker.batches() for event in events if isinstance(event, RequestAnnounced)]
    assert announced.call_id == "00001"
    assert 1 <= announced.age_seconds < 5


def test_a_broker_that_is_away_gets_it_later_in_order_and_once(broker: Broker, tmp_path: Path) -> None:
    """Events from before, during and after the outage arrive in order, and each batch arrives once."""
    with publishing(broker, tmp_path / "spool") as publisher:
        for number in range(300):
            if number == 100:
                # A batch whose confirmation is lost is sent again. The workers drop it, this queue shows it twice.
                wait_for(lambda: publisher.stats().sent >= 100)
                broker.stop()
            if number == 200:
                assert publisher.stats().spooled > 0
                broker.start()
            publisher.publish(call(number))
            time.sleep(0.02)
        wait_for(lambda: publisher.stats().sent >= 300)

    assert broker.calls() == [f"{number:05d}" for number in range(300)]
    ids = [batch_id for batch_id, _ in broker.batches()]
    assert len(ids) == len(set(ids))
    assert publisher.stats().dropped == {}


PUBLISH_AND_HANG = """
import sys, time
from pathlib import Path
from datetime import UTC, datetime
from alertworker.publisher import BrokerTransport, Publisher
from alertworker.publisher.topology import dead_queue, events_queue
from tests.integration.broker import Broker, call, wait_for
publisher = Publisher(BrokerTransport(sys.argv[1]), Path(sys.argv[2]))
for number in range(50):
    now = datetime.now(UTC)
    publisher.publish({"type": "llm.request.succeeded", "call_id": f"{number:05d}", "started_at": now, "ended_at": now})
while publisher.stats().spooled < 50:
    time.sleep(0.05)
print("spooled", flush=True)
time.sleep(60)
"""


def test_the_spool_of_a_killed_process_is_adopted(broker: Broker, tmp_path: Path) -> None:
    """The next publisher on the folder sends the batches. While their owner lives, no other publisher touches them."""
    broker.stop()
    spool = tmp_path / "spool"
    command = [sys.executable, "-c", PUBLISH_AND_HANG, broker.url, str(spool)]
    with running(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"spooled\n"
        process.send_signal(signal.SIGSTOP)
        broker.start()
        with publishing(broker, spool) as publisher:
            publisher.publish(call(90_000))
            wait_for(lambda: publisher.stats().sent >= 1)
        assert broker.calls() == ["90000"]
        process.kill()
    with publishing(broker, spool) as publisher:
        publisher.publish(call(90_001))
        wait_for(lambda: publisher.stats().sent >= 51)

    assert sorted(broker.calls()) == [*(f"{number:05d}" for number in range(50)), "90000", "90001"]
    assert list(spool.rglob("*.batch")) == []


def test_the_shutdown_event_is_spooled_if_the_broker_is_away(broker: Broker, tmp_path: Path) -> None:
    """Otherwise the process would count as lost once the broker is back."""
    with publishing(broker, tmp_path / "spool") as publisher:
        publisher.publish(call(1))
        wait_for(lambda: publisher.stats().sent >= 1)
        broker.stop()
        publisher.publish(call(2))
    broker.start()
    with publishing(broker, tmp_path / "spool") as other:
        other.publish(call(3))
        wait_for(lambda: other.stats().sent >= 3)

    stopped = [event for _, events in broker.batches() for event in events if isinstance(event, PublisherStopped)]
    assert [event.boot_id for event in stopped] == [publisher.boot_id, other.boot_id]
    assert set(broker.calls()) == {"00001", "00002", "00003"}


def test_the_shutdown_is_announced_at_once_when_the_host_gets_a_signal(broker: Broker, tmp_path: Path) -> None:
    """The host may run no exit handler.

    The shutdown event is sent when its last call has ended, and counts all events.
    """
    with publishing(broker, tmp_path / "spool") as publisher:
        publisher.inflight.start("00001", dict)
        publisher.expect_end()
        time.sleep(0.3)
        assert not any(isinstance(event, PublisherStopped) for _, events in broker.batches() for event in events)
        publisher.inflight.finish("00001")
        publisher.publish(call(1))
        began = time.monotonic()
        wait_for(lambda: any(isinstance(event, PublisherStopped) for _, events in broker.batches() for event in events))
        assert time.monotonic() - began < 1
    assert broker.calls() == ["00001"]


def test_a_folder_that_cannot_be_written_is_survived(broker: Broker, tmp_path: Path) -> None:
    """Without a spool, events wait in memory."""
    (tmp_path / "file").write_text("in the way")
    broker.stop()
    with publishing(broker, tmp_path / "file" / "spool") as publisher:
        for number in range(10):
            publisher.publish(call(number))
        time.sleep(1)
        broker.start()
        wait_for(lambda: publisher.stats().sent >= 10)

    assert broker.calls() == [f"{number:05d}" for number in range(10)]


def test_a_forked_child_publishes_its_own_events_only(broker: Broker, tmp_path: Path) -> None:
    """The child has its own boot id and sends none of its parent's events."""
    with publishing(broker, tmp_path / "spool") as publisher:
        publisher.publish(call(1))
        child = os.fork()
        if child == 0:
            publisher.publish(call(2))
            publisher.close()
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        wait_for(lambda: publisher.stats().sent >= 1)

    assert sorted(broker.calls()) == ["00001", "00002"]
    stops = [event for _, events in broker.batches() for event in events if isinstance(event, PublisherStopped)]
    assert len({stop.boot_id for stop in stops}) == 2


def test_events_buffered_at_the_end_of_a_program_are_sent(broker: Broker, tmp_path: Path) -> None:
    """A program that publishes and ends loses nothing."""
    program = PUBLISH_AND_HANG.partition("while")[0]
    command = [sys.executable, "-c", program, broker.url, str(tmp_path / "spool")]
    subprocess.run(command, check=True, timeout=30)

    assert broker.calls() == [f"{number:05d}" for number in range(50)]


@pytest.mark.rabbitmq
def test_credentials_that_may_only_write_to_the_queue_are_enough(rabbitmq_url: str, tmp_path: Path) -> None:
    """Once a worker has declared the queue, the right to write is enough. RabbitMQ confirms and keeps the batches."""
    with Connection(rabbitmq_url) as connection:
        for queue in (dead_queue(rabbitmq_url), events_queue(rabbitmq_url)):
            queue(connection.default_channel).declare()
    vhost, user = rabbitmq_url.rsplit("/", 1)[1], f"test_{uuid4().hex[:12]}"
    rabbitmqctl("add_user", user, "only-writes")
    try:
        rabbitmqctl("set_permissions", "-p", vhost, user, "^$", "^alertworker\\.events$", "^$")
        url = f"amqp://{user}:only-writes@127.0.0.1:5672/{vhost}"
        publisher = Publisher(BrokerTransport(url), tmp_path / "spool")
        publisher.publish(call(1))
        wait_for(lambda: publisher.stats().sent == 1)
        publisher.close()
    finally:
        rabbitmqctl("delete_user", user)

    with Connection(rabbitmq_url) as connection:
        message = events_queue(rabbitmq_url)(connection.default_channel).get()
        assert message is not None
        assert message.delivery_info["routing_key"] == QUEUE


def rabbitmqctl(*arguments: str) -> None:
    """Run an administration command of RabbitMQ."""
    subprocess.run(["rabbitmqctl", "-q", *arguments], check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


@pytest.mark.rabbitmq
@pytest.mark.parametrize("lost", ["queue", "binding", "exchange"])
def test_a_batch_that_no_queue_takes_is_not_accepted(rabbitmq_url: str, lost: str) -> None:
    """RabbitMQ would confirm it and drop it. The next attempt declares what is missing."""
    transport = BrokerTransport(rabbitmq_url)
    batches = [seal([b"{}"], batch_id=f"b{number}", producer="p", sealed_at=datetime.now(UTC)) for number in range(2)]
    transport.send(batches[0])
    with Connection(rabbitmq_url) as connection:
        queue = events_queue(rabbitmq_url)(connection.default_channel)
        if lost == "queue":
            queue.delete()
        elif lost == "binding":
            queue.unbind_from(queue.exchange, queue.routing_key)
        else:
            queue.exchange.delete()
        with pytest.raises(BrokerUnavailable, match="no queue for this message"):
            transport.send(batches[1])
        transport.send(batches[1])
        transport.close()
        declared: Any = queue.queue_declare(passive=True)
        assert declared.message_count == (1 if lost == "queue" else 2)
