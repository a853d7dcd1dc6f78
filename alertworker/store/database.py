"""One database: transactions that are rerun where the database made them give way."""

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

#: How often a transaction that lost a deadlock is run again before the store counts as unavailable.
_RERUNS = 5


class Rerun(Exception):
    """The database chose this transaction to give way."""


class Database:
    """One database. Every public method is one short transaction, or opens one."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    @contextmanager
    def transaction(self) -> Iterator[SqlTransaction]:
        """Open a transaction; database errors leave as `StoreUnavailable` or `Rerun`, all else as it is."""
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
        """Do the work in one transaction, again from the start where a deadlock took it."""
        for _ in range(_RERUNS):
            try:
                with self.transaction() as tx:
                    return work(tx)
            except Rerun:
                continue
        raise StoreUnavailable("the database kept choosing this transaction to give way")

    def dry_run(self, work: Callable[[SqlTransaction], _T]) -> _T:
        """Do the work in one transaction, give its result, and take back everything it did."""

        def undone(tx: SqlTransaction) -> _T:
            result = work(tx)
            tx.connection.rollback()
            return result

        return self.run(undone)
