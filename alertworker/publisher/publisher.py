"""The publisher: a bounded buffer in front of one background thread. Nothing of ours ever reaches the host."""

from __future__ import annotations

import atexit
import logging
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
from typing import Any, Final, cast

from alertworker import __version__
from alertworker.errors import BatchRefused, LineUnavailable
from alertworker.events import EVENT, Event, PublisherCounters, PublisherHeartbeat, PublisherStopped
from alertworker.events.base import new_id
from alertworker.events.batch import MAX_BATCH_EVENTS, SealedBatch, seal
from alertworker.publisher.backoff import Backoff
from alertworker.publisher.inflight import InFlight
from alertworker.publisher.spool import Spool
from alertworker.publisher.transports import Transport

_log = logging.getLogger("alertworker.publisher")

#: How often the thread looks for events while the host is about to end, in seconds.
_HURRY: Final = 0.005
#: How many events are encoded before the thread lets others run: keeps pauses of the host's event loop short.
_SLICE: Final = 20
#: How many sealed events wait in memory while neither the broker nor the disk takes them.
_MAX_HELD: Final = 50_000
#: The longest wait between two tries to reach the broker, in seconds.
_MAX_BACKOFF: Final = 3.0


class Publisher:
    """Takes events from any thread or event loop and sends them in sealed batches.

    ``batch_seconds`` is how long an event waits for company; ``buffer_events`` bounds what waits in memory, the oldest
    goes first; ``spool_bytes`` bounds the spool. The thread starts with the first event or call, also after a fork.
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
        #: What publishes through it ("litellm"); said in every heartbeat.
        self.integration: str | None = None
        #: Applied to each mapping before it is validated, in the publisher's thread. It must not raise.
        self.prepare: Callable[[Mapping[str, Any]], Mapping[str, Any]] = dict
        self.inflight = InFlight(threshold_seconds, on_start=self._start)
        self._buffer: deque[Event | dict[str, Any]] = deque(maxlen=buffer_events)
        self._closing = False
        self._thread: threading.Thread | None = None
        self._begin()
        os.register_at_fork(after_in_child=self._begin)
        atexit.register(self.close)

    @property
    def threshold_seconds(self) -> float:
        """From which age on a call without progress is announced, in seconds."""
        return self.inflight.threshold_seconds

    @threshold_seconds.setter
    def threshold_seconds(self, seconds: float) -> None:
        self.inflight.threshold_seconds = seconds

    def publish(self, event: Event | Mapping[str, Any]) -> None:
        """Append and return.

        A mapping is prepared and validated later, in the thread, and dropped with a count if it is invalid.
        Without ``occurred_at`` a mapping happened now.
        """
        if isinstance(event, Mapping):
            event = {"occurred_at": datetime.now(UTC), **event}
        buffer = self._buffer
        if len(buffer) == buffer.maxlen:
            self._dropped["buffer_full"] += 1
        buffer.append(event)
        self._published += 1
        self._start()
        if len(buffer) == MAX_BATCH_EVENTS:
            self._wake.put(None)

    def stats(self) -> PublisherCounters:
        """Give what was published, sent, spooled, replayed and dropped so far."""
        return PublisherCounters(
            published=self._published,
            sent=self._sent,
            spooled=self._spooled,
            replayed=self._replayed,
            dropped=dict(self._dropped),
        )

    def close(self, deadline: float = 3.0) -> None:
        """Send what there is within ``deadline`` seconds, spool the rest, and say goodbye."""
        thread = self._thread
        if thread is None or self._closing:
            return
        self._closing = True
        self._wake.put(None)
        thread.join(deadline)

    def expect_end(self) -> None:
        """Take notice that the host was told to end: send what still comes at once, and say goodbye when no call runs.

        For hosts that end without running their exit handlers. Safe to call in a signal handler.
        """
        self._end_expected = True
        self._wake.put(None)

    def _begin(self) -> None:
        """Start afresh: at first, and in the child of a fork, which owns nothing of its parent's."""
        self.boot_id = str(new_id())
        self._started_at = datetime.now(UTC)
        self._buffer.clear()
        self.inflight.clear()
        self._held: deque[SealedBatch] = deque()
        self._wake: SimpleQueue[None] = SimpleQueue()  # reentrant, unlike an event: a signal handler may put
        self._starting = threading.Lock()
        self._thread = None
        self._closing = self._end_expected = False
        self._bade_farewell_at = -1
        self._published = self._sent = self._spooled = self._replayed = 0
        self._dropped: Counter[str] = Counter()
        self._spool = Spool(self._spool_folder, self.boot_id, max_bytes=self._spool_bytes)
        self._backoff = Backoff(_MAX_BACKOFF)
        self._next_heartbeat = 0.0
        self._next_adoption = 0.0
        self._warned: set[str] = set()

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
            except Exception as error:  # noqa: BLE001 - the host's boundary: nothing may reach it or end the publishing
                # Without the exception's own text, which may repeat an address with its password, or an event.
                where = "".join(traceback.format_tb(error.__traceback__))
                self._warn(f"a turn of the publisher failed: {type(error).__name__}\n{where}")
            if closing:
                self._goodbye()
                return
            if self._end_expected and not self._buffer and not len(self.inflight):
                self._farewell()
            with suppress(Empty):
                self._wake.get(timeout=_HURRY if self._end_expected else self._batch_seconds)

    def _turn(self) -> None:
        for fields in self.inflight.announcements():
            self.publish(fields | {"boot_id": self.boot_id})
        while self._buffer:
            batch = self._seal()
            if batch is not None:
                self._held.append(batch)
                self._drain()
        self._drain()
        self._beat()

    def _seal(self) -> SealedBatch | None:
        encoded: list[bytes] = []
        while self._buffer and len(encoded) < MAX_BATCH_EVENTS:
            event = self._buffer.popleft()
            try:
                valid = cast("Event", EVENT.validate_python(self.prepare(event))) if isinstance(event, dict) else event
                encoded.append(valid.model_dump_json(exclude_none=True).encode())
            except ValueError as error:
                self._dropped["invalid"] += 1
                self._warn(f"an invalid event was dropped: {type(error).__name__}")
                continue
            if len(encoded) % _SLICE == 0:
                time.sleep(0)  # lets the host's threads have the interpreter
        if not encoded:
            return None
        return seal(encoded, batch_id=str(new_id()), producer=self.boot_id, sealed_at=datetime.now(UTC))

    def _drain(self) -> None:
        """Send what was spooled, then what is held, in order; what cannot go now is spooled."""
        now = time.monotonic()
        if self._backoff.over and (self._held or len(self._spool) or now >= self._next_adoption):
            try:
                self._send_waiting(now)
            except LineUnavailable as error:
                self._backoff.failed()
                self._warn(str(error))
            else:
                self._backoff.succeeded()
                if not self._dropped["refused"]:
                    self._warned.clear()
            finally:  # whatever was raised, what is held must outlive this process
                self._put_aside()
        else:
            self._put_aside()

    def _send_waiting(self, now: float) -> None:
        self._replay(now)
        while self._held:
            self._deliver(self._held[0])
            self._held.popleft()

    def _replay(self, now: float) -> None:
        if now >= self._next_adoption:
            self._next_adoption = now + 10.0
            try:
                self._spool.adopt()
            except OSError as error:
                self._warn(f"the spool cannot be looked through ({type(error).__name__})")
        for path, batch in list(self._spool.batches()):
            self._replayed += self._deliver(batch)
            self._spool.remove(path)

    def _deliver(self, batch: SealedBatch) -> int:
        """Send a batch; gives how many events arrived: none where nobody will ever take it, so that others go on."""
        try:
            self._transport.send(batch)
        except BatchRefused as error:
            self._dropped["refused"] += batch.count
            self._warn(str(error))
            return 0
        self._sent += batch.count
        return batch.count

    def _put_aside(self) -> None:
        """Spool what the broker did not take; a disk that takes nothing leaves a bound in memory."""
        try:
            while self._held:
                dropped = self._spool.add(self._held[0])
                self._spooled += self._held.popleft().count
                if dropped:
                    self._dropped["spool_full"] += dropped
        except OSError as error:
            self._warn(f"the spool cannot be written ({type(error).__name__})")
        while sum(batch.count for batch in self._held) > _MAX_HELD:
            self._dropped["spool_unwritable"] += self._held.popleft().count

    def _facts(self) -> dict[str, Any]:
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
        return len(self._buffer) + len(self._spool) + sum(batch.count for batch in self._held)

    def _beat(self) -> None:
        """Send a heartbeat past the spool: a stale one is worth nothing."""
        now = time.monotonic()
        if now < self._next_heartbeat or not self._backoff.over:
            return
        self._next_heartbeat = now + self._heartbeat_seconds
        beat = PublisherHeartbeat(
            **self._facts(),
            backlog=self._backlog(),
            inflight=len(self.inflight),
            interval_seconds=self._heartbeat_seconds,
        )
        self._say(self._alone(beat))

    def _farewell(self) -> None:
        """Say goodbye, again only when more was published since; it may wait in the spool like any event."""
        if self._bade_farewell_at != self._published:
            self._bade_farewell_at = self._published
            goodbye = self._alone(PublisherStopped(**self._facts(), unsent=self._backlog()))
            if not self._say(goodbye):
                self._held.append(goodbye)
                self._put_aside()

    def _goodbye(self) -> None:
        self._farewell()
        try:
            self._spool.close()
        except OSError as error:
            self._warn(f"the spool cannot be closed ({type(error).__name__})")
        self._transport.close()

    def _alone(self, event: Event) -> SealedBatch:
        body = event.model_dump_json(exclude_none=True).encode()
        return seal([body], batch_id=str(new_id()), producer=self.boot_id, sealed_at=datetime.now(UTC))

    def _say(self, batch: SealedBatch) -> bool:
        """Send past the spool; true when the broker has it."""
        try:
            with suppress(BatchRefused):
                self._transport.send(batch)
        except LineUnavailable as error:
            self._backoff.failed()
            self._warn(str(error))
            return False
        return True

    def _warn(self, problem: str) -> None:
        """Log a problem once: a publisher without a broker must not fill the host's log."""
        if problem not in self._warned:
            self._warned.add(problem)
            _log.warning("alertworker: %s; see the publisher's counters", problem)
