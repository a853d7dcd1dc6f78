"""From the event loop to the broker: batches are sent in a thread, bounded in number and time, and confirmed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from alertworker.errors import LineUnavailable
from alertworker.events.batch import SealedBatch
from alertworker.web.errors import Refusal

#: How many batches may wait for the broker at once.
MAX_WAITING: Final = 256
#: How long a batch may wait for the broker's confirmation, in seconds.
SEND_SECONDS: Final = 15.0
#: For how long the broker is not asked again after it could not be reached, in seconds.
_REST: Final = 0.5


class BrokerQueue:
    """``send`` sends one batch and returns when the broker has it; it is called in one thread only."""

    def __init__(self, send: Callable[[SealedBatch], None]) -> None:
        self._send = send
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="alertworker-broker")
        self._waiting = 0
        self._away_until = 0.0
        self._problem = ""

    async def put(self, batch: SealedBatch) -> None:
        """Return when the broker has confirmed the batch.

        Raises:
            Refusal: 503 when the broker cannot be reached or does not confirm in time, 429 when too many batches wait.
                The batch may have arrived all the same; sent again under its id it is applied once.
        """
        if self._waiting >= MAX_WAITING:
            raise Refusal(429, "too many batches wait for the broker; send again later", retry_after=1)
        self._waiting += 1
        try:
            async with asyncio.timeout(SEND_SECONDS):
                await asyncio.get_running_loop().run_in_executor(self._thread, self._put, batch)
        except TimeoutError:
            raise Refusal(503, "the broker does not confirm in time; send again later", retry_after=5) from None
        except LineUnavailable as error:
            raise Refusal(503, f"{error}; send again later", retry_after=2) from None
        finally:
            self._waiting -= 1

    def close(self) -> None:
        """Accept no more batches; finish those that the thread has."""
        self._thread.shutdown(wait=True, cancel_futures=True)

    def _put(self, batch: SealedBatch) -> None:
        if time.monotonic() < self._away_until:
            raise LineUnavailable(self._problem)
        try:
            self._send(batch)
        except LineUnavailable as error:
            self._away_until, self._problem = time.monotonic() + _REST, str(error)
            raise
