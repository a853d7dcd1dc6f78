"""The outbox: sealed batches that wait for the broker, in memory and in the spool."""

from __future__ import annotations

import time
from collections import Counter, deque
from contextlib import suppress
from typing import Final

from alertworker.errors import BatchRefused, BrokerUnavailable
from alertworker.events.batch import SealedBatch
from alertworker.publisher.backoff import Backoff
from alertworker.publisher.problems import Problems
from alertworker.publisher.spool import Spool
from alertworker.publisher.transports import Transport

#: How many sealed events wait in memory while neither the broker nor the disk accepts them.
_MAX_HELD: Final = 50_000
#: The longest wait between two tries to reach the broker, in seconds.
_MAX_BACKOFF: Final = 3.0
#: How often the spools of processes that died are looked for, in seconds.
_ADOPTION: Final = 10.0


class Outbox:
    """Sends batches in order. A batch that the broker does not accept now is spooled and sent later under the same id.

    One thread uses an outbox. Another thread may read its counters, which count events: ``dropped`` by reason.
    """

    def __init__(self, transport: Transport, spool: Spool, problems: Problems) -> None:
        self._transport = transport
        self._spool = spool
        self._problems = problems
        self._held: deque[SealedBatch] = deque()
        self._backoff = Backoff(_MAX_BACKOFF)
        self._next_adoption = 0.0
        self.sent = self.spooled = self.replayed = 0
        self.dropped: Counter[str] = Counter()

    def __len__(self) -> int:
        """Return the number of waiting events."""
        return len(self._spool) + sum(batch.count for batch in self._held)

    @property
    def may_try(self) -> bool:
        """Whether the wait after the last failure is over."""
        return self._backoff.is_over

    def put(self, batch: SealedBatch) -> None:
        """Send a batch behind all others."""
        self._held.append(batch)
        self.drain()

    def keep(self, batch: SealedBatch) -> None:
        """Spool a batch behind all others, without a try to send it."""
        self._held.append(batch)
        self._spool_held()

    def drain(self) -> None:
        """Send the spooled batches, then those in memory, in order. Spool what the broker does not accept now."""
        now = time.monotonic()
        if self.may_try and (self._held or len(self._spool) or now >= self._next_adoption):
            try:
                self._send_waiting(now)
            except BrokerUnavailable as error:
                self._failed(error)
            else:
                self._backoff.succeeded()
                if not self.dropped["refused"]:
                    self._problems.forget()
            finally:  # whatever was raised, the batches in memory must outlive this process
                self._spool_held()
        else:
            self._spool_held()

    def send_first(self, batch: SealedBatch) -> bool:
        """Send a batch before all others; return whether the broker has it, or will never accept it.

        The batch is neither counted nor spooled.
        """
        try:
            with suppress(BatchRefused):
                self._transport.send(batch)
        except BrokerUnavailable as error:
            self._failed(error)
            return False
        return True

    def close(self) -> None:
        """Close the spool and the transport. Waiting batches stay in the spool."""
        try:
            self._spool.close()
        except OSError as error:
            self._problems.warn(f"the spool cannot be closed ({type(error).__name__})")
        self._transport.close()

    def _send_waiting(self, now: float) -> None:
        self._replay(now)
        while self._held:
            self._send(self._held[0])
            self._held.popleft()

    def _replay(self, now: float) -> None:
        if now >= self._next_adoption:
            self._next_adoption = now + _ADOPTION
            try:
                self._spool.adopt()
            except OSError as error:
                self._problems.warn(f"the spool cannot be read ({type(error).__name__})")
        try:
            for path, batch in self._spool.batches():
                self.replayed += self._send(batch)
                self._spool.remove(path)
        finally:
            if self._spool.lost > self.dropped["spool_lost"]:
                self.dropped["spool_lost"] = self._spool.lost
                self._problems.warn("a spooled batch is gone or cannot be read")

    def _send(self, batch: SealedBatch) -> int:
        """Send a batch; return how many events arrived: 0 if it will never be accepted, so that others follow."""
        try:
            self._transport.send(batch)
        except BatchRefused as error:
            self.dropped["refused"] += batch.count
            self._problems.warn(str(error))
            return 0
        self.sent += batch.count
        return batch.count

    def _spool_held(self) -> None:
        """Spool the batches in memory. If the disk accepts none, drop the oldest above a bound."""
        try:
            while self._held:
                dropped = self._spool.add(self._held[0])
                self.spooled += self._held.popleft().count
                if dropped:
                    self.dropped["spool_full"] += dropped
        except OSError as error:
            self._problems.warn(f"the spool cannot be written ({type(error).__name__})")
        while sum(batch.count for batch in self._held) > _MAX_HELD:
            self.dropped["spool_unwritable"] += self._held.popleft().count

    def _failed(self, error: BrokerUnavailable) -> None:
        self._backoff.failed(at_least=error.retry_after)
        self._problems.warn(str(error))
