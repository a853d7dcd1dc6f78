"""The time zone of the ledger's days, and the earlier ones."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from typing_extensions import override

from alertworker.ledger.time_zone import ZoneChange
from alertworker.ports.time_zone import TimeZonePort
from alertworker.store.schema.ledger import ZONES
from alertworker.store.upsert import Statements, insert_or


class TimeZoneStatements(Statements, TimeZonePort):
    """Time zones, each with the moment since which days begin and end in it."""

    @override
    def keep_zone(self, zone: str, *, now: datetime) -> ZoneChange | None:
        latest = self._zones()[:1]
        if latest and latest[0][0] == zone:
            return None
        statement = insert_or(self.connection, ZONES).values(zone=zone, since=now)
        self.connection.execute(statement.on_conflict_do_update(index_elements=["zone"], set_={"since": now}))
        return ZoneChange(latest[0][0], zone, now) if latest else None

    def last_zone_change(self) -> ZoneChange | None:
        """Return the last change of the time zone, ``None`` if there was none."""
        latest = self._zones()
        return ZoneChange(latest[1][0], latest[0][0], latest[0][1]) if len(latest) > 1 else None

    def zone(self) -> str | None:
        """Return the time zone in which days begin and end, ``None`` before the first sweep."""
        return next((zone for zone, _ in self._zones()), None)

    def _zones(self) -> list[tuple[str, datetime]]:
        """Return the two latest time zones, the current one first."""
        statement = select(ZONES.c.zone, ZONES.c.since).order_by(ZONES.c.since.desc(), ZONES.c.zone).limit(2)
        return [(row.zone, row.since) for row in self.connection.execute(statement)]
