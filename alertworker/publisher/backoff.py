"""Exponential backoff: when to try again after a failure."""

from __future__ import annotations

import time
from typing import Final

#: The first wait, in seconds. Each further wait is twice as long.
_FIRST: Final = 0.1


class Backoff:
    """The waits between tries. ``longest`` bounds each wait, in seconds."""

    def __init__(self, longest: float) -> None:
        self._longest = longest
        self._wait = 0.0
        self._until = 0.0

    @property
    def is_over(self) -> bool:
        """Whether the current wait is over."""
        return time.monotonic() >= self._until

    def failed(self, *, at_least: float = 0.0) -> None:
        """Start a wait that is twice as long as the last one, and at least so many seconds."""
        self._wait = min(self._longest, self._wait * 2 or _FIRST)
        self._until = time.monotonic() + max(self._wait, at_least)

    def succeeded(self) -> None:
        """Let the next wait be the first one again."""
        self._wait = 0.0
