"""A running process publishes its configuration until it ends."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime

from alertworker.errors import AlertWorkerError
from alertworker.ports.processes import PUBLISH_EVERY, Process, ProcessPort


def start_publishing(
    build: Callable[[], tuple[Process, ProcessPort]], clock: Callable[[], datetime]
) -> threading.Event:
    """Publish this process every 20 s in a thread of its own. Setting the returned event ends it.

    ``build`` runs in the thread. While the database is away nothing is published: every other part reports that.
    """
    stopped = threading.Event()

    def work() -> None:
        built = None
        while not stopped.is_set():
            with suppress(AlertWorkerError):
                process, store = built = built or build()
                store.publish(replace(process, seen_at=clock()))
            stopped.wait(PUBLISH_EVERY.total_seconds())

    threading.Thread(target=work, name="publish-process", daemon=True).start()
    return stopped
