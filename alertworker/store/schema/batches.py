"""Batches that were applied, and what is counted."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, String, Table

from alertworker.store.schema.base import METADATA, NAME, UtcDateTime

#: Batches that were applied; a batch id found here has been counted and is acknowledged untouched.
BATCHES = Table(
    "batches",
    METADATA,
    Column("batch_id", NAME, primary_key=True),
    Column("producer", NAME, nullable=False),
    Column("events", Integer, nullable=False),
    Column("applied_at", UtcDateTime, nullable=False, index=True),
    #: BLAKE2b of the events as they came, 16 bytes in hex; empty where a worker before version 0003 wrote the row.
    Column("digest", String(32)),
)

#: How often a message came again without being applied: one that keeps ending its worker is parked.
REDELIVERIES = Table(
    "redeliveries",
    METADATA,
    #: The id of the dead letter that the message would be.
    Column("batch_id", NAME, primary_key=True),
    Column("times", Integer, nullable=False),
    #: When it last did.
    Column("at", UtcDateTime, nullable=False, index=True),
)

#: Everything dropped, muted, merged or parked is counted here with its reason.
COUNTERS = Table(
    "counters",
    METADATA,
    Column("name", String(64), primary_key=True),
    Column("label", NAME, primary_key=True),
    Column("value", BigInteger, nullable=False),
)
