"""Applied batches, and what is forgotten when it is old."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, select

from alertworker.store.statements import Statements, insert_or
from alertworker.store.tables import ALERTS, BATCHES, BUDGETS, CALLS, CAUSES, MEMBERS, PARTS, REDELIVERIES, WINDOWS


class BookStatements(Statements):
    """Which batches were applied, once."""

    def claim_batch(self, batch_id: str, producer: str, events: int, *, now: datetime) -> bool:
        """Insert the batch's id; false when it was applied before."""
        row = {"batch_id": batch_id, "producer": producer, "events": events, "applied_at": now}
        statement = insert_or(self.connection, BATCHES).values(row).on_conflict_do_nothing()
        claimed = self.connection.execute(statement.returning(BATCHES.c.batch_id)).first() is not None
        self.connection.execute(delete(REDELIVERIES).where(REDELIVERIES.c.batch_id == batch_id))
        return claimed

    def prune(self, *, before: datetime) -> None:
        """Forget applied batches, ended calls and budgets, told members and old windows from before that moment."""
        closed = select(ALERTS.c.id).where(ALERTS.c.closed_at < before)
        self.connection.execute(delete(BATCHES).where(BATCHES.c.applied_at < before))
        self.connection.execute(delete(CALLS).where(CALLS.c.ended_at < before))
        self.connection.execute(delete(BUDGETS).where(BUDGETS.c.closed.is_(True), BUDGETS.c.reset_at < before))
        for table in (MEMBERS, PARTS):
            self.connection.execute(delete(table).where(table.c.alert_id.in_(closed)))
        for windows in (WINDOWS, CAUSES):
            self.connection.execute(delete(windows).where(windows.c.bucket < int(before.timestamp())))
