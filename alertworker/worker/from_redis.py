"""Messages from Redis and Valkey. Any bytes on one of our lists become a message that can be parked."""

from __future__ import annotations

import json
import re
from base64 import b64decode, b64encode
from collections.abc import Callable
from contextlib import suppress
from queue import Empty
from time import monotonic
from typing import Any, Final
from uuid import uuid4

from kombu.transport import redis, virtual
from kombu.utils.encoding import bytes_to_str
from kombu.utils.json import dumps, loads
from pydantic_core import from_json
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import OutOfMemoryError, ReadOnlyError, ResponseError

from alertworker.events.message import KEPT_BYTES, MAX_MESSAGE_BYTES
from alertworker.text.ids import safe_id
from alertworker.worker.away_log import AwayLog
from alertworker.worker.opaque import OVERSIZE, TASKS, OpaqueMessage, describe, measure, read_oversize
from alertworker.worker.redis_scripts import CUT, MAX_ENVELOPE_BYTES

#: The maximum number of brackets and commas in an envelope. Its body is one string.
_MAX_VALUES: Final = 1_000_000
#: How long a worker waits after Redis refused a command, in seconds.
_WAIT: Final = 1.0
_away: Final = AwayLog()
#: A delivery tag becomes a key on the broker. kombu and our publisher use UUIDs.
_TAG: Final = re.compile(r"[0-9A-Za-z_-]{16,64}")
#: The headers that are read. All others are dropped, so that the size of a note depends on the body only.
_HEADERS: Final = ("task", "id", "expires", "redelivered")
#: The maximum length of the first line of an entry that `redis_scripts.RETURN` cut.
_MAX_LINE: Final = 128


def log_recovery() -> None:
    """Log that Redis delivers messages again, if it refused before."""
    _away.back()


def envelope_of(item: bytes, queue: str) -> dict[str, Any]:
    """Return the envelope that kombu put on a list, with the fields that kombu and we need. Wrap anything else in one.

    The body is in base64, and of a body over `MAX_MESSAGE_BYTES` only the start is kept: kombu's JSON encoder triples
    the size of other text, and Redis needs seconds for a large note.
    """
    found, body = _read(item) or _cut(item) or ({"headers": {}, "properties": {}}, item)
    headers = {name: _short(found["headers"][name]) for name in _HEADERS if name in found["headers"]}
    if len(body) > MAX_MESSAGE_BYTES:
        headers[OVERSIZE], body = describe(measure(body)), body[:KEPT_BYTES]
    elif _is_start(found["headers"].get(OVERSIZE), body):
        headers[OVERSIZE] = found["headers"][OVERSIZE]
    properties = found["properties"]
    delivery, tag, priority = (properties.get(name) for name in ("delivery_info", "delivery_tag", "priority"))
    redelivered = isinstance(delivery, dict) and delivery.get("redelivered") is True
    redelivered = redelivered or headers.get("redelivered") is True
    return {
        "body": b64encode(body).decode(),
        "headers": headers,
        "properties": {
            "body_encoding": "base64",
            # The producer must not choose where a message is returned to: kombu drops it if no queue is bound there.
            "delivery_info": {"exchange": queue, "routing_key": queue, "redelivered": redelivered},
            "delivery_tag": tag if isinstance(tag, str) and _TAG.fullmatch(tag) else str(uuid4()),
            "priority": priority if isinstance(priority, int) else 0,
        },
    }


def _short(value: Any) -> Any:
    """Return a header's value, with a digest in place of a long string or one with half of a surrogate pair.

    `from_json` would refuse a note with such a half. A value that is not a scalar must not look like a missing one.
    """
    if isinstance(value, str):
        return safe_id(value)
    return value if value is None or isinstance(value, (int, float)) else "(not a string)"


def _cut(item: bytes) -> tuple[dict[str, Any], bytes] | None:
    """Return the start of an entry that `redis_scripts.RETURN` cut, ``None`` for any other item."""
    line, newline, body = item[:_MAX_LINE].partition(b"\n")
    if not newline or not line.startswith(CUT.encode()):
        return None
    described, body = line[len(CUT) :].decode("ascii", "replace"), item[len(line) + 1 :]
    return ({"headers": {OVERSIZE: described}, "properties": {}}, body) if _is_start(described, body) else None


def _is_start(described: object, body: bytes) -> bool:
    """Return whether a body is the start that we kept of an oversize one, when it comes back from a note.

    A producer can write the same. It only gets its own message parked.
    """
    found = read_oversize(described)
    return found is not None and found.size > MAX_MESSAGE_BYTES and len(body) == KEPT_BYTES


def _read(item: bytes) -> tuple[dict[str, Any], bytes] | None:
    """Return an envelope and its body, ``None`` if an item is not an envelope."""
    if len(item) > MAX_ENVELOPE_BYTES or sum(item.count(mark) for mark in (b"[", b"{", b",")) > _MAX_VALUES:
        return None
    found = parse_json(item)
    if not isinstance(found, dict) or not isinstance(found.get("body"), str):
        return None
    found["headers"] = {} if found.get("headers") is None else found["headers"]
    if not isinstance(found["headers"], dict) or not isinstance(found.get("properties"), dict):
        return None
    body = _body(found)
    return None if body is None else (found, body)


def parse_json(item: bytes) -> Any:
    """Return the value of an item that is JSON, ``None`` for any other item.

    Celery puts the start of the arguments into a header, with half of a surrogate pair if an event has one. Only
    Python's own parser reads that.
    """
    try:
        return from_json(item)
    except ValueError:
        pass
    try:
        return json.loads(item.decode("utf-8", "surrogatepass"))
    except (ValueError, RecursionError):
        return None


