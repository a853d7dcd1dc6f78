"""What a process logs of its libraries: one line a minute for each message, without tracebacks of lost connections."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Final

#: The minimum time between two lines of one message template, in seconds.
_EVERY: Final = 60.0
#: The packages whose loggers are limited. Anybody can make uvicorn log a line for each malformed request.
_LOGGERS: Final = frozenset({"amqp", "celery", "kombu", "sqlalchemy", "uvicorn"})
#: The loggers of SQLAlchemy's pools, which log only errors of a connection that they throw away.
_POOL: Final = "sqlalchemy.pool."
#: The packages whose exceptions mean that the broker is away.
_BROKERS: Final = frozenset({"amqp", "kombu", "redis"})
#: The exception of Celery (billiard) that means the same: the connection is often lost within a second.
_RESTARTS: Final = "RestartFreqExceeded"


def ensure_formattable(record: logging.LogRecord) -> None:
    """Make the message of a record safe to format, if its arguments do not fit or one of them has no text.

    `logging` would print a traceback with the arguments in place of the line, and a filter would raise to the caller.
    """
    try:
        record.getMessage()
    except Exception as error:  # noqa: BLE001 - whatever an argument of a library's log call raises
        text = record.msg if isinstance(record.msg, str) else f"a {type(record.msg).__name__}"
        record.msg, record.args = "%s (its arguments cannot be formatted: %s)", (text, type(error).__name__)


class LibraryFilter(logging.Filter):
    """Limits the log of libraries: each message template once a minute, on one line.

    While a service is away its library logs each attempt to reach it, some with chained tracebacks. The filter removes
    the traceback of such an error. Any other traceback stays, because it shows a bug.
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
        if record.exc_info and (record.name.startswith(_POOL) or _is_of_broker(record.exc_info[1])):
            record.msg += f" ({error})"
            record.exc_info = record.exc_text = None
        return True


def _task_of(record: logging.LogRecord) -> str:
    """Return the task that a record of Celery is about; its texts are the same for all tasks."""
    return str(record.args.get("name", "")) if isinstance(record.args, Mapping) else ""


def _package_of(error: BaseException) -> str:
    return type(error).__module__.partition(".")[0]


def _is_of_broker(error: BaseException | None) -> bool:
    """Return whether an exception, or one of its causes, means that the broker is away or refuses."""
    while error is not None:
        if isinstance(error, OSError) or type(error).__name__ == _RESTARTS or _package_of(error) in _BROKERS:
            return True
        error = error.__cause__ or error.__context__
    return False
