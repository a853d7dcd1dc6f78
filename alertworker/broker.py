"""The broker, as the pipeline uses it: batches go by a producer's own transport, wakes by Celery's connections."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from threading import Lock
from typing import Any, Final

from amqp import Message
from amqp.exceptions import AMQPError, MessageNacked, NotFound
from celery import Celery
from kombu import Queue
from kombu.exceptions import KombuError
from redis.exceptions import NoPermissionError, RedisError
from typing_extensions import override

from alertworker.errors import BrokerUnavailable
from alertworker.events import Event
from alertworker.events.base import new_id
from alertworker.events.batch import QUEUE, WORKER, SealedBatch, seal
from alertworker.events.compression import compress
from alertworker.ports import Broker
from alertworker.publisher import BrokerTransport
from alertworker.publisher.topology import events_queue, is_amqp
from alertworker.publisher.transports import unavailable

#: Errors that the clients of brokers raise. kombu translates only the errors after which it would reconnect. RabbitMQ's
#: refusal of one message, or of a queue, is none of them.
_ERRORS: Final = (OSError, KombuError, AMQPError, MessageNacked, RedisError)
#: A list that never exists, and a routing key to which no queue is bound.
_PROBE: Final = f"{QUEUE}.probe"


class CeleryBroker(Broker):
    """The broker that ``app`` is configured with. Threads may share it."""

    def __init__(self, app: Celery) -> None:
        self._app = app
        self._transport = BrokerTransport(app.conf.broker_url)
        self._lock = Lock()

    @override
    def publish(self, events: Sequence[Event]) -> None:
        encoded = [event.model_dump_json(exclude_none=True).encode() for event in events]
        self.send(seal(encoded, batch_id=str(new_id()), producer=WORKER, sealed_at=datetime.now(UTC)))

    @override
    def resend(self, batch_id: str, events: bytes, encoding: str | None) -> None:
        body = events if encoding == "zstd" else compress(events)
        self.send(SealedBatch(batch_id, "replay", datetime.now(UTC), count=0, body=body))

    @override
    def resend_message(self, message_id: str, body: bytes) -> None:
        with self._lock:
            self._transport.send_body(message_id, body)

    @override
    def wake(self, channels: Sequence[str]) -> None:
        for channel in channels:
            self._send("alertworker.deliver", {"channel": channel}, expires=30)

    def send(self, batch: SealedBatch) -> None:
        """Send a sealed batch as it is; when this returns, the broker has it.

        Raises:
            BrokerUnavailable: it may or may not have arrived.
        """
        with self._lock:
            self._transport.send(batch)

    def ask(self) -> int:
        """Ask the broker whether it is there and takes writes; return how many batches wait in its queue.

        Batches that workers hold do not count. The request uses a connection of its own.

        Raises:
            BrokerUnavailable: it does not answer, or takes no messages: Redis or Valkey refuse writes (memory, disk,
                replica), and RabbitMQ has an alarm (memory, disk).
        """
        with self._app.connection_for_write() as connection:
            own = (*connection.connection_errors, *connection.channel_errors)
            errors: tuple[type[BaseException], ...] = (OSError, KombuError, *own)
            try:
                connection.ensure_connection(max_retries=1, timeout=3)
                return self._queued(connection.default_channel)
            except errors as error:
                raise unavailable(error) from None

    def _queued(self, channel: Any) -> int:
        url = self._app.conf.broker_url
        if is_amqp(url):
            try:
                return _count_on_rabbitmq(channel, events_queue(url))
            except NotFound:  # no worker has made it yet
                return 0
        with suppress(NoPermissionError):  # it may write elsewhere only, which is all that can be said
            # Redis refuses this command whenever it refuses writes. It writes nothing, since the list does not exist.
            channel.client.lpushx(_PROBE, "")
        return int(channel.client.llen(QUEUE))

    def _send(self, task: str, arguments: dict[str, Any], **options: Any) -> None:
        try:
            self._app.send_task(task, kwargs=arguments, ignore_result=True, **options)
        except _ERRORS as error:
            raise unavailable(error) from None


def _count_on_rabbitmq(channel: Any, queue: Queue) -> int:
    """Return how many batches wait. First publish a message that no queue gets.

    During an alarm, RabbitMQ tells so to a connection that publishes, and reads nothing more from it.

    Raises:
        BrokerUnavailable: it has an alarm.
    """
    blocked: list[str] = []
    channel.connection.on_blocked = blocked.append
    channel.basic_publish_confirm(Message(b""), exchange=QUEUE, routing_key=_PROBE)
    if blocked:
        channel.connection.collect()  # closing it would wait for an answer
        raise BrokerUnavailable("RabbitMQ takes no messages because of an alarm (memory or disk): `rabbitmqctl status`")
    declared: Any = queue(channel).queue_declare(passive=True)
    return int(declared.message_count)
