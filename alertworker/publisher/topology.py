"""The broker's queues, declared in the same way by publishers and workers."""

from __future__ import annotations

from typing import Any, Final

from kombu import Exchange, Queue

from alertworker.events.batch import QUEUE, RESTORE_INTERVAL, VISIBILITY_TIMEOUT

#: Where RabbitMQ puts a batch that was delivered too often, or that its producer let expire. A worker applies or parks
#: it from there, as from the first queue: restarts while the database is away count as deliveries, too.
DEAD_EXCHANGE: Final = "alertworker.dead"
DEAD_QUEUE: Final = "alertworker.events.dead"
#: How often RabbitMQ delivers a batch before it dead-letters it. Restarts of workers also count as deliveries.
DELIVERY_LIMIT: Final = 20

#: Redis delivers a batch of a dead worker to another worker after the timeout. The same batch twice is harmless.
_REDIS: Final = {
    "visibility_timeout": VISIBILITY_TIMEOUT,
    "unacked_restore_interval": RESTORE_INTERVAL,
    "unacked_restore_throttle": 1,
    # One list for each queue. With kombu's default steps, messages of other priorities would be in separate lists.
    "priority_steps": [0],
    "socket_timeout": 10,
    "socket_connect_timeout": 5,
    "socket_keepalive": True,
}
_AMQP: Final = {"confirm_publish": True, "read_timeout": 10, "write_timeout": 10, "connect_timeout": 5}


def is_amqp(url: str) -> bool:
    """Return whether a URL is RabbitMQ's, not one of Redis or Valkey."""
    return url.startswith(("amqp://", "amqps://", "pyamqp://"))


def transport_options(url: str) -> dict[str, Any]:
    """Return kombu's transport options: every wait is bounded, and RabbitMQ confirms what it stored."""
    return dict(_AMQP if is_amqp(url) else _REDIS)


def events_queue(url: str) -> Queue:
    """Return the queue of batches: on RabbitMQ a quorum queue on a topic exchange, else a plain queue."""
    return _queue(url, QUEUE, _dead_letter_arguments())


def dead_queue(url: str) -> Queue:
    """Return the queue in which RabbitMQ puts batches that were delivered too often, or have expired."""
    exchange = Exchange(DEAD_EXCHANGE, type="topic" if is_amqp(url) else "direct", durable=True)
    arguments = {"x-queue-type": "quorum"} if is_amqp(url) else None
    return Queue(DEAD_QUEUE, exchange, routing_key=DEAD_QUEUE, queue_arguments=arguments, durable=True)


def task_queue(url: str, name: str) -> Queue:
    """Return a queue for the worker's own tasks."""
    return _queue(url, name, {})


def _queue(url: str, name: str, arguments: dict[str, object]) -> Queue:
    if not is_amqp(url):
        return Queue(name, Exchange(name, type="direct", durable=True), routing_key=name, durable=True)
    arguments = {"x-queue-type": "quorum"} | arguments
    exchange = Exchange(name, type="topic", durable=True)
    return Queue(name, exchange, routing_key=name, queue_arguments=arguments, durable=True)


def _dead_letter_arguments() -> dict[str, object]:
    return {
        "x-delivery-limit": DELIVERY_LIMIT,
        "x-dead-letter-exchange": DEAD_EXCHANGE,
        "x-dead-letter-routing-key": DEAD_QUEUE,
    }
