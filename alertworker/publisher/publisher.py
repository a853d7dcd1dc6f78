"""The publisher: a bounded buffer in front of one background thread. No exception of ours reaches the host."""

from __future__ import annotations

import atexit
import os
import socket
import threading
import time
import traceback
from collections import Counter, deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Final

from alertworker import __version__
from alertworker.events import EVENT, Event, PublisherCounters, PublisherHeartbeat, PublisherStopped
from alertworker.events.base import new_id
from alertworker.events.batch import MAX_BATCH_EVENTS, SealedBatch, seal
from alertworker.publisher.inflight import InFlight
from alertworker.publisher.outbox import Outbox
from alertworker.publisher.problems import Problems
from alertworker.publisher.spool import Spool
from alertworker.publisher.transports import Transport

#: How often the thread looks for events once the host is about to end, in seconds.
_HURRY: Final = 0.005
#: How many events are encoded before the thread lets other threads run. This keeps the host's event loop responsive.
_SLICE: Final = 20


class Publisher:
    """Takes events from any thread or event loop and sends them in sealed batches.

    An event waits up to ``batch_seconds`` for others. ``buffer_events`` bounds the events in memory; the oldest is
    dropped first. ``spool_bytes`` bounds the spool. The thread starts with the first event or call, also after a fork.
    """

    def __init__(
        self,
        transport: Transport,
        spool_folder: Path,
        *,
        threshold_seconds: float = 300.0,
        batch_seconds: float = 0.1,
        heartbeat_seconds: float = 10.0,
        buffer_events: int = 100_000,
        spool_bytes: int = 256 * 1024 * 1024,
    ) -> None:
        self._transport = transport
        self._spool_folder = spool_folder
        self._spool_bytes = spool_bytes
        self._batch_seconds = batch_seconds
        self._heartbeat_seconds = heartbeat_seconds
        #: The integration that publishes ("litellm"), as heartbeats report it.
        self.integration: str | None = None
        #: Applied to each mapping before its validation, in the publisher's thread. It must not raise.
        self.prepare: Callable[[Mapping[str, object]], Mapping[str, object]] = dict
        self.inflight = InFlight(threshold_seconds, on_start=self._start)
        self._buffer: deque[Event | Mapping[str, object]] = deque(maxlen=buffer_events)
        self._closing = False
        self._thread: threading.Thread | None = None
        self._begin()
        os.register_at_fork(after_in_child=self._begin)
        atexit.register(self.close)

    @property
    def threshold_seconds(self) -> float:
        """The age from which a call without progress is announced, in seconds."""
        return self.inflight.threshold_seconds

    @threshold_seconds.setter
    def threshold_seconds(self, seconds: float) -> None:
        self.inflight.threshold_seconds = seconds

    def publish(self, event: Event | Mapping[str, object]) -> None:
        """Append an event to the buffer.

        The thread prepares and validates a mapping later. It drops and counts an invalid one. Without ``occurred_at``
        a mapping happened now, or at its ``ended_at``. Anything else than an event or a mapping is dropped and counted,
        too.
        """
        if isinstance(event, Mapping):
            with suppress(Exception):  # a mapping that cannot be read stays as it is, and is invalid
                event = dict(event) if "ended_at" in event else {"occurred_at": datetime.now(UTC), **event}
        buffer = self._buffer
        if len(buffer) == buffer.maxlen:
            self._dropped["buffer_full"] += 1
        buffer.append(event)
        self._published += 1
        self._start()
        if len(buffer) == MAX_BATCH_EVENTS:
            self._wake.put(None)

    def stats(self) -> PublisherCounters:
        """Return how many events were published, sent, spooled, replayed and dropped so far."""
        return PublisherCounters(
            published=self._published,
            sent=self._outbox.sent,
            spooled=self._outbox.spooled,
            replayed=self._outbox.replayed,
            dropped=dict(self._dropped) | dict(self._outbox.dropped),
        )

    def close(self, deadline: float = 3.0) -> None:
        """Send all events within ``deadline`` seconds, spool the rest, and announce the clean shutdown."""
        thread = self._thread
        if thread is None or self._closing:
            return
        self._closing = True
        self._wake.put(None)
        thread.join(deadline)

    def expect_end(self) -> None:
        """Prepare for the end of the host: send further events at once, and announce the shutdown when no call runs.

        For hosts that end without running their exit handlers. Safe to call in a signal handler.
        """
        self._end_expected = True
        self._wake.put(None)

    def _begin(self) -> None:
        """Reset all state: at first, and in a forked child, which owns nothing of its parent."""
        self.boot_id = str(new_id())
        self._started_at = datetime.now(UTC)
        self._buffer.clear()
        self.inflight.clear()
        self._wake: SimpleQueue[None] = SimpleQueue()  # reentrant, unlike an Event: a signal handler may put
        self._starting = threading.Lock()
        self._thread = None
        self._closing = self._end_expected = False
        self._announced_at = -1
        self._published = 0
        self._dropped: Counter[str] = Counter()
        self._problems = Problems()
        spool = Spool(self._spool_folder, self.boot_id, max_bytes=self._spool_bytes)
        self._outbox = Outbox(self._transport, spool, self._problems)
        self._next_heartbeat = 0.0

    def _start(self) -> None:
        if self._thread is not None:
            return
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="alertworker-publisher", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while True:
            closing = self._closing
            try:
                self._turn()
            except Exception as error:  # noqa: BLE001 - the host's boundary: no exception may reach it or end the thread
                # Without the exception's own text, which may contain a URL with its password, or an event.
                where = "".join(traceback.format_tb(error.__traceback__))
                self._problems.warn(f"a cycle of the publisher failed: {type(error).__name__}\n{where}")
            if closing:
                self._shut_down()
                return
            if self._end_expected and not self._buffer and not len(self.inflight):
                self._announce_shutdown()
            with suppress(Empty):
                self._wake.get(timeout=_HURRY if self._end_expected else self._batch_seconds)

    def _turn(self) -> None:
        for fields in self.inflight.announcements():
            self.publish(fields | {"boot_id": self.boot_id})
        while self._buffer:
            batch = self._seal()
            if batch is not None:
                self._outbox.put(batch)
        self._outbox.drain()
        self._beat()

    def _seal(self) -> SealedBatch | None:
        encoded: list[bytes] = []
        while self._buffer and len(encoded) < MAX_BATCH_EVENTS:
            event = self._buffer.popleft()
            try:
                encoded.append(self._encode(event))
            except Exception as error:  # noqa: BLE001 - whatever one event does, the others of its batch are sent
                self._dropped["invalid"] += 1
                self._problems.warn(f"an invalid event was dropped: {type(error).__name__}")
                continue
            if len(encoded) % _SLICE == 0:
                time.sleep(0)  # lets the host's threads have the interpreter
        if not encoded:
            return None
        return seal(encoded, batch_id=str(new_id()), producer=self.boot_id, sealed_at=datetime.now(UTC))

    def _encode(self, event: object) -> bytes:
        """Return the JSON of an event. A producer may have published anything: no event, or a mapping without end."""
        if isinstance(event, dict):
            event = EVENT.validate_python(self.prepare(event))
        if not isinstance(event, Event):
            raise TypeError
        return event.model_dump_json(exclude_none=True).encode()

    def _facts(self) -> dict[str, object]:
        return {
            "boot_id": self.boot_id,
            "host": socket.gethostname()[:256],
            "pid": os.getpid(),
            "version": __version__,
            "integration": self.integration,
            "started_at": self._started_at,
            "counters": self.stats(),
        }

    def _backlog(self) -> int:
        return len(self._buffer) + len(self._outbox)

    def _beat(self) -> None:
        """Send a heartbeat before all waiting batches: a late one has no use."""
        now = time.monotonic()
        if now < self._next_heartbeat or not self._outbox.may_try:
            return
        self._next_heartbeat = now + self._heartbeat_seconds
        beat = PublisherHeartbeat(
            **self._facts(),
            backlog=self._backlog(),
            inflight=len(self.inflight),
            interval_seconds=self._heartbeat_seconds,
        )
        self._outbox.send_first(self._alone(beat))

    def _announce_shutdown(self) -> None:
        """Send `PublisherStopped`, again only if more was published since. It may wait in the spool like any event."""
        if self._announced_at != self._published:
            self._announced_at = self._published
            stopped = self._alone(PublisherStopped(**self._facts(), unsent=self._backlog()))
            if not self._outbox.send_first(stopped):
                self._outbox.keep(stopped)

    def _shut_down(self) -> None:
        self._announce_shutdown()
        self._outbox.close()

    def _alone(self, event: Event) -> SealedBatch:
        body = event.model_dump_json(exclude_none=True).encode()
        return seal([body], batch_id=str(new_id()), producer=self.boot_id, sealed_at=datetime.now(UTC))
