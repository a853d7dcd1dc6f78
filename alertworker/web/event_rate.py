"""The bound on events over HTTP, for each address."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from math import ceil
from typing import Final

from alertworker.web.addresses import network, note
from alertworker.web.errors import Refusal

#: How many seconds' worth of events an address may send at once, for example from a spool.
BURST: Final = 60.0
#: A batch counts as one event for so many bytes at least, because a client may state any number.
_BYTES: Final = 1_024


@dataclass(slots=True)
class EventRate:
    """A token bucket for each address, IPv6 by /64 network, in this process. A ``rate`` of 0 bounds nothing.

    A batch is taken whole while its address has not used up its burst, so a large batch is late and never stuck.
    A plain body is charged by a lower estimate before it is decoded, and the rest when its size and events are known.
    """

    rate: float
    _paid_until: OrderedDict[str, float] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, address: str, count: int, size: int, *, now: float) -> Charge:
        """Take a body of ``count`` events and ``size`` bytes. ``now`` is in seconds of a steady clock.

        A single event may use a second burst: a heartbeat of a publisher that must wait proves that it still runs.

        Raises:
            Refusal: 429 with the time after which the address may send again.
        """
        charge = Charge(self, network(address), now)
        single = count <= 1 and size <= 2 * _BYTES
        if wait := ceil(max(0.0, self._paid_until.get(charge.name, now) - now - BURST * (2 if single else 1))):
            raise Refusal(
                429,
                f"this address sends more than {self.rate:g} events a second; send the same body again after {wait} s, "
                "or raise http_events_per_second",
                retry_after=wait,
            )
        charge.at_least(max(1, count), size)
        return charge

    def pay(self, name: str, events: int, *, now: float) -> None:
        """Charge a network for events. May run in any thread."""
        if self.rate:
            with self._lock:
                paid = max(now, self._paid_until.get(name, now))
                note(self._paid_until, name, paid + events / self.rate)


@dataclass(slots=True)
class Charge:
    """The cost of one body for its address so far, in events."""

    rate: EventRate
    name: str
    now: float
    events: int = 0

    def at_least(self, count: int, size: int) -> None:
        """Charge what is missing to ``count`` events and to ``size`` bytes. May run in any thread."""
        if (missing := max(count, size // _BYTES) - self.events) > 0:
            self.events += missing
            self.rate.pay(self.name, missing, now=self.now)
