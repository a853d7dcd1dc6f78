"""Our own running processes, with the configuration that each has in force."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Column, String, Table

from alertworker.store.schema.base import METADATA, NAME, UtcDateTime

PROCESSES = Table(
    "processes",
    METADATA,
    Column("host", NAME, primary_key=True),
    #: "ingest", "deliver", "all", "beat" or "web".
    Column("role", String(16), primary_key=True),
    Column("pid", BigInteger, primary_key=True, autoincrement=False),
    Column("version", String(64), nullable=False),
    #: A digest of each setting by its name. Secrets are left out: a digest of a weak one could be guessed.
    Column("settings", JSON, nullable=False),
    #: The kind and the label of each channel, by its name.
    Column("channels", JSON, nullable=False),
    Column("started_at", UtcDateTime, nullable=False),
    Column("seen_at", UtcDateTime, nullable=False),
)
