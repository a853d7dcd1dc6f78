"""Shutdown: a worker ends in bounded time after a signal to stop, even if its threads are blocked.

Celery stops a worker within its signal handler, in the main thread. That thread may hold a lock when the signal comes,
for example the lock of the thread pool. Then all threads wait forever (celery 5.6, ``on_cold_shutdown``). So a thread
ends the process at the time limit. Nothing is lost: the broker redelivers unacknowledged messages.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from types import FrameType
from typing import Final

from celery import bootsteps
from celery.apps import worker as celery_worker

from alertworker.errors import INTERRUPTED

#: How long a worker may take to end, in seconds: Celery's bounded wait for running tasks, then one whole HTTP attempt.
BOUND: Final = 22
#: The line that Ctrl-C prints.
_STOPPING: Final = f"Stopping. This takes up to {BOUND} s if tasks are running.\n"
#: The first signal to stop, if one has come.
_stopped_by: int | None = None
#: Whether Celery's bounded wait for running tasks has begun: at SIGTERM and SIGQUIT. More signals change nothing.
_is_bounded = False
_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)


def is_stopping() -> bool:
    """Return whether this process has received a signal to stop. A task then begins no new attempt."""
    return _stopped_by is not None


class Bound(bootsteps.StartStopStep):
    """Starts the time limit at the first signal to stop, and then calls Celery's own handler."""

    # The thread starts after the pool: a process should not have threads when it forks.
    requires = ("celery.worker.components:Pool",)

    def __init__(self, parent: celery_worker.Worker, **arguments: object) -> None:
        """Wrap Celery's own handlers as soon as they are installed, before there is a process of the pool."""
        super().__init__(parent, **arguments)
        self._reader, self._writer = os.pipe()
        parent.install_platform_tweaks = self._install_handlers  # type: ignore[method-assign,assignment]

    def start(self, parent: object) -> None:  # noqa: ARG002 - Celery's signature
        """Start the thread. A signal that came before is in the pipe."""
        threading.Thread(target=_end_when_due, args=(self._reader,), name="shutdown", daemon=True).start()

    def _install_handlers(self, parent: celery_worker.Worker) -> None:
        """Install Celery's own handlers and wrap them.

        Mute the lines that they print, which advise to press Ctrl-C again. Keep them from replacing themselves by
        handlers that end tasks before the time limit.
        """
        celery_worker.Worker.install_platform_tweaks(parent, parent)
        celery_worker.safe_say = _do_nothing  # type: ignore[attr-defined]
        celery_worker.install_worker_term_hard_handler = _do_nothing  # type: ignore[attr-defined]
        for number in _SIGNALS:
            _bound_before(number, self._writer)


def _do_nothing(*_: object, **__: object) -> None:
    """Replace a function of Celery's handlers."""


def _end_when_due(reader: int) -> None:
    """Wait for the first signal to stop, and end the process at the time limit, without any lock."""
    os.read(reader, 1)
    time.sleep(BOUND)
    os._exit(exit_code(None))


def _bound_before(number: signal.Signals, writer: int) -> None:
    handler, owner = signal.getsignal(number), os.getpid()

    def handle(received: int, frame: FrameType | None) -> None:
        global _stopped_by, _is_bounded  # noqa: PLW0603 - a process has one set of signal handlers
        if os.getpid() != owner:  # a new process of the pool, which has not set its own handlers yet
            return
        if _is_bounded:
            return
        if _stopped_by is None:  # a second signal must not extend the time limit
            _stopped_by = received
            if received == signal.SIGINT:
                os.write(2, _STOPPING.encode())  # no lock, unlike a log
            os.write(writer, b"!")
        _is_bounded = received != signal.SIGINT
        if callable(handler):
            handler(received, frame)

    signal.signal(number, handle)


def exit_code(given: int | None) -> int:
    """Return the exit code of a worker's process. ``given`` is Celery's code.

    It is 0 only after a signal to stop, and 130 after Ctrl-C.
    """
    if _stopped_by is None:
        return given or 1
    return INTERRUPTED if _stopped_by == signal.SIGINT else 0
