"""The ids of applied and parked batches, and the number of redeliveries of messages."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, func, select
from typing_extensions import override

from alertworker.ports.batches import BatchClaim, BatchPort
from alertworker.store.schema.batches import BATCHES, REDELIVERIES
from alertworker.store.upsert import Statements, insert_or


class BatchStatements(Statements, BatchPort):
    """Batches in SQL."""

    @override
    def claim_batch(
        self, batch_id: str, producer: str, events: int, *, digest: str | None, now: datetime
    ) -> BatchClaim:
        row = {"batch_id": batch_id, "producer": producer, "events": events, "applied_at": now, "digest": digest}
        statement = insert_or(self.connection, BATCHES).values(row).on_conflict_do_nothing()
        claimed = self.connection.execute(statement.returning(BATCHES.c.batch_id)).first() is not None
        if claimed:
            return BatchClaim.NEW
        before = self.connection.execute(select(BATCHES.c.digest).where(BATCHES.c.batch_id == batch_id)).scalar()
        return BatchClaim.REPEATED if digest is None or before in (None, digest) else BatchClaim.CONFLICT

    @override
    def first_batch_at(self) -> datetime | None:
        return self.connection.execute(select(func.min(BATCHES.c.applied_at))).scalar()

    def count_redelivery(self, message_id: str, *, now: datetime) -> int:
        """Count a redelivery of a message. Return the number of its redeliveries."""
        statement = insert_or(self.connection, REDELIVERIES).values(batch_id=message_id, times=1, at=now)
        counted = statement.on_conflict_do_update(
            index_elements=["batch_id"], set_={"times": REDELIVERIES.c.times + 1, "at": now}
        ).returning(REDELIVERIES.c.times)
        return int(self.connection.execute(counted).scalar_one())

    @override
    def forget_redeliveries(self, message_id: str) -> None:
        self.connection.execute(delete(REDELIVERIES).where(REDELIVERIES.c.batch_id == message_id))
