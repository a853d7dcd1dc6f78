"""The broker's queue of batches, declared alike by those who publish and those who consume."""

from __future__ import annotations

from typing import Any, Final

from kombu import Exchange, Queue

from alertworker.events.batch import QUEUE, RESTORE_INTERVAL, VISIBILITY_TIMEOUT

#: Where RabbitMQ puts a batch that was delivered too often; we park from there.
DEAD_EXCHANGE: Final = "alertworker.dead"
DEAD_QUEUE: Final = "alertworker.events.dead"
#: How often RabbitMQ delivers a batch before it counts as dead: restarts of workers are no fault of the batch.
DELIVERY_LIMIT: Final = 20

#: Redis gives a batch of a dead worker to another worker after the timeout. The same batch twice is harmless.
_REDIS: Final = {
    "visibility_timeout": VISIBILITY_TIMEOUT,
    "unacked_restore_interval": RESTORE_INTERVAL,
    "unacked_restore_throttle": 1,
    # One list for each queue: with kombu's own steps, messages of another priority would lie in lists of their own.
    "priority_steps": [0],
    # Who looks for lost batches holds this lock for milliseconds. If he, or the broker, is killed with it, nobody else
    # looks until it expires: by default for five minutes.
    "unacked_mutex_expire": 5,
    "socket_timeout": 10,
    "socket_connect_timeout": 5,
    "socket_keepalive": True,
}
_AMQP: Final = {"confirm_publish": True, "read_timeout": 10, "write_timeout": 10, "connect_timeout": 5}


def is_amqp(url: str) -> bool:
    """Tell RabbitMQ from Redis and Valkey."""
    return url.startswith(("amqp://", "amqps://", "pyamqp://"))


def transport_options(url: str) -> dict[str, Any]:
    """Give kombu's transport options: bounded waits everywhere, confirms where the broker has them."""
    return dict(_AMQP if is_amqp(url) else _REDIS)


def events_queue(url: str) -> Queue:
    """Give the queue of batches: on RabbitMQ a quorum queue on a topic exchange, else a plain one."""
    return _queue(url, QUEUE, _dead_letter_arguments())


def dead_queue(url: str) -> Queue:
    """Give the queue in which RabbitMQ puts batches that were delivered too often."""
    exchange = Exchange(DEAD_EXCHANGE, type="topic" if is_amqp(url) else "direct", durable=True)
    arguments = {"x-queue-type": "quorum"} if is_amqp(url) else None
    return Queue(DEAD_QUEUE, exchange, routing_key=DEAD_QUEUE, queue_arguments=arguments, durable=True)


def task_queue(url: str, name: str) -> Queue:
    """Give a queue for the worker's own tasks."""
    return _queue(url, name, {})


def _queue(url: str, name: str, arguments: dict[str, Any]) -> Queue:
    if not is_amqp(url):
        return Queue(name, Exchange(name, type="direct", durable=True), routing_key=name, durable=True)
    arguments = {"x-queue-type": "quorum"} | arguments
    exchange = Exchange(name, type="topic", durable=True)
    return Queue(name, exchange, routing_key=name, queue_arguments=arguments, durable=True)


def _dead_letter_arguments() -> dict[str, Any]:
    return {
        "x-delivery-limit": DELIVERY_LIMIT,
        "x-dead-letter-exchange": DEAD_EXCHANGE,
        "x-dead-letter-routing-key": DEAD_QUEUE,
    }
