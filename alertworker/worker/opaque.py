"""A message from one of our queues as Celery sees it: a call of one of our own tasks, with the message's bytes.

Celery acknowledges and logs a message that it cannot decode, whose task it does not know or whose arguments do not fit.
It obeys what a message says of its expiry, its due time and the tasks that follow. None of that reaches Celery here:
`OpaqueMessage.seal` replaces the message's headers, properties and payload by ours. The task reads the message, and
parks it when it cannot.
"""

from __future__ import annotations

from typing import Any, Final
from uuid import uuid4

import kombu
from celery.app import amqp
from kombu.message import Message
from kombu.utils.imports import symbol_by_name

from alertworker.events.batch import QUEUE, TASK
from alertworker.pipeline import BrokerMessage
from alertworker.publisher.topology import DEAD_QUEUE, DELIVERY_LIMIT
from alertworker.text.format import parse_moment
from alertworker.text.ids import safe_id
from alertworker.worker.queues import DELIVERIES, PERIODIC

#: The task that parks what no task of its queue takes.
PARK: Final = "alertworker.park"
#: Which tasks are taken from which of our queues; in a queue of batches, the pipeline decides.
TASKS: Final[dict[str, frozenset[str]]] = {
    QUEUE: frozenset({TASK}),
    DEAD_QUEUE: frozenset({TASK}),
    DELIVERIES: frozenset({"alertworker.deliver"}),
    PERIODIC: frozenset({"alertworker.sweep", "alertworker.report"}),
}
_BATCHES: Final = (QUEUE, DEAD_QUEUE)


class OpaqueMessage(Message):
    """A message of kombu's; from one of our queues, its payload is a call of ours."""

    call: dict[str, Any] | None = None

    @property
    def payload(self) -> Any:
        """Return the call in the form that Celery takes from a message that has its headers and its arguments apart."""
        return super().payload if self.call is None else self.call

    def seal(
        self, queue: str, body: bytes, *, channel: Any, tag: Any, delivery: dict[str, Any], headers: dict[Any, Any]
    ) -> None:
        """Become a call of one of our tasks. ``delivery`` is the broker's; ``headers`` are the producer's."""
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
        self.call = {"args": [], "kwargs": {"message": _message(queue, body, delivery, headers)}}


def _message(queue: str, body: bytes, delivery: dict[str, Any], headers: dict[Any, Any]) -> BrokerMessage:
    redelivered = delivery.get("redelivered") is True
    # RabbitMQ puts an expired batch there, too. It is applied, unless it came from there before.
    expired = headers.get("x-first-death-reason") == "expired" and not redelivered
    return BrokerMessage(
        queue=queue,
        body=body,
        task=None if headers.get("task") is None else _text(headers["task"]) or "(not a string)",
        message_id=_text(headers.get("id")) or None,
        redelivered=redelivered,
        given_up=f"delivered more than {DELIVERY_LIMIT} times" if queue == DEAD_QUEUE and not expired else None,
        # Celery would drop an expired message. A task of ours reads the message first, and parks it when it cannot.
        expires=None if queue in _BATCHES else parse_moment(headers.get("expires")),
    )


def _text(value: object) -> str:
    return safe_id(value) if isinstance(value, (str, int)) else ""


#: kombu's transports, and ours that seal what they take.
_SEALING: Final = {
    "kombu.transport.redis:Transport": "alertworker.worker.redis_transport:Transport",
    "kombu.transport.pyamqp:Transport": "alertworker.worker.from_rabbitmq:Transport",
    "kombu.transport.pyamqp:SSLTransport": "alertworker.worker.from_rabbitmq:SSLTransport",
}


class Connection(kombu.Connection):
    """A connection whose transport seals what it takes from our queues, also after a failover to another broker."""

    def get_transport_cls(self) -> Any:
        """Return our transport where kombu has its own."""
        found: Any = super().get_transport_cls()
        return symbol_by_name(_SEALING.get(f"{found.__module__}:{found.__qualname__}", found))


class AMQP(amqp.AMQP):
    """Celery's, with such connections."""

    Connection = Connection
