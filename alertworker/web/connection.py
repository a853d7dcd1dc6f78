"""HTTP connections that are closed unless a request arrives in time, that take turns, and that make room.

uvicorn limits only the time between two requests without any byte. So a few idle or slow clients could use up all
connections, and all others would get 503.
"""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Iterator, Sequence
from ipaddress import ip_address
from typing import ClassVar, Final

from typing_extensions import override
from uvicorn.protocols.http.h11_impl import H11Protocol

from alertworker.channels.address_guard import Network
from alertworker.web.addresses import network

#: How long a connection may be without a request in progress, in seconds. It includes the time until the head of the
#: next request has arrived. It also includes the time until the rest of a body has arrived after the response.
WAITING_SECONDS: Final = 10.0
#: How long a client may read nothing of a response, in seconds. A client that reads at least 2 kB a second keeps it.
READING_SECONDS: Final = 30.0
#: How much is read from a connection at its turn, in bytes. The parser takes 6 µs for a chunk, even if it has one byte.
#: With asyncio's default of 256 KiB, a client with such chunks delays all others by a quarter of a second at each turn.
READ_BYTES: Final = 16 * 1024
#: The most connections of a process, and those that a single address may have of them.
MAX_CONNECTIONS: Final = 1_000
ADDRESS_SHARE: Final = 0.5
#: The files that a process needs beside its connections: the broker, the database, logs and libraries.
_OTHER_FILES: Final = 100


def max_connections() -> int:
    """Return how many connections a process takes: `MAX_CONNECTIONS`, or fewer if it may open few files."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MAX_CONNECTIONS if files == resource.RLIM_INFINITY else max(10, min(MAX_CONNECTIONS, files - _OTHER_FILES))


def protocol(trusted: Sequence[Network], *, most: int) -> type[TimedProtocol]:
    """Return the protocol of a server with at most ``most`` connections.

    ``trusted`` are the networks of proxies. All connections may come from one of them.
    """
    return type("LimitedProtocol", (TimedProtocol,), {"most": most, "trusted": tuple(trusted)})


class TimedProtocol(H11Protocol):
    """uvicorn's protocol with a time limit while no request is in progress, short turns, and limits of connections.

    At a limit the connection that has waited longest for its client is closed, so a new client always gets in.
    """

    most: ClassVar[int] = MAX_CONNECTIONS
    trusted: ClassVar[tuple[Network, ...]] = ()
    _given_up: asyncio.TimerHandle | None = None
    #: When the client was last waited for, by the loop's clock.
    _since: float = 0.0
    _not_read: asyncio.TimerHandle | None = None

    @override
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._since = self.loop.time()
        self._make_room()
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
    def pause_writing(self) -> None:
        """Wait for a client that does not read: its response fills the buffer."""
        super().pause_writing()
        self._since = self.loop.time()
        self._not_read = self.loop.call_later(READING_SECONDS, self.end)

    @override
    def resume_writing(self) -> None:
        super().resume_writing()
        self._stop_waiting_for_reader()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_watching()
        self._stop_waiting_for_reader()
        super().connection_lost(exc)

    @property
    def is_ended(self) -> bool:
        """Whether it is closed, and nothing is left that its client has to read first."""
        return self.transport.is_closing() and not self.transport.get_write_buffer_size()

    def end(self) -> None:
        """Close the connection at once. `asyncio` alone waits until the client has read everything."""
        if self.transport.get_write_buffer_size():
            self.transport.abort()
        else:
            self.transport.close()

    def _make_room(self) -> None:
        """Close the connection that has waited longest, if this one exceeds the limit of its address or of all."""
        same = [one for one in self._others() if self._network() == one._network()]  # noqa: SLF001 - of the same class
        if len(same) >= self.most * ADDRESS_SHARE and not self._is_trusted():
            if not _close_oldest(same):
                self.end()
        elif len(self.connections) >= self.most:
            _close_oldest(list(self._others()))

    def _others(self) -> Iterator[TimedProtocol]:
        for one in self.connections:
            if isinstance(one, TimedProtocol) and one is not self and not one.is_ended:
                yield one

    def _host(self) -> str:
        return self.client[0] if self.client else ""

    def _network(self) -> str:
        return network(self._host())

    def _is_trusted(self) -> bool:
        try:
            address = ip_address(self._host())
        except ValueError:  # a Unix socket
            return True
        return any(address.version == trusted.version and address in trusted for trusted in self.trusted)

    def waits(self) -> tuple[bool, float] | None:
        """Return the place of the connection in the order of closing, the lowest first; ``None`` if it waits for no
        client.

        A connection without a request in progress, or whose response is not read, goes before one whose body has not
        arrived.
        """
        if self.cycle is None or self.cycle.response_complete or self._not_read is not None:
            return (False, self._since)
        return (True, self._since) if self.cycle.more_body else None

    def _watch(self) -> None:
        """Start the timer if no request is in progress, else stop it. More bytes do not start it again."""
        if self.cycle is not None and not self.cycle.response_complete:
            self._stop_watching()
        elif self._given_up is None and not self.transport.is_closing():
            self._since = self.loop.time()
            self._given_up = self.loop.call_later(WAITING_SECONDS, self._give_up)

    def _give_up(self) -> None:
        """Close the connection. The client may read the rest of its last response, for a while."""
        self.transport.close()
        if self._not_read is None:
            self._not_read = self.loop.call_later(READING_SECONDS, self.end)

    def _stop_watching(self) -> None:
        if self._given_up is not None:
            self._given_up.cancel()
            self._given_up = None

    def _stop_waiting_for_reader(self) -> None:
        if self._not_read is not None:
            self._not_read.cancel()
            self._not_read = None


def _close_oldest(connections: Sequence[TimedProtocol]) -> bool:
    """Close the connection that has waited longest for its client. Return whether there was one."""
    waiting = [(waits, id(one), one) for one in connections if (waits := one.waits()) is not None]
    if not waiting:
        return False
    min(waiting)[2].end()
    return True
