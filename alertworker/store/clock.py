"""The pipeline's clocks in SQL, shared by all workers."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, Connection, Insert, bindparam, select
from typing_extensions import override

from alertworker.ports.clock import ClockPort
from alertworker.store.schema.publishers import CLOCKS
from alertworker.store.upsert import insert_or

_READ: Final = select(CLOCKS.c.at).where(CLOCKS.c.name == bindparam("own_name"))


class SqlClock(ClockPort):
    """Named times that several workers share, in one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @override
    def advance(self, name: str, at: datetime) -> None:
        self._connection.execute(self._set(name, at, CLOCKS.c.at < at))

    @override
    def read(self, name: str) -> datetime | None:
        return self._connection.execute(_READ, {"own_name": name}).scalar()

    @override
    def claim_every(self, name: str, *, every: timedelta, now: datetime) -> bool:
        before = self.read(name)  # nearly every time, so that it takes no lock
        return (before is None or before <= now - every) and self._is_set(name, now, CLOCKS.c.at <= now - every)

    @override
    def claim_later(self, name: str, at: datetime) -> bool:
        return self._is_set(name, at, CLOCKS.c.at < at)

    def _is_set(self, name: str, at: datetime, earlier: ColumnElement[bool]) -> bool:
        claimed = self._set(name, at, earlier).returning(CLOCKS.c.name)
        return self._connection.execute(claimed).first() is not None

    def _set(self, name: str, at: datetime, earlier: ColumnElement[bool]) -> Insert:
        statement = insert_or(self._connection, CLOCKS).values(name=name, at=at)
        return statement.on_conflict_do_update(index_elements=["name"], set_={"at": at}, where=earlier)
