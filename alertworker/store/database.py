"""One database: its transactions, and the retry of those that lost a deadlock."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from alertworker.errors import StoreUnavailable
from alertworker.store.engine import classify, explain
from alertworker.store.transaction import SqlTransaction

_T = TypeVar("_T")

#: How often a transaction that lost a deadlock is rerun before the store counts as unavailable.
_RERUNS = 5


class Rerun(Exception):
    """The database rolled this transaction back because of a deadlock. It can be rerun."""


class Database:
    """One database. Every public method is one short transaction, or opens one."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    @contextmanager
    def transaction(self) -> Iterator[SqlTransaction]:
        """Open a transaction.

        Temporary database errors are raised as `StoreUnavailable` or `Rerun`, others unchanged.
        """
        try:
            with self.engine.begin() as connection:
                yield SqlTransaction(connection)
        except DBAPIError as error:
            verdict = classify(error)
            if verdict == "rerun":
                raise Rerun from error
            if verdict == "unavailable":
                raise StoreUnavailable(explain(error)) from error
            raise

    def run(self, work: Callable[[SqlTransaction], _T]) -> _T:
        """Do the work in one transaction, and rerun it from the start after a deadlock."""
        for _ in range(_RERUNS):
            try:
                with self.transaction() as tx:
                    return work(tx)
            except Rerun:
                continue
        raise StoreUnavailable(f"transaction still deadlocked after {_RERUNS} attempts")

    def dry_run(self, work: Callable[[SqlTransaction], _T]) -> _T:
        """Do the work in one transaction, return its result, and roll everything back."""

        def undone(tx: SqlTransaction) -> _T:
            result = work(tx)
            tx.connection.rollback()
            return result

        return self.run(undone)
