"""What is forgotten when it is old, a piece at a time, so that no transaction is long."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import Table, and_, delete, func, select, tuple_
from sqlalchemy.sql.elements import ColumnElement

from alertworker.delivery.status import NotificationStatus
from alertworker.store.schema.alerts import ALERTS, ATTACHMENTS, MEMBERS, PARTS, SILENCES
from alertworker.store.schema.batches import BATCHES, REDELIVERIES
from alertworker.store.schema.budgets import BUDGETS
from alertworker.store.schema.delivery import ATTEMPTS, DEAD_LETTERS, NOTIFICATIONS
from alertworker.store.schema.outages import CAUSES, OUTAGE_CALLS, WINDOWS
from alertworker.store.schema.publishers import CALLS, PUBLISHERS
from alertworker.store.upsert import Statements


class RetentionStatements(Statements):
    """Each forgets at most ``limit`` rows of each table, and says whether that may not have been all."""

    def prune(self, *, before: datetime, limit: int) -> bool:
        """Forget batches that were applied or came again, ended calls and budgets, and old windows."""
        return self._pieces(
            limit,
            (BATCHES, BATCHES.c.applied_at < before),
            (REDELIVERIES, REDELIVERIES.c.at < before),
            (CALLS, CALLS.c.ended_at < before),
            (BUDGETS, BUDGETS.c.closed.is_(True) & (BUDGETS.c.reset_at < before)),
            (WINDOWS, WINDOWS.c.bucket < int(before.timestamp())),
            (CAUSES, CAUSES.c.bucket < int(before.timestamp())),
            (OUTAGE_CALLS, OUTAGE_CALLS.c.bucket < int(before.timestamp())),
        )

    def prune_records(self, *, before: datetime, limit: int) -> bool:
        """Forget what was over before that moment: alerts with all that belongs to them, letters, silences, publishers.

        What is open, or waits to be sent, stays, and an alert stays as long as a message about it.
        """
        # Whom an open alert was told is whom its end is told.
        open_ids = select(ALERTS.c.id).where(ALERTS.c.open_fingerprint.is_not(None))
        settled = and_(
            NOTIFICATIONS.c.status != NotificationStatus.PENDING,
            NOTIFICATIONS.c.settled_at < before,
            NOTIFICATIONS.c.alert_id.not_in(open_ids),
        )
        gone = select(NOTIFICATIONS.c.id).where(settled).order_by(NOTIFICATIONS.c.id).limit(limit)
        ids = list(self.connection.execute(gone).scalars())
        for key in (ATTEMPTS.c.notification_id, NOTIFICATIONS.c.id):
            self.connection.execute(delete(key.table).where(key.in_(ids)))
        spoken_of = select(NOTIFICATIONS.c.id).where(NOTIFICATIONS.c.alert_id == ALERTS.c.id).exists()
        over = select(ALERTS.c.id).where(ALERTS.c.closed_at < before, ~spoken_of).order_by(ALERTS.c.id).limit(limit)
        alerts = list(self.connection.execute(over).scalars())
        for key in (MEMBERS.c.alert_id, PARTS.c.alert_id, ATTACHMENTS.c.alert_id, ALERTS.c.id):
            self.connection.execute(delete(key.table).where(key.in_(alerts)))
        more = self._pieces(
            limit,
            (DEAD_LETTERS, DEAD_LETTERS.c.created_at < before),
            (SILENCES, SILENCES.c.ends_at < before),
            (PUBLISHERS, func.coalesce(PUBLISHERS.c.stopped_at, PUBLISHERS.c.lost_at) < before),
        )
        return more or limit in (len(ids), len(alerts))

    def _pieces(self, limit: int, *pieces: tuple[Table, ColumnElement[bool]]) -> bool:
        counts = [self.connection.execute(statement).rowcount for statement in _deletes(limit, pieces)]
        return limit in counts


def _deletes(limit: int, pieces: tuple[tuple[Table, ColumnElement[bool]], ...]) -> Iterator[Any]:
    for table, old in pieces:
        key = list(table.primary_key)
        yield delete(table).where(tuple_(*key).in_(select(*key).where(old).limit(limit)))
