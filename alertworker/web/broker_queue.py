"""Sends batches from the event loop to the broker in one thread, with a limit on their number and their wait."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from alertworker.errors import BrokerUnavailable
from alertworker.events.batch import SealedBatch
from alertworker.web.errors import Refusal

#: How many batches may wait for the broker at once.
MAX_WAITING: Final = 256
#: How long a batch may wait for the broker's confirmation, in seconds.
SEND_SECONDS: Final = 15.0
#: How long to wait before another attempt after the broker could not be reached, in seconds.
_REST: Final = 0.5


class BrokerQueue:
    """``send`` sends one batch and returns when the broker has confirmed it. Only one thread calls it."""

    def __init__(self, send: Callable[[SealedBatch], None]) -> None:
        self._send = send
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="alertworker-broker")
        self._waiting = 0
        self._away_until = 0.0
        self._problem = ""

    async def put(self, batch: SealedBatch) -> None:
        """Return when the broker has confirmed the batch.

        Raises:
            Refusal: 503 if the broker cannot be reached or does not confirm in time, 429 if too many batches wait.
                The broker may still have received the batch. A second copy with the same id is not applied again.
        """
        if self._waiting >= MAX_WAITING:
            raise Refusal(429, "too many batches are waiting for the broker; retry later", retry_after=1)
        self._waiting += 1
        try:
            async with asyncio.timeout(SEND_SECONDS):
                await asyncio.get_running_loop().run_in_executor(self._thread, self._put, batch)
        except TimeoutError:
            raise Refusal(503, "the broker did not confirm the batch in time; retry later", retry_after=5) from None
        except BrokerUnavailable as error:
            raise Refusal(503, f"{error}; retry later", retry_after=2) from None
        finally:
            self._waiting -= 1

    def close(self) -> None:
        """Accept no more batches, and finish the batch that is being sent."""
        self._thread.shutdown(wait=True, cancel_futures=True)

    def _put(self, batch: SealedBatch) -> None:
        if time.monotonic() < self._away_until:
            raise BrokerUnavailable(self._problem)
        try:
            self._send(batch)
        except BrokerUnavailable as error:
            self._away_until, self._problem = time.monotonic() + _REST, str(error)
            raise
