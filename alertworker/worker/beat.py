"""Beat: its scheduler, and what it does beside its schedule, which is to look after the database."""

from __future__ import annotations

import logging
import threading
import time
from datetime import UTC, datetime
from typing import Any

from celery import beat
from celery.signals import beat_init

from alertworker.app import store_watchdog
from alertworker.worker.away_log import AwayLog

_log = logging.getLogger("alertworker.tasks")
#: How often beat looks whether the database answers, in seconds.
_WATCH_PERIOD = 5.0


class Scheduler(beat.Scheduler):
    """Celery's scheduler, which logs one line a minute while the broker takes no task.

    Celery's own logs a stack and chained tracebacks for each task, each second. No task is sent twice or later: the
    next one finds the same things due.
    """

    _away = AwayLog("the broker")

    def apply_entry(self, entry: Any, producer: Any = None) -> None:
        """Send a task that is due."""
        try:
            self.apply_async(entry, producer=producer, advance=False)
        except Exception as error:  # noqa: BLE001 - beat's boundary: a task that cannot be sent must not end it
            # `SchedulingError` repeats the text of the exception that it comes from.
            cause = error.__context__ if isinstance(error.__context__, Exception) else error
            self._away.away("beat", cause)
        else:
            self._away.back()


@beat_init.connect
def _watch_store(**_: Any) -> None:
    """Look after the database from beat, which does not need it itself."""
    threading.Thread(target=_look_after_store, name="store-watch", daemon=True).start()


def _look_after_store() -> None:
    watch = store_watchdog()
    while True:
        try:
            watch.look(now=datetime.now(UTC))
        except Exception:  # noqa: BLE001 - the thread's boundary: one look that fails must not be the last
            _log.exception("the database could not be looked after")
        time.sleep(_WATCH_PERIOD)
