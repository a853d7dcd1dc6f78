"""Publishers, the calls they announced, and the pipeline's own moments."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Column, Integer, String, Table

from alertworker.store.schema.base import METADATA, NAME, UtcDateTime

#: Calls that were announced as still running, and how they ended.
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
    Column("heard_at", UtcDateTime, nullable=False),
    Column("arrived_at", UtcDateTime, nullable=False),
    #: What publishes through it ("litellm"), as it says; NULL where a program of its own does.
    Column("integration", NAME),
    Column("interval_seconds", Integer, nullable=False),
    Column("backlog", BigInteger, nullable=False),
    Column("counters", JSON, nullable=False),
    #: How many events it has published; when that last grew; since when it has grown without a longer pause.
    Column("published", BigInteger, nullable=False),
    Column("moved_at", UtcDateTime, nullable=False),
    Column("busy_since", UtcDateTime, nullable=False),
    #: When it was announced that it publishes nothing; until it does.
    Column("silent_at", UtcDateTime),
    Column("stopped_at", UtcDateTime),
    Column("lost_at", UtcDateTime),
)

#: The pipeline's own moments, by name: when the newest canary was sent, say.
CLOCKS = Table(
    "line", METADATA, Column("name", String(64), primary_key=True), Column("at", UtcDateTime, nullable=False)
)
