"""Sessions of the pages."""

from __future__ import annotations

from sqlalchemy import Column, String, Table

from alertworker.store.schema.base import METADATA, NAME, UtcDateTime

SESSIONS = Table(
    "sessions",
    METADATA,
    #: HMAC-SHA256 of the cookie under the admin key, in hex. The cookie itself is not stored.
    Column("digest", String(64), primary_key=True),
    Column("name", NAME, nullable=False),
    #: The token in every form of the session.
    Column("csrf", String(64), nullable=False),
    Column("ends_at", UtcDateTime, nullable=False, index=True),
)
