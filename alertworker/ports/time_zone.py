"""The time zone of the ledger's days, as one transaction sees it."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from alertworker.ledger.time_zone import ZoneChange


class TimeZonePort(Protocol):
    """The time zone in which days begin."""

    def keep_zone(self, zone: str, *, now: datetime) -> ZoneChange | None:
        """Store the time zone in which days are cut; return the change if it is another one than before."""
        ...
