"""The limit on attempts with a wrong key: for each address, and for all addresses together."""

from __future__ import annotations

import hashlib
import secrets
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final

from alertworker.web.addresses import network, note

#: How many wrong keys an address may send at once, and the seconds until it may send another one.
BURST: Final = 5
EVERY: Final = 30.0
#: The same for all addresses together.
TOTAL_BURST: Final = 100
TOTAL_EVERY: Final = 1.0
#: How long a right key is not limited at its address, in seconds.
PROVEN_SECONDS: Final = 3_600.0

#: A key at an address: the network, and a keyed hash of the key.
_Attempt = tuple[str, bytes]


@dataclass(slots=True)
class Throttle:
    """Counts wrong keys by address, IPv6 by /64 network, in this process. Times are in seconds.

    A repeated wrong key of the same address is not a new guess and costs nothing. So a publisher with an old key does
    not lock out its neighbours. A right key costs nothing for an hour after its last use at the same address.
    """

    _paid_until: OrderedDict[str, float] = field(default_factory=OrderedDict)
    _total_paid_until: float = 0.0
    _proven: OrderedDict[_Attempt, float] = field(default_factory=OrderedDict)
    _wrong: OrderedDict[_Attempt, float] = field(default_factory=OrderedDict)
    _salt: bytes = field(default_factory=lambda: secrets.token_bytes(16))

    def wait(self, address: str, key: str, *, now: float) -> float:
        """Return how long this address must wait before its next attempt with this key; 0 if it may try now."""
        attempt = self._attempt(address, key)
        if attempt in self._wrong or now < self._proven.get(attempt, now):
            return 0.0
        own = self._paid_until.get(attempt[0], now) - now - (BURST - 1) * EVERY
        total = self._total_paid_until - now - (TOTAL_BURST - 1) * TOTAL_EVERY
        return max(0.0, own, total)

    def failed(self, address: str, key: str, *, now: float) -> bool:
        """Count a wrong key. Return whether it is a new one at this address."""
        attempt = self._attempt(address, key)
        known = attempt in self._wrong
        note(self._wrong, attempt, now)
        if not known:
            note(self._paid_until, attempt[0], max(now, self._paid_until.get(attempt[0], now)) + EVERY)
            self._total_paid_until = max(now, self._total_paid_until) + TOTAL_EVERY
        return not known

    def succeeded(self, address: str, key: str, *, now: float) -> None:
        """Note that a key was right."""
        note(self._proven, self._attempt(address, key), now + PROVEN_SECONDS)

    def _attempt(self, address: str, key: str) -> _Attempt:
        return network(address), hashlib.blake2b(key.encode(), key=self._salt, digest_size=16).digest()
