"""The store on SQLAlchemy Core, complete."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from sqlalchemy import RowMapping, func, select

from alertworker.ports import LaneState
from alertworker.store.delivery.lanes import LaneStore
from alertworker.store.schema.delivery import LANES, NOTIFICATIONS
from alertworker.store.transaction import SqlTransaction


class SqlStore(LaneStore):
    """What the pipeline needs. Every public method is one short transaction, or opens one."""

    def count_redelivery(self, batch_id: str, *, now: datetime) -> int:
        """Count that a batch came again; gives how often it did by now."""
        return self.run(lambda tx: tx.count_redelivery(batch_id, now=now))

    def due_channels(self, *, now: datetime) -> list[str]:
        """Name the channels with something due whose lane is free."""
        taken = (LANES.c.leased_until > now) | (LANES.c.next_free_at > now) | (LANES.c.probe_at > now)
        busy = select(LANES.c.channel).where(taken)
        statement = (
            select(NOTIFICATIONS.c.channel)
            .where(NOTIFICATIONS.c.status == "pending", NOTIFICATIONS.c.next_attempt_at <= now)
            .where(NOTIFICATIONS.c.channel.not_in(busy))
            .distinct()
        )
        return self.run(lambda tx: [row.channel for row in tx.connection.execute(statement)])

    def lane_states(self, *, now: datetime) -> dict[str, LaneState]:
        """Give how each lane is that ever had a message."""
        waiting = (
            select(
                NOTIFICATIONS.c.channel,
                func.count().label("waiting"),
                func.min(NOTIFICATIONS.c.created_at).label("since"),
            )
            .where(NOTIFICATIONS.c.status == "pending")
            .group_by(NOTIFICATIONS.c.channel)
        )

        def work(tx: SqlTransaction) -> dict[str, LaneState]:
            rows = tx.connection.execute(select(LANES)).mappings()
            states = {row["channel"]: _lane_state(row, now) for row in rows}
            for row in tx.connection.execute(waiting):
                state = states.get(row.channel, LaneState(row.channel))
                states[row.channel] = replace(state, waiting=row.waiting, waiting_since=row.since)
            return dict(sorted(states.items()))

        return self.run(work)


def _lane_state(row: RowMapping, now: datetime) -> LaneState:
    return LaneState(
        row["channel"],
        paused_until=row["next_free_at"] if row["next_free_at"] > now else None,
        probe_at=row["probe_at"] if row["probe_at"] is not None and row["probe_at"] > now else None,
        failing_since=row["failing_since"],
        broken_since=row["broken_at"],
        busy=row["token"] is not None and row["leased_until"] > now,
    )
