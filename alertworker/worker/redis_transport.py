"""kombu's Redis transport for a worker: a killed worker loses no batch, and the oldest batch is served next.

kombu takes a message off its list (BRPOP) and notes it as unacknowledged in a second step. A worker that is killed
between the two loses the message. Here one step (BLMOVE) moves a batch from the queue to the list `TAKING`, and a
script replaces the entry there by kombu's own note. A batch is always in the queue, in `TAKING` or noted.

* An entry that stays in `TAKING` for `LOST_AFTER` seconds was taken by a worker that died. It goes back to the end of
  the queue that is served next.
* A live worker renews its notes, so a batch that waits for the database is not given to another worker.
* Only the queue of batches is handled like this. Lost tasks of the worker itself are sent again by beat or the sweep.

The rest is kombu's: keys, notes and their restore after the visibility timeout. Needs Redis 6.2 (BLMOVE) or Valkey.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from functools import partial
from queue import Empty
from time import monotonic
from typing import Any, Final
from uuid import uuid4

from kombu.transport import redis
from kombu.utils.json import dumps
from redis.exceptions import OutOfMemoryError, ReadOnlyError, ResponseError

from alertworker.events.batch import QUEUE
from alertworker.worker import from_redis, redis_scripts
from alertworker.worker.away_log import AwayLog
from alertworker.worker.from_redis import envelope_of
from alertworker.worker.redis_notes import Note, QoS

_log: Final = logging.getLogger(__name__)
_restoring: Final = AwayLog("the broker")
#: The list that holds a batch from its queue until it is noted: milliseconds, unless its worker dies.
TAKING: Final = f"{QUEUE}.taking"
#: After how many seconds in `TAKING` an entry counts as lost.
LOST_AFTER: Final = 5.0
#: How many lost entries one check returns, and how many messages of each other priority it moves.
_AT_ONCE: Final = 100
#: The suffixes of kombu's lists for messages with a priority, which plain Celery producers may set, with any steps.
#: Batches are moved from there to the one queue.
_PRIORITIES: Final = range(1, 10)


#: kombu's private members have no types.
_Channel: Any = from_redis.Channel
_Poller: Any = redis.MultiChannelPoller
_Transport: Any = from_redis.Transport


class Channel(_Channel):  # type: ignore[misc]
    """A channel that consumes batches through a second channel, which has its own connection."""

    QoS = QoS
    #: Whether this is the channel that consumes batches, and nothing else.
    takes = False
    _taker: Channel | None = None
    #: Whether Redis refuses BLMOVE because its memory is full.
    _full = False

    def basic_consume(self, queue: str, no_ack: bool, callback: Any, consumer_tag: str, **options: Any) -> Any:  # noqa: FBT001 - kombu's signature
        """Consume from a queue. Batches use a channel of their own."""
        if queue != QUEUE or self.takes:
            return super().basic_consume(queue, no_ack, callback, consumer_tag, **options)
        if self._taker is None:
            self._taker = self.connection.create_channel(self.connection)
            self._taker.takes = True
            self._taker.qos.prefetch_count = self.qos.prefetch_count
        return self._taker.basic_consume(queue, no_ack, callback, consumer_tag, **options)

    def basic_cancel(self, consumer_tag: str) -> Any:
        """Cancel a consumer of either channel."""
        if self._taker is not None and consumer_tag in self._taker._consumers:  # noqa: SLF001 - a channel of this class
            return self._taker.basic_cancel(consumer_tag)
        return super().basic_cancel(consumer_tag)

    def basic_qos(self, prefetch_size: int = 0, prefetch_count: int = 0, apply_global: bool = False) -> None:  # noqa: FBT001, FBT002 - kombu's signature
        """Set how many messages may be unacknowledged on each channel."""
        super().basic_qos(prefetch_size, prefetch_count, apply_global)
        if self._taker is not None:
            self._taker.basic_qos(prefetch_size, prefetch_count, apply_global)

    def close(self) -> None:
        """Close both channels."""
        if self._taker is not None:
            self._taker.close()
        super().close()

    def return_lost(self, seen: dict[bytes, float]) -> None:
        """Return entries of dead workers from `TAKING` to the queue.

        ``seen`` has the time when each entry was seen first, by its fingerprint.
        """
        with self.conn_or_acquire() as client:
            found: list[bytes] = client.eval(redis_scripts.LIST, 1, self.prefixed(TAKING), _AT_ONCE)
            now = monotonic()
            first = {mark: seen.get(mark, now) for mark in found}
            for mark in found:  # the newest first, so that the oldest is served first
                if now - first.get(mark, now) >= LOST_AFTER:  # two equal entries have one mark
                    values = (mark, redis_scripts.CUT, str(uuid4()))
                    client.eval(redis_scripts.RETURN, 2, self.prefixed(TAKING), self.prefixed(QUEUE), *values)
                    first.pop(mark, None)
            for priority in _PRIORITIES:
                with suppress(ResponseError):  # memory is full, or a key of another type: the next check tries again
                    self._move_to_queue(f"{QUEUE}{self.sep}{priority}", client)
        seen.clear()
        seen.update(first)

    def _move_to_queue(self, source: str, client: Any) -> None:
        for _ in range(_AT_ONCE):
            if client.lmove(self.prefixed(source), self.prefixed(QUEUE), "RIGHT", "LEFT") is None:
                return

    def bind_again(self) -> None:
        """Restore the bindings of the consumed queues, which FLUSHALL removes.

        kombu writes them only once, and a producer that does not find them drops its messages without an error.
        Publishers of earlier releases and plain kombu producers need them.
        """
        for queue in self.active_queues:
            for exchange, routing_key, arguments in list(self.state.queue_bindings(queue)):
                binding = self.typeof(exchange).prepare_bind(queue, exchange, routing_key, arguments)
                self._queue_bind(exchange, *binding)

    def put_back(self, note: Note | None, found: bytes, pipe: Any, *, leftmost: bool) -> None:
        """Put a note's message back into the queue that it came from. ``found`` are the note's bytes."""
        if note is None:
            pipe.rpush(QUEUE, found)
        else:
            self._do_restore_message(note.message, note.exchange, note.queue, pipe, leftmost)

    def _brpop_start(self, timeout: float | None = None) -> None:
        """Ask for the next message: with BLMOVE for a batch."""
        if not self.takes:
            super()._brpop_start(timeout)
            return
        if monotonic() < self._ask_at:
            return
        keys = (self.prefixed(QUEUE), self.prefixed(TAKING))
        blmove = ("BLMOVE", *keys, "RIGHT", "LEFT", timeout or self.brpop_timeout)
        self._in_poll = self.client.connection
        self._brpop_sent_at = monotonic()
        self._in_poll.send_command(*(("EVAL", redis_scripts.TAKE, 2, *keys) if self._full else blmove))

    def _brpop_read(self, **options: Any) -> bool:
        """Read the answer, and deliver the message if there is one."""
        if not self.takes:
            return bool(super()._brpop_read(**options))
        try:
            entry = self._answer()
        finally:
            self._in_poll = None
            self._flush_brpop_reauth()
        if entry is None:
            raise Empty
        envelope = envelope_of(entry, QUEUE)
        if self._note(entry, envelope):
            self.connection._deliver(envelope, QUEUE)  # noqa: SLF001 - as kombu's own method does
        return True

    def _answer(self) -> bytes | None:
        connection = self.client.connection
        try:
            entry: bytes | None = self.client.parse_response(connection, "EVAL" if self._full else "BLMOVE")
        except OutOfMemoryError:
            self._full = True
            return None
        except (
            *self.connection_errors,
            ReadOnlyError,
        ):  # ReadOnlyError: the master was demoted, and a new connection may reach another
            connection.disconnect()
            raise
        except ResponseError as error:  # a key of another type, for example
            self._refused(error)
            return None
        if entry is not None:
            from_redis.log_recovery()
        if self._full and entry is None:
            self._full, self._ask_at = False, monotonic() + self.brpop_timeout
        return entry

    def _note(self, entry: bytes, envelope: dict[str, Any]) -> bool:
        """Replace an entry of `TAKING` by a note under a tag that no other message has.

        Return false if another worker has taken the entry.
        """
        properties = envelope["properties"]
        producers_tag, properties["delivery_tag"] = properties["delivery_tag"], str(uuid4())
        note = dumps([envelope, QUEUE, QUEUE])
        keys = [self.prefixed(name) for name in (TAKING, self.unacked_index_key, self.unacked_key)]
        values = (redis_scripts.fingerprint(entry), properties["delivery_tag"], note, producers_tag)
        with self.conn_or_acquire() as client:
            noted = client.eval(redis_scripts.NOTE, 3, *keys, *values)
        return bool(noted)

    def prefixed(self, name: str) -> str:
        """Return a key with the operator's prefix. kombu's client adds it to the commands that it knows, and these are
        not among them.
        """
        return f"{self.global_keyprefix}{name}"


class Poller(_Poller):  # type: ignore[misc]
    """Renews notes, returns lost entries and restores bindings for all channels of a connection."""

    def __init__(self) -> None:
        super().__init__()
        self._seen: dict[bytes, float] = {}

    def on_poll_init(self, poller: Any) -> None:
        """Begin to poll. If Redis refuses the first restore, the next check tries again."""
        with suppress(ResponseError):
            super().on_poll_init(poller)

    def maybe_restore_messages(self) -> None:
        """Renew the notes of messages in progress, restore the messages of dead workers, and restore bindings.

        Redis may refuse one of these steps, for example because its memory is full. The others are done nevertheless.
        The next check tries all again.
        """
        consuming = [channel for channel in list(self._channels) if channel.active_queues]
        steps = [channel.qos.renew for channel in consuming]
        steps += [partial(channel.return_lost, self._seen) for channel in consuming[:1]]
        steps += [super().maybe_restore_messages, *(channel.bind_again for channel in consuming)]
        refusal = None
        for step in steps:
            try:
                step()
            except _Transport.connection_errors as error:  # the event loop notices a broken connection by itself
                _log.debug("the search for lost batches failed: %s", type(error).__name__)
                return
            except ResponseError as error:
                refusal = error
        if refusal is None:
            _restoring.back()
        else:
            _restoring.away("the restore of the batches of dead workers", refusal)


class Transport(_Transport):  # type: ignore[misc]
    """kombu's Redis transport with these channels and this poller."""

    Channel = Channel

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.cycle = Poller()
