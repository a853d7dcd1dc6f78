"""What a worker logs while the database or the broker is away: one line at first, and one a minute."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from alertworker.errors import LineUnavailable, StoreUnavailable

_log: Final = logging.getLogger("alertworker.tasks")
#: How often a worker that waits says so, in seconds.
_EVERY: Final = 60.0


class AwayLog:
    """Logs that something is away, and that it is back. Threads of a worker share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._logged_at: float | None = None

    def away(self, what: str, error: Exception) -> None:
        """Log that ``what`` waits for ``error`` to end, unless that was logged less than a minute ago."""
        with self._lock:
            now = time.monotonic()
            due = self._logged_at is None or now - self._logged_at >= _EVERY
            if due:
                self._logged_at = now
        if due:
            _log.warning("%s waits: %s", what, error)

    def back(self) -> None:
        """Log that it is back, if it was away."""
        with self._lock:
            was_away, self._logged_at = self._logged_at is not None, None
        if was_away:
            _log.warning("the database and the broker are back")

    @contextmanager
    def skipping(self, what: str) -> Iterator[None]:
        """Run a task that may be skipped, since its next run does the same: while something is away it does nothing."""
        try:
            yield
        except (StoreUnavailable, LineUnavailable) as error:
            self.away(what, error)
        else:
            self.back()
