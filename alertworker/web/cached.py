"""The health of store and broker, asked for at most once in two seconds."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from threading import Lock
from typing import Final, Generic, TypeVar

from alertworker.store import HealthSnapshot

T = TypeVar("T")
#: For how long an answer is reused, in seconds.
_FRESH: Final = 2.0


class TtlCache(Generic[T]):
    """An answer that is reused for so many ``seconds``. A caller that comes while it is fetched waits for it."""

    def __init__(self, ask: Callable[[datetime], T], *, seconds: float) -> None:
        self._ask = ask
        self._seconds = seconds
        self._lock = Lock()
        self._answer: T | None = None
        self._until = 0.0

    def read(self, now: datetime) -> T:
        """Return the answer; an error is not cached."""
        with self._lock:
            if self._answer is None or time.monotonic() >= self._until:
                self._answer = None
                self._answer = self._ask(now)
                self._until = time.monotonic() + self._seconds
            return self._answer


class CachedHealth:
    """``read`` returns the store's figures, ``ask_broker`` how many batches wait, or raises `LineUnavailable`."""

    def __init__(self, read: Callable[[datetime], HealthSnapshot], ask_broker: Callable[[], int]) -> None:
        self._snapshot = TtlCache(read, seconds=_FRESH)
        self._queued = TtlCache(lambda _now: ask_broker(), seconds=_FRESH)

    def snapshot(self, now: datetime) -> HealthSnapshot:
        """Return figures that are at most two seconds old.

        Raises:
            StoreUnavailable: The database does not answer.
        """
        return self._snapshot.read(now)

    def queued(self, now: datetime) -> int:
        """Return how many batches wait in the broker's queue, two seconds ago at most.

        Raises:
            LineUnavailable: The broker does not answer, or refuses writes.
        """
        return self._queued.read(now)
