"""Publishers, the calls they announced, and the pipeline's clocks."""

from __future__ import annotations

from typing import Final

from sqlalchemy import JSON, BigInteger, Column, Index, Integer, String, Table, func

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
    #: When the process started, by its own clock, and its number of running calls; NULL in rows of an older version.
    Column("started_at", UtcDateTime),
    Column("inflight", BigInteger),
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

#: Few publishers are running, and many are stopped or lost. The sweep looks at the running ones every second.
RUNNING: Final = PUBLISHERS.c.stopped_at.is_(None) & PUBLISHERS.c.lost_at.is_(None)
Index("publishers_running", PUBLISHERS.c.integration, sqlite_where=RUNNING, postgresql_where=RUNNING)
#: The publishers that did not shut down cleanly are counted.
LOST: Final = PUBLISHERS.c.stopped_at.is_(None) & PUBLISHERS.c.lost_at.is_not(None)
Index("publishers_lost", PUBLISHERS.c.lost_at, sqlite_where=LOST, postgresql_where=LOST)
#: When a publisher stopped or was lost; NULL while it runs. Pages show the newest, and retention deletes the oldest.
ENDED_AT: Final = func.coalesce(PUBLISHERS.c.stopped_at, PUBLISHERS.c.lost_at)
Index("publishers_ended", ENDED_AT)
Index("publishers_by_host", PUBLISHERS.c.host, PUBLISHERS.c.lost_at)

#: The pipeline's clocks, by name, for example when the newest canary was sent.
CLOCKS = Table(
    "line", METADATA, Column("name", String(64), primary_key=True), Column("at", UtcDateTime, nullable=False)
)
