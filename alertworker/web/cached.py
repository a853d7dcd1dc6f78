"""Questions to the store and the broker, asked of them at most every other second however many ask."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from threading import Lock
from typing import Final, Generic, TypeVar

from alertworker.store import HealthSnapshot

T = TypeVar("T")
#: For how long an answer is given again, in seconds.
_FRESH: Final = 2.0


class TtlCache(Generic[T]):
    """An answer that is given again for so many ``seconds``; whoever asks while it is fetched waits for it."""

    def __init__(self, ask: Callable[[datetime], T], *, seconds: float) -> None:
        self._ask = ask
        self._seconds = seconds
        self._lock = Lock()
        self._answer: T | None = None
        self._until = 0.0

    def read(self, now: datetime) -> T:
        """Give the answer; an error is not kept."""
        with self._lock:
            if self._answer is None or time.monotonic() >= self._until:
                self._answer = None
                self._answer = self._ask(now)
                self._until = time.monotonic() + self._seconds
            return self._answer


class CachedHealth:
    """``read`` returns the store's figures, ``ask_broker`` how many batches wait, or raises `LineUnavailable`."""

    def __init__(self, read: Callable[[datetime], HealthSnapshot], ask_broker: Callable[[], int]) -> None:
        self._kept = TtlCache(read, seconds=_FRESH)
        self._queued = TtlCache(lambda _now: ask_broker(), seconds=_FRESH)

    def readings(self, now: datetime) -> HealthSnapshot:
        """Give figures that are two seconds old at the most.

        Raises:
            StoreUnavailable: when the database cannot be asked.
        """
        return self._kept.read(now)

    def queued(self, now: datetime) -> int:
        """Return how many batches wait in the broker's queue, two seconds ago at most.

        Raises:
            LineUnavailable: the broker does not answer, or refuses writes.
        """
        return self._queued.read(now)
