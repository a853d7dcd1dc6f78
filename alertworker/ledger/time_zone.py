"""The consequences when the ledger's days are cut in another time zone than before. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from alertworker.text.format import spell_moment


def day_of(second: float, zone: ZoneInfo) -> date:
    """Return the day of an epoch second in a zone. In this century days begin with a whole minute in every zone.

    >>> day_of(datetime(2026, 11, 23, 23, 30, tzinfo=ZoneInfo("UTC")).timestamp(), ZoneInfo("Europe/Berlin"))
    datetime.date(2026, 11, 24)
    """
    return _day_of_minute(second // 60, zone)


@lru_cache(maxsize=10_000)
def _day_of_minute(minute: float, zone: ZoneInfo) -> date:
    """Return the day of a minute since the epoch. Events come in the order of time, so few minutes are asked for."""
    return datetime.fromtimestamp(minute * 60, zone).date()


@dataclass(frozen=True, slots=True)
class ZoneChange:
    """Days are cut in the zone ``after`` from ``at`` on. Earlier entries were cut in the zone ``before``."""

    before: str
    after: str
    at: datetime

    def __str__(self) -> str:
        """Return what the change means for figures.

        >>> from datetime import UTC
        >>> str(ZoneChange("UTC", "Asia/Tokyo", datetime(2026, 11, 23, 14, tzinfo=UTC)))[:76]
        'time_zone changed from UTC to Asia/Tokyo at 2026-11-23 23:00:00 JST: earlier'
        """
        zone = ZoneInfo(self.after)
        at = self.at.astimezone(zone)
        return (
            f"time_zone changed from {self.before} to {self.after} at {spell_moment(at, zone)}: "
            f"earlier entries stay in the days of {self.before}. Nothing is lost or counted twice, "
            f"but {at.date()} and the days next to it hold hours of their neighbours, and so do weeks, months and "
            "budgets that begin or end there"
        )
