"""Messages from Redis and Valkey. Any bytes on one of our lists become a message that can be parked."""

from __future__ import annotations

import json
import re
from base64 import b64decode, b64encode
from collections.abc import Callable
from queue import Empty
from time import monotonic
from typing import Any, Final
from uuid import uuid4

from kombu.transport import redis, virtual
from kombu.utils.encoding import bytes_to_str
from kombu.utils.json import dumps, loads
from pydantic_core import from_json
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ReadOnlyError, ResponseError

from alertworker.events.message import KEPT_BYTES, MAX_MESSAGE_BYTES
from alertworker.text.ids import safe_id
from alertworker.worker.away_log import AwayLog
from alertworker.worker.opaque import OVERSIZE, TASKS, OpaqueMessage, describe

#: The maximum size of an envelope in bytes: a body of the maximum size in base64, and its headers.
_MAX_ENVELOPE: Final = MAX_MESSAGE_BYTES * 3 // 2
#: The maximum number of brackets and commas in an envelope. Its body is one string.
_MAX_VALUES: Final = 1_000_000
#: How long a worker waits after Redis refused a command, in seconds.
_WAIT: Final = 1.0
_away: Final = AwayLog()
_HALF: Final = re.compile("[\ud800-\udfff]")
#: A delivery tag becomes a key on the broker. kombu and our publisher use UUIDs.
_TAG: Final = re.compile(r"[0-9A-Za-z_-]{16,64}")


def log_recovery() -> None:
    """Log that Redis delivers messages again, if it refused before."""
    _away.back()


def envelope_of(item: bytes, queue: str) -> dict[str, Any]:
    """Return the envelope that kombu put on a list, with all fields that kombu needs. Wrap anything else in one."""
    found = _read(item)
    if found is None:
        found = _wrapped(item)
    # kombu's JSON decoder interprets "__type__" in a mapping, so no nested mapping of a producer is kept.
    headers, properties = _plain(found["headers"]), _plain(found["properties"])
    if "task" in found["headers"]:  # a task that is not a string must not look like a missing one
        headers.setdefault("task", "(not a string)")
    delivery = found["properties"].get("delivery_info")
    redelivered = isinstance(delivery, dict) and delivery.get("redelivered") is True
    redelivered = redelivered or headers.get("redelivered") is True
    # The producer must not choose where a message is returned to: kombu drops it if no queue is bound there.
    properties["delivery_info"] = {"exchange": queue, "routing_key": queue, "redelivered": redelivered}
    tag = properties.get("delivery_tag")
    properties["delivery_tag"] = tag if isinstance(tag, str) and _TAG.fullmatch(tag) else str(uuid4())
    if not isinstance(properties.get("priority"), int):
        properties["priority"] = 0
    return _plain(found) | {"headers": headers, "properties": properties}


def _wrapped(item: bytes) -> dict[str, Any]:
    """Return an envelope for any bytes. Of too many only the start is kept, since a note has a maximum size."""
    headers = {}
    if len(item) > MAX_MESSAGE_BYTES:
        headers, item = {OVERSIZE: describe(item)}, item[:KEPT_BYTES]
    return {"body": b64encode(item).decode(), "headers": headers, "properties": {"body_encoding": "base64"}}


def _plain(mapping: dict[str, Any]) -> dict[str, Any]:
    plain = {name: value for name, value in mapping.items() if value is None or isinstance(value, (str, int, float))}
    return {_whole(name): _whole(value) for name, value in plain.items()}


def _whole(value: Any) -> Any:
    """Return a value, or a digest of a string with half of a surrogate pair: `from_json` would refuse the note."""
    has_half = isinstance(value, str) and not value.isascii() and _HALF.search(value)
    return safe_id(value) if has_half else value


def _read(item: bytes) -> dict[str, Any] | None:
    if len(item) > _MAX_ENVELOPE or sum(item.count(mark) for mark in (b"[", b"{", b",")) > _MAX_VALUES:
        return None
    found = _parse(item)
    if not isinstance(found, dict) or not isinstance(found.get("body"), str):
        return None
    found["headers"] = {} if found.get("headers") is None else found["headers"]
    whole = isinstance(found["headers"], dict) and isinstance(found.get("properties"), dict)
    return found if whole and _body(found) is not None else None


def _parse(item: bytes) -> Any:
    """Return an item that is JSON, ``None`` for any other item.

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
