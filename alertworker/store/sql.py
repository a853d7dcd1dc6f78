"""The store on SQLAlchemy Core, complete."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select

from alertworker.store.lanes import LaneStore
from alertworker.store.statements import insert_or
from alertworker.store.tables import LANES, NOTIFICATIONS, REDELIVERIES
from alertworker.store.transaction import SqlTransaction


class SqlStore(LaneStore):
    """What the pipeline needs. Every public method is one short transaction, or opens one."""

    def count_redelivery(self, batch_id: str) -> int:
        """Count that a batch came again; gives how often it did by now."""

        def work(tx: SqlTransaction) -> int:
            statement = insert_or(tx.connection, REDELIVERIES).values(batch_id=batch_id, times=1)
            counted = statement.on_conflict_do_update(
                index_elements=["batch_id"], set_={"times": REDELIVERIES.c.times + 1}
            ).returning(REDELIVERIES.c.times)
            return int(tx.connection.execute(counted).scalar_one())

        return self.run(work)

    def due_channels(self, *, now: datetime) -> list[str]:
        """Name the channels with something due whose lane is free."""
        busy = select(LANES.c.channel).where((LANES.c.leased_until > now) | (LANES.c.next_free_at > now))
        statement = (
            select(NOTIFICATIONS.c.channel)
            .where(NOTIFICATIONS.c.status == "pending", NOTIFICATIONS.c.next_attempt_at <= now)
            .where(NOTIFICATIONS.c.channel.not_in(busy))
            .distinct()
        )
        return self.run(lambda tx: [row.channel for row in tx.connection.execute(statement)])
