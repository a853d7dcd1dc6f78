"""Celery's connection to the broker."""

from __future__ import annotations

from typing import Any

from celery.app.amqp import AMQP
from kombu import Connection


class BrokerConnection(Connection):
    """A connection that takes batches from Redis and Valkey by `redis_transport`."""

    def get_transport_cls(self) -> Any:
        """Return the transport of the URL's scheme, or ours in place of kombu's Redis transport."""
        transport: Any = super().get_transport_cls()
        if transport.driver_type != "redis":
            return transport
        from kombu.transport import redis

        from alertworker.worker.redis_transport import Transport

        return Transport if transport is redis.Transport else transport


class Amqp(AMQP):
    """Celery's messaging with such connections."""

    Connection = BrokerConnection
