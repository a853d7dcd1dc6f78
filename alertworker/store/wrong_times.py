"""Corrects what a host with a wrong clock has stored: times in the future, until which something would not happen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import Column, Table, delete, func, select, type_coerce, update
from typing_extensions import override

from alertworker.delivery.status import NotificationStatus
from alertworker.ports.clock import Clock
from alertworker.ports.wrong_times import AHEAD, WrongTimesPort
from alertworker.store.schema.alerts import ALERTS
from alertworker.store.schema.base import UtcDateTime
from alertworker.store.schema.delivery import LANES, NOTIFICATIONS
from alertworker.store.schema.outages import (
    CAUSES,
    CREDENTIALS,
    FAILING_KEYS,
    MODEL_CALLS,
    MODEL_OUTAGES,
    OUTAGE_CALLS,
    OUTAGES,
    REFUSALS,
    WINDOWS,
)
from alertworker.store.schema.publishers import CLOCKS, PUBLISHERS
from alertworker.store.upsert import Statements

#: The times that keep something from happening before them. Those of a report's period are not among them: a report
#: that was sent too early would be sent again.
_TIMES: Final[Mapping[Table, Sequence[Column[datetime]]]] = {
    PUBLISHERS: (PUBLISHERS.c.arrived_at, PUBLISHERS.c.moved_at, PUBLISHERS.c.busy_since),
    LANES: (
        LANES.c.leased_until,
        LANES.c.next_free_at,
        LANES.c.paced_until,
        LANES.c.failing_since,
        LANES.c.probe_at,
        LANES.c.broken_at,
    ),
}
_PENDING: Final = NOTIFICATIONS.c.status == NotificationStatus.PENDING
_STATES: Final = (MODEL_OUTAGES, OUTAGES, CREDENTIALS)
_BUCKETS: Final = (WINDOWS, CAUSES, OUTAGE_CALLS, MODEL_CALLS, FAILING_KEYS, REFUSALS)


class WrongTimesStatements(Statements, WrongTimesPort):
    """Corrects times in SQL."""

    @override
    def set_back(self, *, now: datetime) -> bool:
        sent = select(CLOCKS.c.at).where(CLOCKS.c.name == Clock.CANARY_SENT)
        newest = self.connection.execute(sent).scalar()
        if newest is None or newest <= now + AHEAD or newest <= self._database_time() + AHEAD:
            return False
        limit = now + AHEAD
        periods = CLOCKS.c.name.startswith("reported_")
        self.connection.execute(update(CLOCKS).where(CLOCKS.c.at > limit, ~periods).values(at=now))
        for table, columns in _TIMES.items():
            for column in columns:
                self.connection.execute(update(table).where(column > limit).values({column: now}))
        for column in (NOTIFICATIONS.c.created_at, NOTIFICATIONS.c.next_attempt_at):
            self.connection.execute(update(NOTIFICATIONS).where(_PENDING, column > limit).values({column: now}))
        opened = ALERTS.c.closed_at.is_(None) & (ALERTS.c.opened_at > limit)
        self.connection.execute(update(ALERTS).where(opened).values(next_summary_at=now))
        second = int(limit.timestamp())
        for table in _STATES:
            self.connection.execute(update(table).where(table.c.over_until > second).values(over_until=0))
        for table in _BUCKETS:
            self.connection.execute(delete(table).where(table.c.bucket > second))
        return True

    def _database_time(self) -> datetime:
        """Return the time of the database's clock. If the caller's own clock is the wrong one, this one tells."""
        moment: datetime = self.connection.execute(
            select(type_coerce(func.current_timestamp(), UtcDateTime))
        ).scalar_one()
        return moment