def _body(envelope: dict[str, Any]) -> bytes | None:
    """Return the bytes of an envelope's body, ``None`` if they do not have the declared encoding."""
    body, encoding = envelope["body"], envelope["properties"].get("body_encoding")
    try:
        if encoding == "base64":
            return b64decode(body.encode().translate(None, b" \t\r\n"), validate=True)
        return body.encode() if encoding in (None, "", "utf-8") else None
    except ValueError:
        return None


class Message(OpaqueMessage, virtual.Message):
    """A message that is sealed if it comes from one of our queues."""

    def __init__(self, payload: dict[str, Any], channel: Any = None, **kwargs: Any) -> None:
        properties = payload["properties"]
        delivery = properties["delivery_info"]
        if delivery.get("routing_key") not in TASKS:
            super().__init__(payload, channel=channel, **kwargs)
            return
        self._raw = payload
        self.seal(
            delivery["routing_key"],
            _body(payload) or b"",
            channel=channel,
            tag=properties["delivery_tag"],
            delivery=delivery,
            headers=payload["headers"],
            oversize=read_oversize(payload["headers"].get(OVERSIZE)),
        )


class Channel(redis.Channel):
    """A channel whose messages are sealed."""

    Message = Message
    # Attributes that kombu has and its type stubs lack.
    connection_errors: tuple[type[Exception], ...]
    _disconnect_pools: Callable[[], None]
    _flush_brpop_reauth: Callable[[], None]
    _q_for_pri: Callable[[str, int], str]
    _queue_cycle: Any
    conn_or_acquire: Any
    priority_steps: list[int]
    #: The monotonic time from which Redis may be asked for a message again.
    _ask_at = 0.0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        try:
            # If a key has another type this raises, and kombu reconnects with growing waits.
            self.client.hdel(self.unacked_key, "")
            self.client.zrem(self.unacked_index_key, "")
        except ReadOnlyError:
            # A read-only replica answers but delivers no messages. Raised as a connection error, it makes kombu
            # reconnect with growing waits and a log line each time.
            self.connection.cycle.discard(self)  # type: ignore[union-attr]
            self._disconnect_pools()
            raise RedisConnectionError("READONLY the broker is a read-only replica") from None

    def _size(self, queue: str) -> int:
        """Return the number of messages in a queue, which its declaration asks for.

        kombu asks in a transaction, which a Redis whose memory is full refuses. A worker that starts then, or that
        reconnects, would never empty the queue that fills the memory.
        """
        with self.conn_or_acquire() as client, client.pipeline(transaction=False) as pipe:
            for priority in self.priority_steps:
                pipe.llen(self._q_for_pri(queue, priority))
            return sum(pipe.execute())

    def _queue_bind(self, exchange: str, routing_key: str, pattern: str, queue: str) -> None:
        """Write a binding, unless Redis has no memory for it. `Poller` writes it later."""
        with suppress(OutOfMemoryError):
            super()._queue_bind(exchange, routing_key, pattern, queue)  # type: ignore[misc]

    def _brpop_start(self, timeout: float | None = None) -> None:
        """Ask for the next message, unless Redis refused less than `_WAIT` ago."""
        if monotonic() >= self._ask_at:
            super()._brpop_start(timeout)  # type: ignore[misc]

    def _refused(self, error: ResponseError) -> None:
        """Log that Redis refused a command, and set the wait. A new connection would be refused, too."""
        _away.away("taking messages from the broker", error)
        self._ask_at = monotonic() + _WAIT

    def _brpop_read(self, **options: Any) -> bool:
        """Do the same as kombu, but with an envelope that always parses: kombu would lose a message that does not."""
        try:
            try:
                found = self.client.parse_response(self.client.connection, "BRPOP", **options)
            except self.connection_errors:
                self.client.connection.disconnect()
                raise
            except ResponseError as error:
                self._refused(error)
                raise Empty from None
            if not found:
                raise Empty
            log_recovery()
            queue, item = bytes_to_str(found[0]).rsplit(self.sep, 1)[0], found[1]
            self._queue_cycle.rotate(queue)
            envelope = envelope_of(item, queue) if queue in TASKS else loads(bytes_to_str(item))
            self.connection._deliver(envelope, queue)  # noqa: SLF001 - as kombu's own method does
            return True
        finally:
            self._in_poll = None
            self._flush_brpop_reauth()

    def _do_restore_message(
        self,
        payload: Any,
        exchange: str,
        routing_key: str,
        pipe: Any,
        leftmost: bool = False,  # noqa: FBT001, FBT002 - kombu's signature
    ) -> None:
        """Return a message to its queue. kombu would log and drop a message whose envelope is invalid."""
        if routing_key in TASKS:
            payload = envelope_of(dumps(payload).encode(), routing_key)
            payload["headers"]["redelivered"] = payload["properties"]["delivery_info"]["redelivered"] = True
            key = self._q_for_pri(routing_key, self._get_message_priority(payload, reverse=False))
            (pipe.lpush if leftmost else pipe.rpush)(key, dumps(payload))
            return
        super()._do_restore_message(payload, exchange, routing_key, pipe, leftmost)  # type: ignore[misc]


class Transport(redis.Transport):
    """kombu's Redis transport with channels that seal messages. It reconnects if the server became a replica."""

    Channel = Channel

    connection_errors = (*redis.Transport.connection_errors, ReadOnlyError)
