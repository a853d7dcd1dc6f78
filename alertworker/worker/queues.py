"""The queues of the worker's own tasks, and how a worker declares any queue."""

from __future__ import annotations

import logging
from typing import Final

from amqp.exceptions import AccessRefused, PreconditionFailed
from kombu import Connection, Queue

_log: Final = logging.getLogger(__name__)
DELIVERIES: Final = "alertworker.deliveries"
PERIODIC: Final = "alertworker.periodic"


def declare_queue(queue: Queue, connection: Connection) -> None:
    """Declare a queue. One that exists with other properties is used as it is."""
    try:
        with connection.channel() as channel:
            queue(channel).declare()
    except PreconditionFailed as error:
        _log.warning(
            "the queue %s exists with other properties and is used as it is; to get those of docs/running.md, delete "
            "it while it is empty, and restart the worker: %s",
            queue.name,
            error.reply_text,
        )
    except AccessRefused as error:
        _log.warning(
            "RabbitMQ refuses to declare the queue %s; grant its user the configure, write and read permissions for "
            "alertworker.*: %s",
            queue.name,
            error.reply_text,
        )
