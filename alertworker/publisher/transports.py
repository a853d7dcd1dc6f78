"""How sealed batches reach the broker: Celery's message protocol, without Celery."""

from __future__ import annotations

import os
import re
from typing import Any, Protocol

from amqp.exceptions import NotFound
from kombu import Connection

from alertworker.errors import LineUnavailable
from alertworker.events.batch import TASK, SealedBatch
from alertworker.publisher.topology import dead_queue, events_queue, is_amqp, transport_options

#: How long one publish may take, in seconds, confirmation included.
_PUBLISH_TIMEOUT = 10.0
#: Why Redis and Valkey refuse what would write: by the exception's name, or by the code at the begin of their answer.
_REFUSALS = {
    "OutOfMemoryError": "the broker is out of memory (OOM, see its maxmemory)",
    "ReadOnlyError": "the broker takes no writes: it is a replica (READONLY)",
    "MISCONF": "the broker cannot write to its disk (MISCONF, see its log)",
    "NOREPLICAS": "the broker takes no writes: it has too few replicas (NOREPLICAS)",
}
#: The code of an answer; in front of it a pipeline puts which of its commands was refused.
_CODE = re.compile(r"(?:\A|caused error: )([A-Z]+) ")


def unavailable(error: BaseException) -> LineUnavailable:
    """Return what is wrong with the broker, in words without an address or a key."""
    for code in (type(error).__name__, *_CODE.findall(str(error))):
        if code in _REFUSALS:
            return LineUnavailable(_REFUSALS[code])
    return LineUnavailable(f"the broker cannot be reached ({type(error).__name__})")


class Transport(Protocol):
    """Takes sealed batches to the line."""

    def send(self, batch: SealedBatch) -> None:
        """Send one batch; when it returns, the broker has it.

        Raises:
            LineUnavailable: it may or may not have arrived; send the same batch again.
        """
        ...

    def close(self) -> None:
        """Let go of the connection."""
        ...


class UnusableTransport:
    """Stands where no transport can be built: it takes nothing, so that everything is spooled and counted."""

    def __init__(self, reason: str) -> None:
        self._reason = reason

    def send(self, batch: SealedBatch) -> None:  # noqa: ARG002 - a transport's signature
        """Refuse a batch."""
        raise LineUnavailable(self._reason)

    def close(self) -> None:
        """Do nothing."""


class BrokerTransport:
    """Sends batches to Redis, Valkey or RabbitMQ; connects at the first send and again after a failure."""

    def __init__(self, url: str) -> None:
        self._url = url
        # Imports the transport now: a program that publishes and ends at once can import nothing any more at its end.
        Connection(url).get_transport_cls()
        self._connection: Connection | None = None
        self._producer: Any = None
        self._pid = os.getpid()

    def send(self, batch: SealedBatch) -> None:
        """Send one batch; when it returns, the broker has it."""
        call = [[], batch.arguments(), {"callbacks": None, "errbacks": None, "chain": None, "chord": None}]
        self._send(batch.batch_id, call)

    def send_body(self, message_id: str, body: bytes) -> None:
        """Send a message's body as it is; when it returns, the broker has it.

        Raises:
            LineUnavailable: it may or may not have arrived.
        """
        self._send(message_id, body, content_type="application/octet-stream", content_encoding="binary")

    def _send(self, message_id: str, body: object, **kind: str) -> None:
        if self._pid != os.getpid():  # a fork's child must not speak on its parent's connection, nor close it
            self._pid, self._connection, self._producer = os.getpid(), None, None
        try:
            self._publish(message_id, body, **kind)
        except Exception as error:  # noqa: BLE001 - the host's boundary: the batch is kept, whatever the client raises
            self.close()
            raise unavailable(error) from None

    def close(self) -> None:
        """Let go of the connection."""
        connection, self._connection, self._producer = self._connection, None, None
        if connection is not None:
            try:
                connection.release()
            except Exception:  # noqa: BLE001 - it is gone already, which is what was wanted
                return

    def _connect(self) -> Any:
        self._connection = Connection(self._url, transport_options=transport_options(self._url), connect_timeout=5)
        if not is_amqp(self._url):
            events_queue(self._url)(self._connection.channel()).declare()
        elif not self._is_declared(self._connection):
            channel = self._connection.channel()
            dead_queue(self._url)(channel).declare()
            events_queue(self._url)(channel).declare()
        self._producer = self._connection.Producer(self._connection.channel(), serializer="msgpack")
        return self._producer

    def _is_declared(self, connection: Connection) -> bool:
        """Ask RabbitMQ whether a worker has made the queue; unlike making it, this takes no right but to write."""
        try:
            events_queue(self._url)(connection.channel()).queue_declare(passive=True)
        except NotFound:
            return False
        return True

    def _publish(self, message_id: str, body: object, **kind: str) -> None:
        queue = events_queue(self._url)
        producer = self._producer or self._connect()
        producer.publish(
            body,
            exchange=queue.exchange,
            routing_key=queue.routing_key,
            headers={
                "lang": "py",
                "task": TASK,
                "id": message_id,
                "root_id": message_id,
                "ignore_result": True,
            },
            correlation_id=message_id,
            delivery_mode=2,
            retry=False,
            confirm_timeout=_PUBLISH_TIMEOUT,
            **kind,
        )
