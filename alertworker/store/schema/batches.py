"""Applied batches, and counters."""

from __future__ import annotations

from sqlalchemy import Column, Integer, String, Table

from alertworker.store.schema.base import METADATA, NAME, Count, UtcDateTime

#: Applied batches. A batch whose id is here has been counted: it is acknowledged without another change.
BATCHES = Table(
    "batches",
    METADATA,
    Column("batch_id", NAME, primary_key=True),
    Column("producer", NAME, nullable=False),
    Column("events", Integer, nullable=False),
    Column("applied_at", UtcDateTime, nullable=False, index=True),
    #: BLAKE2b of the events as they arrived, 16 bytes in hex; empty if a worker before version 0003 wrote the row.
    Column("digest", String(32)),
)

#: How often a message came again without being applied. A message that keeps ending its worker is parked.
REDELIVERIES = Table(
    "redeliveries",
    METADATA,
    #: The id of the dead letter that the message would be.
    Column("batch_id", NAME, primary_key=True),
    Column("times", Integer, nullable=False),
    #: The time of the last redelivery.
    Column("at", UtcDateTime, nullable=False, index=True),
)

#: Counts of everything that was dropped, suppressed, merged or parked, by reason.
COUNTERS = Table(
    "counters",
    METADATA,
    Column("name", String(64), primary_key=True),
    Column("label", NAME, primary_key=True),
    Column("value", Count, nullable=False),
)
