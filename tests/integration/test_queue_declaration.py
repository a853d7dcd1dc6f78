"""A queue that cannot be declared as it should be is named, with the remedy, and the others are declared."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from kombu import Connection, Exchange, Queue

from alertworker.events.batch import QUEUE
from alertworker.publisher.topology import DEAD_QUEUE, dead_queue, events_queue
from alertworker.worker.queues import declare_queue

pytestmark = pytest.mark.rabbitmq


def declare(url: str) -> None:
    with Connection(url) as connection:
        for queue in (events_queue(url), dead_queue(url)):
            declare_queue(queue, connection)


def waiting(url: str, queue: str) -> int:
    with Connection(url) as connection, connection.channel() as channel:
        declared: Any = Queue(queue)(channel).queue_declare(passive=True)
        return int(declared.message_count)


def test_a_queue_with_other_properties_is_used_as_it_is(
    rabbitmq_url: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """It was a traceback, and the queues after it were not declared."""
    with Connection(rabbitmq_url) as connection:
        Queue(QUEUE, Exchange(QUEUE, type="topic"), routing_key=QUEUE)(connection.channel()).declare()
    caplog.set_level(logging.WARNING, "alertworker")
    declare(rabbitmq_url)

    assert [record.getMessage().partition("; ")[0] for record in caplog.records] == [
        f"the queue {QUEUE} exists with other properties and is used as it is"
    ]
    assert "inequivalent arg" in caplog.text
    assert "Traceback" not in caplog.text + capfd.readouterr().err
    assert (waiting(rabbitmq_url, QUEUE), waiting(rabbitmq_url, DEAD_QUEUE)) == (0, 0)
