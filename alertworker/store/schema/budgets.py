"""The state of each budget."""

from __future__ import annotations

from typing import Final

from sqlalchemy import JSON, Boolean, Column, Index, Integer, String, Table

from alertworker.store.schema.base import METADATA, NAME, Figure, UtcDateTime

#: The state of each budget in its latest period. Its notifications are decided under its row's lock.
BUDGETS = Table(
    "budgets",
    METADATA,
    Column("scope", String(32), primary_key=True),
    Column("entity", NAME, primary_key=True),
    #: The period's end, which identifies the period.
    Column("reset_at", UtcDateTime, index=True),
    Column("duration", NAME),
    Column("spend_nanos", Figure, nullable=False),
    Column("max_nanos", Figure),
    Column("soft_nanos", Figure),
    Column("at", UtcDateTime, nullable=False),
    Column("limits_at", UtcDateTime, nullable=False),
    Column("spent_at", UtcDateTime, nullable=False),
    Column("high_at", UtcDateTime, nullable=False),
    Column("rejected_at", UtcDateTime),
    Column("who", JSON, nullable=False),
    Column("shares", JSON, nullable=False),
    #: The highest limit that was notified in this period, and how often it rose.
    Column("told_nanos", Figure, key="notified_nanos", nullable=False),
    Column("level", Integer, nullable=False),
    #: The period is over, and no channel is notified of it any more.
    Column("closed", Boolean, nullable=False),
)

#: Budgets whose period is not over. The sweep looks for those that end every second.
LIVE: Final = BUDGETS.c.closed.is_(False)
Index("budgets_live", BUDGETS.c.reset_at, sqlite_where=LIVE, postgresql_where=LIVE)
