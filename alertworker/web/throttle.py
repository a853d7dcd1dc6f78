"""The limit on login attempts with a wrong key."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from ipaddress import IPv6Address, ip_address
from typing import Final

#: How many wrong keys an address may send at once, and the seconds until it may send another one.
BURST: Final = 5
EVERY: Final = 30.0
_MOST_ADDRESSES: Final = 10_000


@dataclass(slots=True)
class Throttle:
    """Counts wrong keys by address, IPv6 by /64 network, in this process. Times are in seconds."""

    _paid_until: OrderedDict[str, float] = field(default_factory=OrderedDict)

    def wait(self, address: str, *, now: float) -> float:
        """Return how long this address must wait before its next attempt; 0 if it may try now."""
        ahead = self._paid_until.get(_network(address), now) - now
        return max(0.0, ahead - (BURST - 1) * EVERY)

    def failed(self, address: str, *, now: float) -> None:
        """Count a wrong key."""
        network = _network(address)
        self._paid_until[network] = max(now, self._paid_until.get(network, now)) + EVERY
        self._paid_until.move_to_end(network)
        if len(self._paid_until) > _MOST_ADDRESSES:
            self._paid_until.popitem(last=False)


def _network(address: str) -> str:
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    return parsed.exploded[:19] if isinstance(parsed, IPv6Address) else address
