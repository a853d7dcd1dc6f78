"""Counts of this process, added to the store's counters at most every few seconds."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final

from alertworker.errors import AlertWorkerError

#: How long counts are collected before they are written, in seconds.
EVERY: Final = 5.0
_log: Final = logging.getLogger(__name__)


class Counts:
    """``write`` adds counts by reason to the store. Only the event loop's thread calls `add`.

    A client can cause any number of counts, but only one write every `EVERY` seconds.
    """

    def __init__(self, write: Callable[[Mapping[str, int]], None]) -> None:
        self._write = write
        self._counted: Counter[str] = Counter()
        self._writing: asyncio.Task[None] | None = None

    def add(self, reason: str, count: int = 1) -> None:
        """Count something, and write it soon."""
        self._counted[reason] += count
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._later())

    async def close(self) -> None:
        """Write what is still counted."""
        if self._writing is not None:
            self._writing.cancel()
        await self._flush()

    async def _later(self) -> None:
        await asyncio.sleep(EVERY)
        await self._flush()

    async def _flush(self) -> None:
        counted, self._counted = self._counted, Counter()
        if not counted:
            return
        try:
            await asyncio.to_thread(self._write, counted)
        except AlertWorkerError as error:  # The next count writes these, too.
            self._counted += counted
            _log.warning("counts could not be written: %s", error)
