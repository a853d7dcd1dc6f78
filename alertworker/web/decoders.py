"""Threads that decode bodies outside the event loop, so that memory and waiting time are bounded."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from alertworker.web.errors import Refusal

T = TypeVar("T")
#: How many bodies are decoded at once. Python runs one thread at a time, so more threads would only use more memory.
MAX_DECODING: Final = 2
#: How long a body may wait and be decoded, in seconds. The largest takes about 1 s, and the search for secrets in it up
#: to 2.5 s more.
DECODE_SECONDS: Final = 10.0


class Decoders:
    """Threads that decode bodies in the order of their arrival."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(MAX_DECODING, thread_name_prefix="alertworker-decode")

    async def run(self, work: Callable[[threading.Event], T]) -> T:
        """Return what ``work`` returns. The event that it gets is set when no request waits for its result any more.

        Raises:
            Refusal: 503 if it takes too long. Work that has not started is cancelled.
        """
        stopped = threading.Event()
        try:
            async with asyncio.timeout(DECODE_SECONDS):
                return await asyncio.get_running_loop().run_in_executor(self._threads, work, stopped)
        except TimeoutError:
            raise Refusal(503, "too many bodies are waiting to be decoded; retry later", retry_after=5) from None
        finally:
            stopped.set()

    def close(self) -> None:
        """Accept no more bodies, and wait for those in progress."""
        self._threads.shutdown(wait=True, cancel_futures=True)
