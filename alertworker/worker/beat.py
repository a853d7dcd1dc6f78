"""What beat does beside its schedule: it looks after the database, which it does not need itself."""

from __future__ import annotations

import logging
import threading
import time
from datetime import UTC, datetime
from typing import Any

from celery.signals import beat_init

from alertworker.app import store_watchdog

_log = logging.getLogger("alertworker.tasks")
#: How often beat looks whether the database answers, in seconds.
_WATCH_PERIOD = 5.0


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
