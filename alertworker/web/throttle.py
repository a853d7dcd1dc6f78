"""How often a wrong key may be tried."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from ipaddress import IPv6Address, ip_address
from typing import Final

#: So many wrong keys are free, and one more each so many seconds.
BURST: Final = 5
EVERY: Final = 30.0
_MOST_ADDRESSES: Final = 10_000


@dataclass(slots=True)
class Throttle:
    """Counts wrong keys by address, in this process; of IPv6 by the network of 64 bits. Times are in seconds."""

    _paid_until: OrderedDict[str, float] = field(default_factory=OrderedDict)

    def wait(self, address: str, *, now: float) -> float:
        """Give how long this address must wait before it may try; 0 where it may."""
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
