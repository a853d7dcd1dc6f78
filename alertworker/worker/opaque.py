"""A message from one of our queues as Celery sees it: a call of one of our own tasks, with the message's bytes.

Celery acknowledges and logs a message that it cannot decode, whose task it does not know or whose arguments do not fit.
It obeys a message's expiry, due time and follow-up tasks. None of that reaches Celery here: `OpaqueMessage.seal`
replaces the message's headers, properties and payload by ours. The task reads the message, and parks it if it cannot be
read.
"""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Any, Final
from uuid import uuid4

from celery.app import amqp
from kombu.message import Message

from alertworker.events.batch import QUEUE, TASK
from alertworker.events.message import KEPT_BYTES, MAX_MESSAGE_BYTES
from alertworker.pipeline import BrokerMessage, Oversize
from alertworker.publisher import connection
from alertworker.publisher.topology import DEAD_QUEUE
from alertworker.text.format import parse_moment
from alertworker.text.ids import safe_id
from alertworker.worker.queues import DELIVERIES, PERIODIC

#: The task that parks a message for which its queue has no task.
PARK: Final = "alertworker.park"
#: The tasks of each of our queues. For queues of batches, the pipeline checks the task name.
TASKS: Final[dict[str, frozenset[str]]] = {
    QUEUE: frozenset({TASK}),
    DEAD_QUEUE: frozenset({TASK}),
    DELIVERIES: frozenset({"alertworker.deliver"}),
    PERIODIC: frozenset({"alertworker.sweep", "alertworker.report"}),
}
_BATCHES: Final = (QUEUE, DEAD_QUEUE)
#: The header of a message of which the Redis transport kept only the start: its size and a digest. Only that transport
#: reads it.
OVERSIZE: Final = "alertworker-oversize"
_OVERSIZE: Final = re.compile(r"([0-9]{1,15}) ([0-9a-f]{64}|[0-9a-f]{40})")


def measure(body: bytes) -> Oversize:
    """Return the size and the digest of a body that is too large."""
    return Oversize(len(body), sha256(body).hexdigest())


def describe(oversize: Oversize) -> str:
    """Return the value of the header `OVERSIZE`."""
    return f"{oversize.size} {oversize.digest}"


def read_oversize(value: object) -> Oversize | None:
    """Return the content of the header `OVERSIZE`, ``None`` if it is missing or has another form."""
    found = _OVERSIZE.fullmatch(value) if isinstance(value, str) else None
    return None if found is None else Oversize(int(found[1]), found[2])


class OpaqueMessage(Message):
    """A kombu message. If it is from one of our queues, its payload is a call of one of our tasks."""

    call: dict[str, Any] | None = None

    @property
    def payload(self) -> Any:
        """Return the call in the form that Celery expects of a decoded message."""
        return super().payload if self.call is None else self.call

    def seal(
        self,
        queue: str,
        body: bytes,
        *,
        channel: Any,
        tag: Any,
        delivery: dict[str, Any],
        headers: dict[Any, Any],
        oversize: Oversize | None = None,
    ) -> None:
        """Become a call of one of our tasks. ``delivery`` is the broker's; ``headers`` are the producer's.

        ``oversize`` is set if a transport kept only the start of the body.
        """
        name = _text(headers.get("task"))
        task = TASK if queue in _BATCHES else name if name in TASKS[queue] else PARK
        sealed: dict[str, Any] = {"task": task, "id": str(uuid4()), "lang": "py", "ignore_result": True}
        sealed |= {"argsrepr": "()", "kwargsrepr": "{}"}
        Message.__init__(
            self,
            body,  # type: ignore[arg-type]
            tag,
            delivery_info=delivery | {"exchange": queue, "routing_key": queue},
            headers=sealed,
            channel=channel,
        )
        self.call = {"args": [], "kwargs": {"message": _message(queue, body, delivery, headers, oversize)}}


def _message(
    queue: str,
    body: bytes,
    delivery: dict[str, object],
    headers: dict[object, object],
    oversize: Oversize | None,
) -> BrokerMessage:
    if len(body) > MAX_MESSAGE_BYTES:
        oversize, body = measure(body), body[:KEPT_BYTES]
    return BrokerMessage(
        queue=queue,
        body=body,
        oversize=oversize,
        task=None if headers.get("task") is None else _text(headers["task"]) or "(not a string)",
        message_id=_text(headers.get("id")) or None,
        # The broker's own word. Headers such as x-death also come from producers, so they decide nothing.
        redelivered=delivery.get("redelivered") is True,
        # Celery would drop an expired message unread. The task reads it first, and parks it if it cannot be read.
        expires=None if queue in _BATCHES else parse_moment(headers.get("expires")),
    )


def _text(value: object) -> str:
    return safe_id(value) if isinstance(value, (str, int)) else ""


#: kombu's transports, and our subclasses that seal messages.
_SEALING: Final = {
    "kombu.transport.redis:Transport": "alertworker.worker.redis_transport:Transport",
    "kombu.transport.pyamqp:Transport": "alertworker.worker.from_rabbitmq:Transport",
    "kombu.transport.pyamqp:SSLTransport": "alertworker.worker.from_rabbitmq:SSLTransport",
}


class Connection(connection.Connection):
    """A connection whose transport seals the messages of our queues, also after a failover to another broker."""

    transports = _SEALING


class AMQP(amqp.AMQP):
    """Celery's AMQP class with connections that seal messages."""

    Connection = Connection
