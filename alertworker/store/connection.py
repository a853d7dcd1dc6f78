"""Work on one database: each piece in one transaction, run again if the database aborted it to resolve a deadlock."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from typing import TypeVar

from sqlalchemy import ColumnElement, Connection, Engine, Executable, Table
from sqlalchemy.exc import DBAPIError

from alertworker.errors import StoreUnavailable, TransactionRefused
from alertworker.store.engine import ONLY_READS, classify, explain, is_write_in_a_read

_T = TypeVar("_T")

#: How often a transaction that lost a deadlock is run again before the store counts as unavailable.
_RERUNS = 5


class Rerun(Exception):
    """The database aborted this transaction to resolve a deadlock, or because it waited too long for a lock."""


class WritesInRead(Exception):
    """Work that was to read only tried to write. Nothing was written."""


class ConnectionRunner:
    """One database. Every public method is one short transaction, or opens one."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._reader = engine.execution_options(**{ONLY_READS: True})

    @contextmanager
    def connect(self, *, reads: bool = False) -> Iterator[Connection]:
        """Open a transaction. Database errors leave as `StoreUnavailable` or `Rerun`, other errors unchanged."""
        try:
            with (self._reader if reads else self.engine).begin() as connection:
                yield connection
        except DBAPIError as error:
            if reads and is_write_in_a_read(error):
                raise WritesInRead from error
            verdict = classify(error)
            if verdict == "rerun":
                raise Rerun(type(error.orig).__name__) from error
            if verdict == "refused":
                raise TransactionRefused(explain(error)) from error
            if verdict == "unavailable":
                raise StoreUnavailable(explain(error)) from error
            raise

    def read_on_connection(self, work: Callable[[Connection], _T]) -> _T:
        """Return the result of work that only reads. On SQLite it waits for no writer, and no writer for it."""
        return self.on_connection(work, reads=True)

    def on_connection(self, work: Callable[[Connection], _T], *, reads: bool = False) -> _T:
        """Return the result of the work, done in one transaction and from the start again after a deadlock."""
        reason = ""
        for _ in range(_RERUNS):
            try:
                with self.connect(reads=reads) as connection:
                    return work(connection)
            except Rerun as error:
                reason = str(error)
        raise TransactionRefused(f"the database aborted the transaction {_RERUNS} times ({reason})")

    def rows(self, make: Callable[..., _T], statement: Executable) -> list[_T]:
        """Return a statement's rows, each made of its columns by name."""
        return self.read_on_connection(lambda connection: read_rows(connection, make, statement))


def columns_of(row: type, table: Table) -> list[ColumnElement[object]]:
    """Return the columns of a table that a row's dataclass has as fields, in their order.

    Some columns of the database keep the name that an older version gave them. The label is the name in the code.
    """
    return [table.c[field.name].label(field.name) for field in fields(row)]


def read_rows(
    connection: Connection, make: Callable[..., _T], statement: Executable, values: Mapping[str, object] | None = None
) -> list[_T]:
    """Return a statement's rows, each made of its columns by name. ``values`` are those of its parameters."""
    return [make(**row._asdict()) for row in connection.execute(statement, values)]
