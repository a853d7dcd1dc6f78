"""A worker that is told to stop is gone in bounded time, whatever its threads wait for.

Celery stops a worker within its signal handler, in the main thread, which may hold a lock when the signal comes:
that of its pool of threads, say, for which the threads then wait for ever (celery 5.6, ``on_cold_shutdown``). So the
kernel is asked to end what does not end by itself. Nothing is lost: what was not acknowledged comes again.
"""

from __future__ import annotations

import signal
from types import FrameType
from typing import Any, Final

from celery import bootsteps

#: How long a worker may take to end, in seconds: Celery's bounded wait for running tasks, then one whole HTTP attempt.
BOUND: Final = 22
#: Whether a signal to stop has come.
_told = False
_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)


class Bound(bootsteps.StartStopStep):
    """Sets the bound when the first signal to stop comes, then lets Celery do with it what it does."""

    requires = ("celery.worker.components:Hub",)

    def start(self, parent: Any) -> None:  # noqa: ARG002 - Celery's signature
        """Stand before Celery's own handlers, which are in place by now."""
        for number in _SIGNALS:
            _bound_before(number)


def _bound_before(number: signal.Signals) -> None:
    handler = signal.getsignal(number)

    def handle(received: int, frame: FrameType | None) -> None:
        global _told  # noqa: PLW0603 - a process has one set of signal handlers
        _told = True
        if not signal.getitimer(signal.ITIMER_REAL)[0]:  # a second signal must not put it off
            signal.alarm(BOUND)  # SIGALRM's own action ends the process, and needs no lock of ours
        if callable(handler):
            handler(received, frame)

    signal.signal(number, handle)


def exit_code(given: int | None) -> int:
    """Return the exit code of a worker's process: success only if it was told to stop. ``given`` is Celery's."""
    return 0 if _told else given or 1
