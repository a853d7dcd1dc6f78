"""When to try again what just failed: ever later, up to a bound."""

from __future__ import annotations

import time
from typing import Final

#: The first wait, in seconds; each next one is twice as long.
_FIRST: Final = 0.1


class Backoff:
    """Waits of one party, in seconds of the monotonic clock, none longer than ``longest``."""

    def __init__(self, longest: float) -> None:
        self._longest = longest
        self._wait = 0.0
        self._until = 0.0

    @property
    def over(self) -> bool:
        """Whether it may be tried."""
        return time.monotonic() >= self._until

    def failed(self) -> None:
        """Wait, longer than the last time."""
        self._wait = min(self._longest, self._wait * 2 or _FIRST)
        self._until = time.monotonic() + self._wait

    def succeeded(self) -> None:
        """Begin anew with the first wait."""
        self._wait = 0.0
