"""How sealed batches reach the broker: Celery's message protocol, without Celery."""

from __future__ import annotations

import os
import re
from typing import Any, Protocol

from amqp.exceptions import NotFound

from alertworker.errors import BrokerUnavailable
from alertworker.events.batch import TASK, SealedBatch
from alertworker.host.addresses import with_verified_tls
from alertworker.publisher.connection import Connection
from alertworker.publisher.topology import dead_queue, events_queue, is_amqp, transport_options

#: How long one publish may take, in seconds, confirmation included.
_PUBLISH_TIMEOUT = 10.0
#: RabbitMQ's answers if a permission or the login is refused (ACCESS_REFUSED), or the virtual host (NOT_ALLOWED).
_FORBIDDEN = (403, 530)
#: RabbitMQ's answers if the queue (NO_ROUTE) or the exchange (NOT_FOUND) is missing.
_UNROUTED = (312, 404)
_REPLICA = "the broker accepts no writes: it is a replica (READONLY)"
#: Why Redis and Valkey refuse writes, by the exception's name or by the code at the start of their answer.
_REFUSALS = {
    "OutOfMemoryError": "the broker is out of memory (OOM, see its maxmemory)",
    "ReadOnlyError": _REPLICA,
    "READONLY": _REPLICA,  # a worker's own connection makes this a connection error, so that it connects again
    "MISCONF": "the broker cannot write to its disk (MISCONF, see its log)",
    "NOREPLICAS": "the broker accepts no writes: it has too few replicas (NOREPLICAS)",
}
#: The code of an answer. A pipeline puts the refused command in front of it.
_CODE = re.compile(r"(?:\A|caused error: )([A-Z]+) ")


def unavailable(error: BaseException) -> BrokerUnavailable:
    """Return an error with the broker's problem, without a URL or a key."""
    names = (type(one).__name__ for one in (error, error.__cause__))  # kombu wraps the client's error in its own
    for code in (*names, *_CODE.findall(str(error))):
        if code in _REFUSALS:
            return BrokerUnavailable(_REFUSALS[code])
    if getattr(error, "reply_code", None) in _FORBIDDEN:
        return BrokerUnavailable(
            "RabbitMQ refuses access: check the user, the password and the virtual host, and grant the user configure, "
            "write and read for alertworker.*"
        )
    if getattr(error, "reply_code", None) in _UNROUTED:
        return BrokerUnavailable("the broker has no queue for this message; a worker declares it when it starts")
    return BrokerUnavailable(f"the broker cannot be reached ({type(error).__name__})")


class Transport(Protocol):
    """Sends sealed batches to the broker, or to a server that does so."""

    def send(self, batch: SealedBatch) -> None:
        """Send one batch. When this returns, the broker has it.

        Raises:
            BrokerUnavailable: the batch may or may not have arrived; send the same batch again.
            BatchRefused: the batch will never be accepted.
        """
        ...

    def close(self) -> None:
        """Close the connection."""
        ...


class UnusableTransport:
    """Replaces a transport that cannot be built. It refuses all batches, so the publisher spools and counts them."""

    def __init__(self, reason: str) -> None:
        self._reason = reason

    def send(self, batch: SealedBatch) -> None:  # noqa: ARG002 - a transport's signature
        """Raise `BrokerUnavailable`."""
        raise BrokerUnavailable(self._reason)

    def close(self) -> None:
        """Do nothing."""


class BrokerTransport:
    """Sends batches to Redis, Valkey or RabbitMQ. It connects at the first send and again after a failure."""

    def __init__(self, url: str) -> None:
        self._url = with_verified_tls(url)
        # Imports kombu's transport now: a program that publishes and then ends can import no module while it ends.
        Connection(self._url).get_transport_cls()
        self._connection: Connection | None = None
        self._producer: Any = None
        #: Whether RabbitMQ had no queue for a batch. It is declared again then: it may exist without a binding.
        self._unrouted = False
        self._pid = os.getpid()

    def send(self, batch: SealedBatch) -> None:
        """Send one batch. When this returns, the broker has it."""
        call = [[], batch.arguments(), {"callbacks": None, "errbacks": None, "chain": None, "chord": None}]
        self._send(batch.batch_id, call)

    def send_body(self, message_id: str, body: bytes) -> None:
        """Send a message's body unchanged. When this returns, the broker has it.

        Raises:
            BrokerUnavailable: the message may or may not have arrived.
        """
        self._send(message_id, body, content_type="application/octet-stream", content_encoding="binary")

    def _send(self, message_id: str, body: object, **content: str) -> None:
        if self._pid != os.getpid():  # a forked child must neither use nor close its parent's connection
            self._pid, self._connection, self._producer = os.getpid(), None, None
        try:
            self._publish(message_id, body, **content)
        except Exception as error:  # noqa: BLE001 - the host's boundary: the batch is kept, whatever the client raises
            self.close()
            self._unrouted = getattr(error, "reply_code", None) in _UNROUTED
            raise unavailable(error) from None

    def close(self) -> None:
        """Close the connection."""
        connection, self._connection, self._producer = self._connection, None, None
        if connection is not None:
            try:
                connection.release()
            except Exception:  # noqa: BLE001 - the connection is closed already
                return

    def _connect(self) -> Any:
        self._connection = Connection(self._url, transport_options=transport_options(self._url), connect_timeout=5)
        if is_amqp(self._url) and (self._unrouted or not self._is_declared(self._connection)):
            channel = self._connection.channel()
            dead_queue(self._url)(channel).declare()
            events_queue(self._url)(channel).declare()
        self._producer = self._connection.Producer(self._connection.channel(), serializer="msgpack")
        return self._producer

    def _is_declared(self, connection: Connection) -> bool:
        """Return whether the queue exists on RabbitMQ. Unlike a declaration, this needs only the right to write."""
        try:
            events_queue(self._url)(connection.channel()).queue_declare(passive=True)
        except NotFound:
            return False
        return True

    def _publish(self, message_id: str, body: object, **content: str) -> None:
        queue = events_queue(self._url)
        producer = self._producer or self._connect()
        producer.publish(
            body,
            # On Redis kombu looks up an exchange's queues at each publish. If they are gone (FLUSHALL), it drops the
            # message without an error. The default exchange needs no lookup.
            exchange=queue.exchange if is_amqp(self._url) else "",
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
            mandatory=True,  # RabbitMQ confirms a batch that no queue takes, and drops it
            retry=False,
            confirm_timeout=_PUBLISH_TIMEOUT,
            **content,
        )
