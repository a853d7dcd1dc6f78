"""The store on SQLAlchemy Core, complete."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Engine

from alertworker.store.database import Database
from alertworker.store.delivery.lanes import SqlLanes
from alertworker.store.delivery.queue import SqlQueue


class SqlStore(Database):
    """The pipeline's store: transactions, the lanes and the messages in them."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self.lanes = SqlLanes(self)
        self.queue = SqlQueue(self)

    def count_redelivery(self, message_id: str, *, now: datetime) -> int:
        """Count that a message came again; return how often it did by now."""
        return self.run(lambda tx: tx.batches.count_redelivery(message_id, now=now))

    def forget_redeliveries(self, message_id: str) -> None:
        """Forget how often a message came again, because it was applied."""
        self.run(lambda tx: tx.batches.forget_redeliveries(message_id))
