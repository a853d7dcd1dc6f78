"""The log of workers and beat while the database or the broker is away: one line at once, then one a minute."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from alertworker.errors import BrokerUnavailable, StoreUnavailable

_log: Final = logging.getLogger(__name__)
#: The minimum time between two log lines about the same wait, in seconds.
_EVERY: Final = 60.0


class AwayLog:
    """Logs that a service is away, and that it is back. All threads of a process share one object.

    ``needs`` names the services that the process waits for. ``check`` raises an error if one of them is still away.
    """

    def __init__(self, needs: str = "the database and the broker", *, check: Callable[[], None] = lambda: None) -> None:
        self._needs = needs
        self._check = check
        self._lock = threading.Lock()
        self._logged_at: float | None = None

    def away(self, what: str, error: Exception) -> None:
        """Log that the task ``what`` waits because of ``error``, unless a wait was logged less than a minute ago."""
        with self._lock:
            now = time.monotonic()
            due = self._logged_at is None or now - self._logged_at >= _EVERY
            if due:
                self._logged_at = now
        if due:
            _log.warning("%s waits: %s", what, error)

    def back(self) -> None:
        """Log that the services answered, if a wait was logged before.

        Work that only reads also succeeds on a database that cannot be written, so that is checked first.
        """
        if self._logged_at is None:
            return
        try:
            self._check()
        except (StoreUnavailable, BrokerUnavailable):
            return
        with self._lock:
            was_away, self._logged_at = self._logged_at is not None, None
        if was_away:
            _log.warning("%s answered again", self._needs)

    @contextmanager
    def skipping(self, what: str) -> Iterator[None]:
        """Run a task that is skipped while a service is away. Its next run does the same work."""
        try:
            yield
        except (StoreUnavailable, BrokerUnavailable) as error:
            self.away(what, error)
        else:
            self.back()
