"""The shared parts of all tables: the metadata, and the types of names and times."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import ClassVar

from sqlalchemy import BigInteger, DateTime, Dialect, MetaData, String, TypeDecorator

from alertworker.ledger.rows import MAX_TOTAL

NAME = String(256)


class Summed(BigInteger):
    """A number that grows with what producers send. `alertworker.store.sums` caps a row at ``most``, and totals."""

    most: ClassVar[int]


class Count(Summed):
    """A number of calls, attempts or messages. Few events add more than one, so no total of rows can overflow."""

    most = 10**12


class Amount(Summed):
    """Money, tokens or time. One event may add much, so a total of rows needs `capped_sum`.

    A row holds a hundred million dollars in nano-dollars.
    """

    most = 10**17


class Figure(Summed):
    """An amount that a producer reports, or a total of rows. It is stored and never added to."""

    most = MAX_TOTAL


class UtcDateTime(TypeDecorator[datetime]):
    """An aware time in UTC on every database. SQLite has no zones, so the time is stored there without one."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return the time in UTC, as the database stores it."""
        if value is None:
            return None
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return an aware time."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if dialect.name == "sqlite" else value.astimezone(UTC)


METADATA = MetaData()
