"""HTTP connections that are closed unless a request arrives in time, and that take turns.

uvicorn limits only the time between two requests without any byte. So a few idle or slow clients could use up all
connections, and all others would get 503.
"""

from __future__ import annotations

import asyncio
from typing import Final

from typing_extensions import override
from uvicorn.protocols.http.h11_impl import H11Protocol

#: How long a connection may be without a request in progress, in seconds. It includes the time until the head of the
#: next request has arrived. It also includes the time until the rest of a body has arrived after the response.
WAITING_SECONDS: Final = 10.0
#: How much is read from a connection at its turn, in bytes. The parser takes 6 µs for a chunk, even if it has one byte.
#: With asyncio's default of 256 KiB, a client with such chunks delays all others by a quarter of a second at each turn.
READ_BYTES: Final = 16 * 1024


class TimedProtocol(H11Protocol):
    """uvicorn's protocol with a time limit while no request is in progress, and short turns."""

    _given_up: asyncio.TimerHandle | None = None

    @override
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        transport.max_size = READ_BYTES  # type: ignore[attr-defined]  # asyncio has no public name for it
        self._watch()

    @override
    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    @override
    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._watch()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_watching()
        super().connection_lost(exc)

    def _watch(self) -> None:
        """Start the timer if no request is in progress, else stop it. More bytes do not start it again."""
        if self.cycle is not None and not self.cycle.response_complete:
            self._stop_watching()
        elif self._given_up is None and not self.transport.is_closing():
            self._given_up = self.loop.call_later(WAITING_SECONDS, self.transport.close)

    def _stop_watching(self) -> None:
        if self._given_up is not None:
            self._given_up.cancel()
            self._given_up = None
