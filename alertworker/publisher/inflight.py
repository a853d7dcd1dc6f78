"""Calls in flight. A call is announced only after it made no progress for the threshold."""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

#: How many calls are watched at once. Of a proxy with more calls in flight, the oldest are watched.
MAX_CALLS: Final = 50_000
#: The age from which a call is no longer watched, in seconds: 24 h.
MAX_AGE: Final = 86_400.0
#: With a threshold below this, in seconds, every call is slow: LiteLLM's alerting page sets 0.0001 to test the alerts
#: about slow calls. Such a call does not hang, so it is announced only after `HANGING_AGE`. A fast call is one event.
MIN_AGE: Final = 1.0
HANGING_AGE: Final = 10.0
#: An announced call is announced again at most this often, in seconds.
MIN_REPEAT: Final = 60.0


@dataclass(slots=True)
class _Call:
    describe: Callable[[], Mapping[str, object]]
    began: float
    progress: float
    chunks: int = 0
    announced: bool = False


class InFlight:
    """The calls of one process. `start`, `progress` and `finish` are safe in any thread and take about a microsecond.

    ``threshold_seconds`` is LiteLLM's ``alerting_threshold``. ``on_start`` is called for each call that starts. The
    first call of a process may hang before any event was published, and a thread must then poll `announcements`.
    """

    def __init__(
        self,
        threshold_seconds: float,
        *,
        on_start: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.threshold_seconds = threshold_seconds
        self._on_start = on_start
        self._clock = clock
        self._calls: dict[str, _Call] = {}
        self._due: list[tuple[float, str]] = []

    def __len__(self) -> int:
        """Return the number of watched calls."""
        return len(self._calls)

    def start(self, call_id: str, describe: Callable[[], Mapping[str, object]]) -> None:
        """Watch a call. ``describe`` returns the fields of its events and is called only for an announcement."""
        if len(self._calls) >= MAX_CALLS:
            return
        now = self._clock()
        self._calls[call_id] = _Call(describe, now, now)
        heapq.heappush(self._due, (now + self._patience(), call_id))
        self._on_start()

    def progress(self, call_id: str) -> None:
        """Record a chunk: a stream is alive while chunks arrive."""
        call = self._calls.get(call_id)
        if call is not None:
            call.progress = self._clock()
            call.chunks += 1

    def finish(self, call_id: str) -> bool:
        """Stop watching a call that ended; return whether it was announced, which its last event contains."""
        call = self._calls.pop(call_id, None)
        return call is not None and call.announced

    def clear(self) -> None:
        """Forget all calls: a forked child has none of its own yet."""
        self._calls.clear()
        self._due.clear()

    def announcements(self) -> Iterator[dict[str, object]]:
        """Return the fields of each announcement that is due, as mappings to publish."""
        now = self._clock()
        while self._due and self._due[0][0] <= now:
            _, call_id = heapq.heappop(self._due)
            call = self._calls.get(call_id)
            if call is None:
                continue
            if now - call.began > MAX_AGE:
                self._calls.pop(call_id, None)
                continue
            due = call.progress + self._patience()
            if due > now:
                heapq.heappush(self._due, (due, call_id))
                continue
            call.announced = True
            heapq.heappush(self._due, (now + max(self._patience(), MIN_REPEAT), call_id))
            yield self._announcement(call_id, call, now)

    def _patience(self) -> float:
        return self.threshold_seconds if self.threshold_seconds >= MIN_AGE else HANGING_AGE

    @staticmethod
    def _announcement(call_id: str, call: _Call, now: float) -> dict[str, object]:
        wall = time.time()
        age = now - call.progress
        return {
            **call.describe(),
            "type": "llm.request.announced",
            "call_id": call_id,
            "started_at": datetime.fromtimestamp(wall - (now - call.began), UTC),
            "last_progress_at": datetime.fromtimestamp(wall - age, UTC),
            "age_seconds": age,
            "chunks": call.chunks,
        }
