"""Beat: its scheduler, and a thread that checks whether the database is reachable."""

from __future__ import annotations

import logging
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from celery import beat
from celery.signals import beat_init

from alertworker.app import publish_process, store_watchdog
from alertworker.worker.away_log import AwayLog

_log = logging.getLogger(__name__)
#: How often beat checks whether the database is reachable, in seconds.
_WATCH_PERIOD = 5.0


class Scheduler(beat.Scheduler):
    """Celery's scheduler, but with one log line a minute while the broker accepts no task.

    Celery's own scheduler logs a stack and chained tracebacks for each task, each second. A task that cannot be sent is
    dropped: the next one does the same work.
    """

    _away = AwayLog("the broker")

    def apply_entry(self, entry: Any, producer: Any = None) -> None:
        """Send a due task; log an error instead of raising it."""
        try:
            self.apply_async(entry, producer=producer, advance=False)
        except Exception as error:  # noqa: BLE001 - beat's boundary: a task that cannot be sent must not end it
            # `SchedulingError` repeats the text of the exception that it comes from.
            cause = error.__context__ if isinstance(error.__context__, Exception) else error
            self._away.away("beat", cause)
            self._reconnect()
        else:
            self._away.back()

    def _ensure_connected(self) -> object:
        """Return the connection as it is: sending connects it, where an error is caught."""
        return self.connection

    def _reconnect(self) -> None:
        """Open a new connection for the next task. Celery keeps the channel, which RabbitMQ never revives."""
        self.__dict__.pop("producer", None)
        connection = self.__dict__.pop("connection", None)
        with suppress(Exception):
            connection.release()


@beat_init.connect
def _start_threads(**_: object) -> None:
    """Start the database check in beat, which needs no database itself, and publish its configuration."""
    threading.Thread(target=_run_watchdog, name="store-watch", daemon=True).start()
    publish_process("beat", lambda: datetime.now(UTC))


def _run_watchdog() -> None:
    watch = store_watchdog()
    while True:
        try:
            watch.check(now=datetime.now(UTC))
        except Exception:  # noqa: BLE001 - the thread's boundary: a failed check must not end the thread
            _log.exception("the check of the database failed")
        time.sleep(_WATCH_PERIOD)
