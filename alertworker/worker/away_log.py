"""The log of workers and beat while the database or the broker is away: one line at once, then one a minute."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from billiard.exceptions import RestartFreqExceeded

from alertworker.errors import BrokerUnavailable, StoreUnavailable
from alertworker.host.logs import ensure_formattable

_log: Final = logging.getLogger(__name__)
#: The minimum time between two log lines about the same wait, in seconds.
_EVERY: Final = 60.0
#: The packages whose loggers `LibraryFilter` limits.
_LOGGERS: Final = frozenset({"amqp", "celery", "kombu"})
#: The packages whose exceptions mean that the broker is away.
_BROKERS: Final = frozenset({"amqp", "kombu", "redis"})
#: Exceptions that mean the same. Celery raises the second one if the connection is often lost within a second.
_AWAY: Final = (OSError, RestartFreqExceeded)


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


class LibraryFilter(logging.Filter):
    """Limits the log of Celery and its libraries: each message template once a minute, on one line.

    While the broker is away the libraries log each attempt to reach it, some with chained tracebacks. The filter
    removes the traceback of a broker error. Any other traceback stays, because it shows a bug.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._lock = threading.Lock()
        #: When each message template was logged last, by logger, format string, task and exception: a fixed number.
        self._logged_at: dict[tuple[str, str, str, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether to log a record; shorten it if so."""
        task = _task_of(record)
        ensure_formattable(record)
        if record.name == "py.warnings" and "CPendingDeprecationWarning" in record.getMessage():
            return False  # it advises a setting that we have, in eight lines for each lost connection
        if record.name.partition(".")[0] not in _LOGGERS or record.levelno <= logging.DEBUG:
            return True
        error = type(record.exc_info[1]).__name__ if record.exc_info else ""
        template = (record.name, str(record.msg), task, error)
        with self._lock:
            now = self._clock()
            logged_at = self._logged_at.get(template)
            if logged_at is not None and now - logged_at < _EVERY:
                return False
            self._logged_at[template] = now
        record.msg, record.args = " ".join(record.getMessage().split()), ()
        if record.exc_info and _is_of_broker(record.exc_info[1]):
            record.exc_info = record.exc_text = None
        return True


def _task_of(record: logging.LogRecord) -> str:
    """Return the task that a record of Celery is about; its texts are the same for all tasks."""
    return str(record.args.get("name", "")) if isinstance(record.args, Mapping) else ""


def _is_of_broker(error: BaseException | None) -> bool:
    """Return whether an exception, or one of its causes, means that the broker is away or refuses."""
    while error is not None:
        if isinstance(error, _AWAY) or type(error).__module__.partition(".")[0] in _BROKERS:
            return True
        error = error.__cause__ or error.__context__
    return False
