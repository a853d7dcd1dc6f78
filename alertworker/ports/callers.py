"""Callers whose calls fail, as one transaction sees them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from alertworker.outages.callers import KeyRow
from alertworker.outages.windows import Target


class CallerPort(Protocol):
    """The callers' keys whose calls failed."""

    def failing_keys(self, target: Target, *, start: int, end: int) -> list[KeyRow]:
        """Return the failures by key of a target's buckets from the epoch second ``start`` until before ``end``."""
        ...

    def failures_of(self, key_hash: str, *, since: int) -> list[KeyRow]:
        """Return the failures of one key on all deployments from the epoch second ``since`` on."""
        ...

    def fails_elsewhere(self, key_hash: str, *, since: int) -> bool:
        """Return whether calls of a key failed since an epoch second on a deployment that has no outage."""
        ...

    def quiet_callers(self, *, before: datetime, limit: int) -> Sequence[str]:
        """Return the fingerprints of open callers' problems without a failure since then."""
        ...
