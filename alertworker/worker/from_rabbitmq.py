"""Messages from RabbitMQ. Any properties and any body become a message that can be parked."""

from __future__ import annotations

from typing import Any, Final

from amqp import serialization, spec
from kombu.transport import pyamqp

from alertworker.publisher import amqps
from alertworker.worker.opaque import TASKS, OpaqueMessage

#: The arguments of a delivery: consumer tag, delivery tag, redelivered, exchange and routing key.
_DELIVERY: Final = "sLbss"
#: The bytes of a method's number, and those of a delivery tag and the flag `redelivered`.
_METHOD: Final = 4
_TAG_AND_FLAG: Final = 9


class Message(OpaqueMessage, pyamqp.Message):
    """A message that is sealed if it comes from one of our queues."""

    def __init__(self, msg: Any, channel: Any = None, **kwargs: Any) -> None:
        delivery = msg.delivery_info or {}
        queue = channel.queues.get(delivery.get("consumer_tag"))
        if queue not in TASKS:
            super().__init__(msg, channel=channel, **kwargs)
            return
        body = msg.body.encode() if isinstance(msg.body, str) else bytes(msg.body)  # py-amqp's empty body is a string
        headers = msg.properties.get("application_headers")
        self.seal(
            queue,
            body,
            channel=channel,
            tag=msg.delivery_tag,
            delivery={name: delivery.get(name) for name in ("consumer_tag", "delivery_tag", "redelivered")},
            headers=headers if isinstance(headers, dict) else {},
        )


class Channel(pyamqp.Channel):
    """A channel that records the queue of each consumer, and does not decode message bodies."""

    Message = Message

    def __init__(self, connection: Any, channel_id: Any = None, *, on_open: Any = None, **_: Any) -> None:
        super().__init__(connection, channel_id, auto_decode=False, on_open=on_open)
        #: The queue that each consumer reads.
        self.queues: dict[str, str] = {}

    def dispatch_method(self, method_sig: Any, payload: bytes, content: Any) -> Any:
        """Pass on what the broker sent, with a delivery that can always be read."""
        if method_sig == spec.Basic.Deliver:
            payload = _readable_delivery(payload)
        return super().dispatch_method(method_sig, payload, content)

    def basic_consume(self, queue: str = "", consumer_tag: str = "", *args: Any, **kwargs: Any) -> Any:
        """Start a consumer, and record its queue."""
        self.queues[consumer_tag] = queue
        return super().basic_consume(queue, consumer_tag, *args, **kwargs)


class Connection(pyamqp.Connection):
    """A connection whose channels seal messages."""

    Channel = Channel


class Transport(pyamqp.Transport):
    """kombu's AMQP transport with channels that seal messages."""

    Connection = Connection


class SSLTransport(amqps.SSLTransport):
    """The same transport over TLS."""

    Connection = Connection


def _readable_delivery(payload: bytes) -> bytes:
    """Return the arguments of a delivery, without exchange and routing key if these are not UTF-8.

    A producer chooses the routing key: with a header ``CC`` a message reaches a queue under any key. py-amqp raises for
    such a key before a consumer has the message, so the broker redelivers it, and it ends every worker that receives
    it. Our queues need neither of the two.
    """
    try:
        serialization.loads(_DELIVERY, payload, _METHOD)
    except UnicodeDecodeError:
        tag_ends = _METHOD + 1 + payload[_METHOD]
        return payload[: tag_ends + _TAG_AND_FLAG] + b"\0\0"
    return payload


def _decode_properties(buffer: bytes, offset: int) -> tuple[dict[str, object], int]:
    """Read a message's properties. Return none if they cannot be read.

    py-amqp raises for text that is not UTF-8, a time past the year 9999 and a deep table. It raises before a consumer
    has the message, so the broker redelivers it, and it kills every worker that receives it.
    """
    try:
        return serialization.decode_properties_basic(buffer, offset)
    except Exception:  # noqa: BLE001 - whatever a producer wrote, it must not end the connection
        return {}, len(buffer)


serialization.PROPERTY_CLASSES[serialization.Basic.CLASS_ID] = _decode_properties  # type: ignore[assignment]
