"""Cached figures of the store and the broker: at most one query every 2 s, however many clients ask."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from threading import Lock
from typing import Final, Generic, TypeVar

from alertworker.store import HealthSnapshot

T = TypeVar("T")
#: How long a cached answer is reused, in seconds.
_FRESH: Final = 2.0


class TtlCache(Generic[T]):
    """An answer that is reused for ``seconds``. Callers wait while a new answer is being fetched."""

    def __init__(self, ask: Callable[[datetime], T], *, seconds: float) -> None:
        self._ask = ask
        self._seconds = seconds
        self._lock = Lock()
        self._answer: T | None = None
        self._until = 0.0

    def read(self, now: datetime) -> T:
        """Return the cached answer, or fetch a new one. An error is not cached."""
        with self._lock:
            if self._answer is None or time.monotonic() >= self._until:
                self._answer = None
                self._answer = self._ask(now)
                self._until = time.monotonic() + self._seconds
            return self._answer


class CachedHealth:
    """``read`` returns figures of the store. ``ask_broker`` returns the queue length, or raises `BrokerUnavailable`."""

    def __init__(self, read: Callable[[datetime], HealthSnapshot], ask_broker: Callable[[], int]) -> None:
        self._snapshot = TtlCache(read, seconds=_FRESH)
        self._queued = TtlCache(lambda _now: ask_broker(), seconds=_FRESH)

    def snapshot(self, now: datetime) -> HealthSnapshot:
        """Return figures that are at most 2 s old.

        Raises:
            StoreUnavailable: the database cannot be queried.
        """
        return self._snapshot.read(now)

    def queued(self, now: datetime) -> int:
        """Return how many batches wait in the broker's queue. The figure is at most 2 s old.

        Raises:
            BrokerUnavailable: the broker does not answer, or refuses writes.
        """
        return self._queued.read(now)
