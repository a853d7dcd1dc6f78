"""Bodies are decoded in few threads, apart from the event loop, so that their memory and their wait are bounded."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from alertworker.web.errors import Refusal

T = TypeVar("T")
#: How many bodies are decoded at once. Python runs one thread at a time, so that more would only take more memory.
MAX_DECODING: Final = 2
#: How long a body may wait for its turn and be decoded, in seconds. The largest one takes about one.
DECODE_SECONDS: Final = 10.0


class Decoders:
    """Threads that decode bodies in the order in which they came."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(MAX_DECODING, thread_name_prefix="alertworker-decode")

    async def run(self, work: Callable[[], T]) -> T:
        """Return what ``work`` returns.

        Raises:
            Refusal: 503 when it is not done in time; work that did not begin is dropped.
        """
        try:
            async with asyncio.timeout(DECODE_SECONDS):
                return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        except TimeoutError:
            raise Refusal(503, "too many bodies wait to be decoded; send again later", retry_after=5) from None

    def close(self) -> None:
        """Take nothing more."""
        self._threads.shutdown(wait=True, cancel_futures=True)
