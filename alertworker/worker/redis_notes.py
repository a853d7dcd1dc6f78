"""kombu's notes of messages that a worker has not acknowledged yet, on Redis and Valkey.

A note is an entry of a hash, and its time is in an index. A note that is not renewed is restored: its worker died.

* All times are the broker's. A worker's own clock may be wrong. Then the batch of a dead worker would wait for as long
as the clock was ahead, or a live worker's batch would go to another one.
* All applications that use kombu on one Redis database share the two keys. Notes of other applications are left alone.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Final, NamedTuple
from uuid import uuid4

from kombu.transport import redis, virtual
from kombu.utils.json import dumps
from redis.exceptions import OutOfMemoryError, ResponseError

from alertworker.worker import redis_scripts
from alertworker.worker.from_redis import parse_json
from alertworker.worker.opaque import TASKS


class Note(NamedTuple):
    """The content that kombu wrote into a note."""

    message: dict[str, Any]
    exchange: str
    queue: str


def read_note(note: bytes) -> Note | None:
    """Return what a note holds, ``None`` if kombu did not write it."""
    try:
        message, exchange, queue = parse_json(note)
    except (ValueError, TypeError):
        return None
    is_note = isinstance(message, dict) and isinstance(exchange, str) and isinstance(queue, str)
    return Note(message, exchange, queue) if is_note else None


#: kombu's private members have no types.
_QoS: Any = redis.QoS
#: A channel takes no further message while those that it holds have this many bytes. Messages may be large.
MAX_HELD_BYTES: Final = 64 * 1024 * 1024
#: How many notes one check reads. Another application may have any number of old ones, and each is read once.
_AT_ONCE: Final = 1000
#: The first and the last place in the index.
_FIRST: Final = "-inf"
_LAST: Final = "+inf"


class QoS(_QoS):  # type: ignore[misc]
    """The notes of a channel's unacknowledged messages."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        #: The tags of notes that belong to other applications, so that each is read once.
        self._foreign: set[bytes] = set()

    def can_consume(self) -> bool:
        """Return whether to take another message: the channel holds few, and they are not too large."""
        if not super().can_consume():
            return False
        held = [message for tag, message in list(self._delivered.items()) if tag not in self._dirty]
        return sum(len(message.body) for message in held) < MAX_HELD_BYTES

    def append(self, message: Any, delivery_tag: str) -> None:
        """Record an unacknowledged message. A batch has a note already.

        If Redis has no memory for a note, the message is delivered without one: the sweep or beat repeats lost tasks.
        """
        if not self.channel.takes:
            with suppress(OutOfMemoryError):
                self._write_note(message, delivery_tag)
        virtual.QoS.append(self, message, delivery_tag)

    def _write_note(self, message: Any, delivery_tag: str) -> None:
        delivery = message.delivery_info
        note = dumps([message._raw, delivery["exchange"], delivery["routing_key"]])  # noqa: SLF001 - as in kombu
        with self.channel.conn_or_acquire() as client, client.pipeline() as pipe:
            pipe.zadd(self.unacked_index_key, {delivery_tag: _time(client)})
            pipe.hset(self.unacked_key, delivery_tag, note).execute()

    def ack(self, delivery_tag: str) -> None:
        """Acknowledge a message.

        It uses no transaction, because a Redis whose memory is full refuses those. The index is deleted last: the next
        restore removes an index entry without a note.
        """
        with self.channel.conn_or_acquire() as client, client.pipeline(transaction=False) as pipe:
            pipe.hdel(self.unacked_key, delivery_tag).zrem(self.unacked_index_key, delivery_tag).execute()
        virtual.QoS.ack(self, delivery_tag)

    def reject(self, delivery_tag: str, requeue: bool = False) -> None:  # noqa: FBT001, FBT002 - kombu's signature
        """Return a batch to its queue. The first time it is served next, so that the backlog keeps its order.

        A redelivered one goes to the end, because it may fail again and hold up the others.
        """
        message = self._delivered.get(delivery_tag)
        again = message is None or message.delivery_info.get("redelivered") is True
        if not requeue or again or not self.channel.takes:
            super().reject(delivery_tag, requeue)
            return
        self.restore_by_tag(delivery_tag)
        virtual.QoS.ack(self, delivery_tag)

    def renew(self) -> None:
        """Renew the notes of messages in progress, so that no other worker gets them."""
        held = [tag for tag in list(self._delivered) if tag not in self._dirty]
        if held:
            with self.channel.conn_or_acquire() as client:
                client.eval(redis_scripts.RENEW, 1, self.channel.prefixed(self.unacked_index_key), str(uuid4()), *held)

    def restore_visible(self, *_: Any, **__: Any) -> None:
        """Restore the messages of dead workers.

        Several workers may do this at once: `restore_by_tag` restores a note once. kombu uses a mutex, which all
        applications on a Redis database share. One that is killed with it would stop our restore for 5 minutes.
        """
        refusal = None
        with self.channel.conn_or_acquire() as client:
            due = self._due(client)
            self._foreign.intersection_update(due)
            for tag in [tag for tag in due if tag not in self._foreign][:_AT_ONCE]:
                try:
                    self.restore_by_tag(tag, client)
                except ResponseError as error:  # the queue of this note may be a key of another type
                    refusal = error
        if refusal is not None:
            raise refusal

    def restore_by_tag(self, tag: Any, client: Any = None, leftmost: bool = False) -> None:  # noqa: FBT001, FBT002 - kombu's signature
        """Return a noted message to its queue. An unreadable note goes to the queue of batches and is parked.

        A note stays if it belongs to another application, or if its queue is not known.
        """
        with self.channel.conn_or_acquire(client) as acquired:
            found = acquired.hget(self.unacked_key, tag)
            note = read_note(found) if found else None
            pushes = Pushes()
            is_ours = note is None or tag in self._delivered or self._is_ours(note)
            if found and is_ours:
                self.channel.put_back(note, found, pushes, leftmost=leftmost)
            if found and not pushes.entries:
                self._foreign.add(tag)
                return
            names = (self.unacked_index_key, self.unacked_key, *(queue for queue, _ in pushes.entries))
            keys = [self.channel.prefixed(name) for name in names]
            entries = [entry for _, entry in pushes.entries]
            push = "LPUSH" if leftmost else "RPUSH"
            acquired.eval(redis_scripts.RESTORE, len(keys), *keys, tag, str(uuid4()), push, *entries)

    def restore_unacked(self, client: Any = None) -> None:
        """Return all messages that the channel holds, the newest first: each goes to the head of its queue."""
        with self.channel.conn_or_acquire(client) as acquired:
            for tag in reversed(list(self._delivered)):
                self.restore_by_tag(tag, acquired)
        self._delivered.clear()

    def _is_ours(self, note: Note) -> bool:
        """Return whether a note's queue is one of ours, or one that this worker consumes for an operator."""
        channels = self.channel.connection.cycle._channels  # noqa: SLF001 - kombu has no other list of them
        return note.queue in TASKS or any(note.queue in channel.active_queues for channel in list(channels))

    def _due(self, client: Any) -> list[bytes]:
        """Return the tags of notes that were not renewed, the newest first: each goes to the head of its queue.

        A time that is far ahead is invalid.
        """
        now, found = _time(client), []
        for highest, lowest in ((_LAST, now + self.visibility_timeout), (now - self.visibility_timeout, _FIRST)):
            found += client.zrange(self.unacked_index_key, highest, lowest, desc=True, byscore=True)
        return found


class Pushes:
    """Stands for the Redis client in kombu's method that returns a message, and collects what it pushes."""

    def __init__(self) -> None:
        #: The queue's key and the entry.
        self.entries: list[tuple[str, bytes | str]] = []

    def lpush(self, queue: str, entry: bytes | str) -> None:
        """Collect an entry for a queue's head."""
        self.entries.append((queue, entry))

    #: The same for its end. The whole restore uses one side.
    rpush = lpush


def _time(client: Any) -> float:
    """Return the broker's time in seconds."""
    seconds, microseconds = client.time()
    return float(seconds) + float(microseconds) / 1e6
