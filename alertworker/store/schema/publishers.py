"""Publishers, the calls they announced, and the pipeline's clocks."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Column, Integer, String, Table

from alertworker.store.schema.base import METADATA, NAME, UtcDateTime

#: Announced calls, and how they ended.
CALLS = Table(
    "calls",
    METADATA,
    Column("call_id", NAME, primary_key=True),
    Column("boot_id", NAME, index=True),
    Column("alert_id", String(36), index=True),
    Column("announced_at", UtcDateTime),
    Column("ended_at", UtcDateTime, index=True),
    Column("outcome", String(32)),
)

PUBLISHERS = Table(
    "publishers",
    METADATA,
    Column("boot_id", NAME, primary_key=True),
    Column("host", NAME, nullable=False),
    Column("pid", BigInteger, nullable=False),
    Column("heard_at", UtcDateTime, key="last_heartbeat_at", nullable=False),
    Column("arrived_at", UtcDateTime, nullable=False),
    #: The integration that publishes through it ("litellm"), as it reports; NULL for any other program.
    Column("integration", NAME),
    Column("interval_seconds", Integer, nullable=False),
    Column("backlog", BigInteger, nullable=False),
    Column("counters", JSON, nullable=False),
    #: The number of published events, the time it last grew, and the time since which it grew without a longer pause.
    Column("published", BigInteger, nullable=False),
    Column("moved_at", UtcDateTime, nullable=False),
    Column("busy_since", UtcDateTime, nullable=False),
    #: When it was announced as silent, until it publishes again.
    Column("silent_at", UtcDateTime),
    Column("stopped_at", UtcDateTime),
    Column("lost_at", UtcDateTime),
)

#: The pipeline's clocks, by name, for example when the newest canary was sent.
CLOCKS = Table(
    "line", METADATA, Column("name", String(64), primary_key=True), Column("at", UtcDateTime, nullable=False)
)
