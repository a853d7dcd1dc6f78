"""Shutdown: a worker ends in bounded time after a signal to stop, even if its threads are blocked.

Celery stops a worker within its signal handler, in the main thread. That thread may hold a lock when the signal comes,
for example the lock of the thread pool. Then all threads wait forever (celery 5.6, ``on_cold_shutdown``). So an alarm
signal ends the process. Nothing is lost: the broker redelivers unacknowledged messages.
"""

from __future__ import annotations

import os
import signal
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
_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)


class Bound(bootsteps.StartStopStep):
    """Starts the time limit at the first signal to stop, and then calls Celery's own handler."""

    requires = ("celery.worker.components:Hub",)

    def start(self, parent: object) -> None:  # noqa: ARG002 - Celery's signature
        """Wrap Celery's own handlers, which are installed by now, and mute the lines that they print."""
        celery_worker.safe_say = _say_nothing  # type: ignore[attr-defined]
        for number in _SIGNALS:
            _bound_before(number)


def _say_nothing(*_: object) -> None:
    """Print nothing: Celery's lines advise to press Ctrl-C again, which ends tasks before their time limit."""


def _bound_before(number: signal.Signals) -> None:
    handler = signal.getsignal(number)

    def handle(received: int, frame: FrameType | None) -> None:
        global _stopped_by  # noqa: PLW0603 - a process has one set of signal handlers
        if _stopped_by is None:
            _stopped_by = received
            if received == signal.SIGINT:
                os.write(2, _STOPPING.encode())  # no lock, unlike a log
        if not signal.getitimer(signal.ITIMER_REAL)[0]:  # a second signal must not extend the time limit
            signal.alarm(BOUND)  # SIGALRM's default action ends the process without any lock
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
