"""The pipeline's own moments in SQL: what was done when, by whichever worker."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import select

from alertworker.store.schema.publishers import LINE
from alertworker.store.upsert import Statements, insert_or


class ClockStatements(Statements):
    """Named moments that several workers share."""

    def mark_line(self, name: str, at: datetime) -> None:
        """Move a named moment of the line forward, never back."""
        statement = insert_or(self.connection, LINE).values(name=name, at=at)
        self.connection.execute(
            statement.on_conflict_do_update(index_elements=["name"], set_={"at": at}, where=LINE.c.at < at)
        )

    def claim_moment(self, name: str, at: datetime) -> bool:
        """Move a named moment forward, in one statement; false where it is as late already."""
        statement = insert_or(self.connection, LINE).values(name=name, at=at)
        moved = statement.on_conflict_do_update(index_elements=["name"], set_={"at": at}, where=LINE.c.at < at)
        return self.connection.execute(moved.returning(LINE.c.name)).first() is not None

    def claim_tick(self, name: str, *, every: timedelta, now: datetime) -> bool:
        """Move a named moment to now, if it is as long ago as that; false where another did so within that time."""
        statement = insert_or(self.connection, LINE).values(name=name, at=now)
        claimed = statement.on_conflict_do_update(
            index_elements=["name"], set_={"at": now}, where=LINE.c.at <= now - every
        )
        return self.connection.execute(claimed.returning(LINE.c.name)).first() is not None

    def line(self, name: str) -> datetime | None:
        """Give a named moment of the line."""
        return self.connection.execute(select(LINE.c.at).where(LINE.c.name == name)).scalar()
