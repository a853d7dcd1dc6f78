"""Questions to the store and the broker, asked of them at most every other second however many ask."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from threading import Lock
from typing import Final

from alertworker.store import Readings

#: For how long an answer is given again, in seconds.
_FRESH: Final = 2.0


class Look:
    """``read`` gives the store's figures, ``ask_broker`` raises `LineUnavailable` where the broker does not answer."""

    def __init__(self, read: Callable[[datetime], Readings], ask_broker: Callable[[], None]) -> None:
        self._read = read
        self.ask_broker = ask_broker
        self._lock = Lock()
        self._kept: Readings | None = None
        self._kept_until = 0.0

    def readings(self, now: datetime) -> Readings:
        """Give figures that are two seconds old at the most.

        Raises:
            StoreUnavailable: when the database cannot be asked.
        """
        with self._lock:
            if self._kept is None or time.monotonic() >= self._kept_until:
                self._kept = None
                self._kept = self._read(now)
                self._kept_until = time.monotonic() + _FRESH
            return self._kept
