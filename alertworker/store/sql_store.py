"""The store on SQLAlchemy Core, complete."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from sqlalchemy import Connection, Engine
from typing_extensions import override

from alertworker.ports import Store
from alertworker.store.connection import ConnectionRunner, WritesInRead
from alertworker.store.delivery.lanes import SqlLanes
from alertworker.store.delivery.queue import SqlQueue
from alertworker.store.transaction import SqlTransaction
from alertworker.store.write_check import check_writes

_T = TypeVar("_T")


class SqlStore(ConnectionRunner, Store):
    """The pipeline's store: transactions, the lanes and the messages in them."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self.lanes = SqlLanes(self)
        self.queue = SqlQueue(self)

    @override
    def run(self, work: Callable[[SqlTransaction], _T]) -> _T:
        return self.on_connection(lambda connection: work(SqlTransaction(connection)))

    @override
    def read(self, work: Callable[[SqlTransaction], _T]) -> _T:
        return self.read_on_connection(lambda connection: work(SqlTransaction(connection)))

    @override
    def read_first(self, work: Callable[[SqlTransaction], _T]) -> _T:
        try:
            return self.read(work)
        except WritesInRead:  # on SQLite: the work is done again, with the write lock
            return self.run(work)

    @override
    def dry_run(self, work: Callable[[SqlTransaction], _T]) -> _T:
        def undone(connection: Connection) -> _T:
            result = work(SqlTransaction(connection))
            connection.rollback()
            return result

        return self.on_connection(undone)

    @override
    def check_writes(self) -> None:
        check_writes(self.engine)

    @override
    def count_redelivery(self, message_id: str, *, now: datetime) -> int:
        return self.run(lambda tx: tx.batches.count_redelivery(message_id, now=now))

    @override
    def forget_redeliveries(self, message_id: str) -> None:
        self.run(lambda tx: tx.batches.forget_redeliveries(message_id))
