"""The store on SQLAlchemy Core, complete."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from sqlalchemy import Connection, Engine

from alertworker.store.connection import ConnectionRunner, WritesInRead
from alertworker.store.delivery.lanes import SqlLanes
from alertworker.store.delivery.queue import SqlQueue
from alertworker.store.transaction import SqlTransaction
from alertworker.store.write_check import check_writes

_T = TypeVar("_T")


class SqlStore(ConnectionRunner):
    """The pipeline's store: transactions, the lanes and the messages in them."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self.lanes = SqlLanes(self)
        self.queue = SqlQueue(self)

    def run(self, work: Callable[[SqlTransaction], _T]) -> _T:
        """Return the result of the work, done in one transaction and from the start again after a deadlock."""
        return self.on_connection(lambda connection: work(SqlTransaction(connection)))

    def read(self, work: Callable[[SqlTransaction], _T]) -> _T:
        """Return the result of the work, which only reads."""
        return self.read_on_connection(lambda connection: work(SqlTransaction(connection)))

    def read_first(self, work: Callable[[SqlTransaction], _T]) -> _T:
        """Return the result of the work as `run` does. It is expected to have nothing to write.

        On SQLite, work that writes is done again from the start, with the write lock.
        """
        try:
            return self.read(work)
        except WritesInRead:
            return self.run(work)

    def dry_run(self, work: Callable[[SqlTransaction], _T]) -> _T:
        """Return the result of the work and roll back everything that it did."""

        def undone(connection: Connection) -> _T:
            result = work(SqlTransaction(connection))
            connection.rollback()
            return result

        return self.on_connection(undone)

    def check_writes(self) -> None:
        """Write one row and roll it back. Wait only briefly for a lock."""
        check_writes(self.engine)

    def count_redelivery(self, message_id: str, *, now: datetime) -> int:
        """Count that a message came again; return how often it did by now."""
        return self.run(lambda tx: tx.batches.count_redelivery(message_id, now=now))

    def forget_redeliveries(self, message_id: str) -> None:
        """Forget how often a message came again, because it was applied."""
        self.run(lambda tx: tx.batches.forget_redeliveries(message_id))
