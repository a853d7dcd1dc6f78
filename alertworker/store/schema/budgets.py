"""The state of each budget."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Boolean, Column, Integer, String, Table

from alertworker.store.schema.base import METADATA, NAME, UtcDateTime

#: How each budget stands in its latest period; what was told of it is decided under its row's lock.
BUDGETS = Table(
    "budgets",
    METADATA,
    Column("scope", String(32), primary_key=True),
    Column("entity", NAME, primary_key=True),
    #: The period's end, which names it.
    Column("reset_at", UtcDateTime, index=True),
    Column("duration", NAME),
    Column("spend_nanos", BigInteger, nullable=False),
    Column("max_nanos", BigInteger),
    Column("soft_nanos", BigInteger),
    Column("at", UtcDateTime, nullable=False),
    Column("limits_at", UtcDateTime, nullable=False),
    Column("spent_at", UtcDateTime, nullable=False),
    Column("high_at", UtcDateTime, nullable=False),
    Column("rejected_at", UtcDateTime),
    Column("who", JSON, nullable=False),
    Column("shares", JSON, nullable=False),
    #: The highest limit that was told in this period, and how often that rose.
    Column("told_nanos", BigInteger, nullable=False),
    Column("level", Integer, nullable=False),
    #: The period is over, and nothing more is told of it.
    Column("closed", Boolean, nullable=False),
)
