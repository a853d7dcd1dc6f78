"""What workers and beat log while the database or the broker is away: one line at first, and one a minute."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from alertworker.errors import LineUnavailable, StoreUnavailable

_log: Final = logging.getLogger("alertworker.tasks")
#: How often a process that waits says so, in seconds.
_EVERY: Final = 60.0
#: The packages whose loggers `LibraryFilter` limits, and whose exceptions say that the broker is away.
_LOGGERS: Final = frozenset({"amqp", "celery", "kombu"})
_BROKERS: Final = frozenset({"amqp", "kombu", "redis"})


class AwayLog:
    """Logs that something is away, and that it is back. Threads of a process share it.

    ``needs`` names what the process cannot work without.
    """

    def __init__(self, needs: str = "the database and the broker") -> None:
        self._needs = needs
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
            _log.warning("%s answered again", self._needs)

    @contextmanager
    def skipping(self, what: str) -> Iterator[None]:
        """Run a task that may be skipped, since its next run does the same: while something is away it does nothing."""
        try:
            yield
        except (StoreUnavailable, LineUnavailable) as error:
            self.away(what, error)
        else:
            self.back()


class LibraryFilter(logging.Filter):
    """Limits what Celery and its libraries log: each kind of line once a minute, on one line.

    While the broker is away they log each try to reach it, some with chained tracebacks. The traceback of an error of
    the broker is left out. That of any other error stays, because it is a fault in the program.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._lock = threading.Lock()
        #: When each kind of line was logged last, by logger and text before its arguments: as many as libraries have.
        self._logged_at: dict[tuple[str, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether to log a record; shorten it if so."""
        if record.name == "py.warnings" and "CPendingDeprecationWarning" in record.getMessage():
            return False  # about a setting that we have set, eight lines with each connection that is lost
        if record.name.partition(".")[0] not in _LOGGERS or record.levelno <= logging.DEBUG:
            return True
        kind = (record.name, str(record.msg))
        with self._lock:
            now = self._clock()
            logged_at = self._logged_at.get(kind)
            if logged_at is not None and now - logged_at < _EVERY:
                return False
            self._logged_at[kind] = now
        record.msg, record.args = " ".join(record.getMessage().split()), ()
        if record.exc_info and _is_of_broker(record.exc_info[1]):
            record.exc_info = record.exc_text = None
        return True


def _is_of_broker(error: BaseException | None) -> bool:
    """Return whether an exception, or one that it comes from, says that the broker is away or refuses."""
    while error is not None:
        if isinstance(error, OSError) or type(error).__module__.partition(".")[0] in _BROKERS:
            return True
        error = error.__cause__ or error.__context__
    return False
