"""Cached figures of the store and the broker: at most one query every 2 s, however many clients ask.

Whether the database can be written is checked at most every 5 s, because the check takes SQLite's write lock.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import datetime
from threading import Lock
from typing import Final, Generic, TypeVar

from alertworker.errors import AlertWorkerError, BrokerUnavailable, StoreUnavailable
from alertworker.store import HealthSnapshot

T = TypeVar("T")
#: How long a cached answer is reused, in seconds.
_FRESH: Final = 2.0
#: The same for the check whether the database can be written. Beat checks it as often.
_WRITES_FRESH: Final = 5.0
#: How long a client waits for an answer that is being fetched, in seconds.
PATIENCE: Final = 5.0


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


class SharedAnswer(Generic[T]):
    """An answer or an error that all clients share.

    One thread at a time fetches a new one, so clients of an unavailable database use up neither threads nor
    connections. ``away`` is the error for a client after `PATIENCE` seconds. An answer is reused for ``seconds``.
    """

    def __init__(self, ask: Callable[[datetime], T], away: AlertWorkerError, *, seconds: float = _FRESH) -> None:
        self._ask = ask
        self._away = away
        self._seconds = seconds
        self._fetching: asyncio.Task[T | Exception] | None = None
        self._until = 0.0

    async def read(self, now: datetime) -> T:
        """Return the shared answer or raise the shared error. Fetch a new one if it is too old."""
        if self._fetching is None or (self._fetching.done() and time.monotonic() >= self._until):
            self._fetching = asyncio.create_task(self._fetch(now))
        try:
            done = self._fetching.done()
            answer = (
                self._fetching.result() if done else await asyncio.wait_for(asyncio.shield(self._fetching), PATIENCE)
            )
        except TimeoutError:
            raise self._away from None
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def _fetch(self, now: datetime) -> T | Exception:
        try:
            return await asyncio.to_thread(self._ask, now)
        except Exception as error:  # noqa: BLE001 - each client raises it
            return error
        finally:
            self._until = time.monotonic() + self._seconds


class CachedHealth:
    """``read`` returns figures of the store. ``ask_broker`` returns the queue length, or raises `BrokerUnavailable`.

    ``find_write_problem`` returns why the database cannot be written, ``None`` if it can.
    """

    def __init__(
        self,
        read: Callable[[datetime], HealthSnapshot],
        ask_broker: Callable[[], int],
        find_write_problem: Callable[[], str | None],
    ) -> None:
        late = f"has not answered for {PATIENCE:g} s"
        away = StoreUnavailable(f"the database {late}")
        self._snapshot = SharedAnswer(read, away)
        self._writes = SharedAnswer(lambda _now: find_write_problem(), away, seconds=_WRITES_FRESH)
        self._queued = SharedAnswer(lambda _now: ask_broker(), BrokerUnavailable(f"the broker {late}"))

    async def snapshot(self, now: datetime) -> HealthSnapshot:
        """Return figures that are at most 2 s old.

        Raises:
            StoreUnavailable: the database cannot be queried.
        """
        return await self._snapshot.read(now)

    async def write_problem(self, now: datetime) -> str | None:
        """Return why the database cannot be written, ``None`` if it can. The answer is at most 5 s old.

        Raises:
            StoreUnavailable: the check took too long.
        """
        return await self._writes.read(now)

    async def queued(self, now: datetime) -> int:
        """Return how many batches wait in the broker's queue. The figure is at most 2 s old.

        Raises:
            BrokerUnavailable: the broker does not answer, or refuses writes.
        """
        return await self._queued.read(now)
