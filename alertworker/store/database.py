"""One database: transactions with the statements of every concept."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import Connection

from alertworker.store.connection import ConnectionRunner
from alertworker.store.transaction import SqlTransaction

_T = TypeVar("_T")


class Database(ConnectionRunner):
    """One database. Every public method is one short transaction, or opens one."""

    def run(self, work: Callable[[SqlTransaction], _T]) -> _T:
        """Return the result of the work, done in one transaction and from the start again after a deadlock."""
        return self.on_connection(lambda connection: work(SqlTransaction(connection)))

    def dry_run(self, work: Callable[[SqlTransaction], _T]) -> _T:
        """Return the result of the work and roll back everything that it did."""

        def undone(connection: Connection) -> _T:
            result = work(SqlTransaction(connection))
            connection.rollback()
            return result

        return self.on_connection(undone)
