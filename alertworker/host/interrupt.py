"""Ctrl-C in a server, whose library handles the signal itself and then ends as if nothing had happened."""

from __future__ import annotations

import signal
from types import FrameType


class Interrupt:
    """Remembers whether SIGINT came."""

    def __init__(self) -> None:
        self._came = False

    def watch(self, **_: object) -> None:
        """Remember SIGINT from now on. The present handler still runs. Keywords are those of a Celery signal."""
        handler = signal.getsignal(signal.SIGINT)

        def note(number: int, frame: FrameType | None) -> None:
            self._came = True
            if callable(handler):
                handler(number, frame)

        signal.signal(signal.SIGINT, note)

    def raise_again(self) -> None:
        """Raise `KeyboardInterrupt` if SIGINT came."""
        if self._came:
            raise KeyboardInterrupt
