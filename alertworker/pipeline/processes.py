"""A running process publishes its configuration until it ends."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime

from alertworker.errors import AlertWorkerError
from alertworker.ports.processes import PUBLISH_EVERY, Process, ProcessPort


def start_publishing(build: Callable[[], tuple[Process, ProcessPort]], clock: Callable[[], datetime]) -> None:
    """Publish this process every 20 s in a thread of its own.

    ``build`` runs in the thread. While the database is away nothing is published: every other part reports that.
    """

    def work() -> None:
        built = None
        while True:
            with suppress(AlertWorkerError):
                process, store = built = built or build()
                store.publish(replace(process, seen_at=clock()))
            time.sleep(PUBLISH_EVERY.total_seconds())

    threading.Thread(target=work, name="publish-process", daemon=True).start()
