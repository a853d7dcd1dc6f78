"""Threads that decode bodies outside the event loop, so that memory and waiting time are bounded."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Final, TypeVar
from weakref import WeakValueDictionary

from alertworker.web.addresses import network
from alertworker.web.errors import Refusal

T = TypeVar("T")
#: How many bodies are decoded at once. Python runs one thread at a time, so more threads would only use more memory.
MAX_DECODING: Final = 2
#: How long a body may wait and be decoded, in seconds. The largest takes about 1 s, and the search for secrets in it up
#: to 2.5 s more.
DECODE_SECONDS: Final = 10.0


class Decoders:
    """Threads that decode bodies: one body of an address at a time, IPv6 by /64 network.

    The next body of an address queues for a thread behind those of all other addresses that wait. So the addresses take
    turns, and an address with many or large bodies delays mostly itself. One address loses no speed by it, because
    Python runs one thread at a time.
    """

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(MAX_DECODING, thread_name_prefix="alertworker-decode")
        #: For each address, held while one of its bodies is decoded or queues for a thread.
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def run(self, work: Callable[[threading.Event], T], address: str) -> T:
        """Return what ``work`` returns. The event that it gets is set when no request waits for its result any more.

        Raises:
            Refusal: 503 if it takes too long. Work that has not started is cancelled.
        """
        loop, stopped = asyncio.get_running_loop(), threading.Event()
        turn = self._turns.setdefault(network(address), asyncio.Lock())

        def end_turn(_decoded: Future[T]) -> None:
            with suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(turn.release)

        try:
            async with asyncio.timeout(DECODE_SECONDS):
                await turn.acquire()
                decoded = self._threads.submit(work, stopped)
                decoded.add_done_callback(end_turn)  # not earlier: after a timeout, the thread is still busy
                return await asyncio.wrap_future(decoded)
        except TimeoutError:
            raise Refusal(503, "too many bodies are waiting to be decoded; retry later", retry_after=5) from None
        finally:
            stopped.set()

    def close(self) -> None:
        """Accept no more bodies, and wait for those in progress."""
        self._threads.shutdown(wait=True, cancel_futures=True)
