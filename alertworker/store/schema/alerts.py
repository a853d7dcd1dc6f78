"""Alerts with what belongs to them, and silences."""

from __future__ import annotations

from typing import Final

from sqlalchemy import JSON, BigInteger, Column, Index, Integer, String, Table, Text

from alertworker.alerts.catalogue import AlertType
from alertworker.store.schema.base import METADATA, NAME, UtcDateTime

#: One row per generation of an alert. ``open_fingerprint`` is the fingerprint while it is open and NULL afterwards, so
#: that its unique constraint allows one open generation, on every database.
ALERTS = Table(
    "alerts",
    METADATA,
    Column("id", String(36), primary_key=True),
    Column("fingerprint", String(32), nullable=False, index=True),
    Column("open_fingerprint", String(32), unique=True),
    Column("type", String(64), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("severity", String(16), nullable=False),
    Column("level", Integer, nullable=False),
    Column("headline", Text, nullable=False),
    Column("labels", JSON, nullable=False),
    Column("facts", JSON, nullable=False),
    Column("metadata", JSON, nullable=False),
    #: A budget's, as they were when it was last reported.
    Column("figures", JSON),
    #: A report's.
    Column("tables", JSON),
    Column("chart", JSON),
    Column("count", BigInteger, nullable=False),
    #: How many of its occurrences messages have counted.
    Column("told", BigInteger, nullable=False),
    #: When the latest of them was counted.
    Column("told_at", UtcDateTime),
    Column("summaries", Integer, nullable=False),
    Column("first_at", UtcDateTime, nullable=False),
    Column("last_at", UtcDateTime, nullable=False),
    Column("opened_at", UtcDateTime, nullable=False, index=True),
    Column("next_summary_at", UtcDateTime, nullable=False, index=True),
    #: When to remind of an open condition; NULL once a person has acknowledged it.
    Column("repeat_at", UtcDateTime),
    #: The text of the `Suppression` that keeps back the message that it fires; NULL once that was written.
    Column("muted_by", NAME),
    #: Channels that were mute at the hour when others were notified that it fires, and are still to be notified.
    Column("owed", JSON(none_as_null=True)),
    #: The text of the `Suppression` of the latest of its messages that reached nobody; kept, unlike ``muted_by``.
    Column("withheld_by", NAME),
    Column("acked_at", UtcDateTime),
    Column("acked_by", NAME),
    Column("ack_note", Text),
    Column("closed_at", UtcDateTime, index=True),
)

#: Few alerts are open, and many are closed: indexes of open alerts leave the others out.
OPEN: Final = ALERTS.c.open_fingerprint.is_not(None)
#: Of a type that this version knows. Alerts of other types belong to the newer version that has raised them. The column
#: stands in an expression, or a database would take an index of labels for it, which begins with the type.
KNOWN_TYPE: Final = ALERTS.c.type.concat("").in_(sorted(AlertType))
#: What the sweep looks for each second, among open alerts.
for _moment in ("next_summary_at", "repeat_at"):
    Index(f"alerts_open_by_{_moment}", ALERTS.c[_moment], sqlite_where=OPEN, postgresql_where=OPEN)
_OWING: Final = OPEN & ALERTS.c.owed.is_not(None)
Index("alerts_owing", ALERTS.c.fingerprint, sqlite_where=_OWING, postgresql_where=_OWING)

#: A person's orders to mute matching alerts until a time; ``matchers`` are in their written form.
SILENCES = Table(
    "silences",
    METADATA,
    Column("id", String(36), primary_key=True),
    Column("matchers", JSON, nullable=False),
    Column("starts_at", UtcDateTime, nullable=False),
    Column("ends_at", UtcDateTime, nullable=False, index=True),
    Column("author", NAME, nullable=False),
    Column("reason", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
)

#: Occurrences of an alert by name, in the order they came; at most a few are kept per message.
MEMBERS = Table(
    "alert_members",
    METADATA,
    Column("alert_id", String(36), primary_key=True),
    Column("position", BigInteger, primary_key=True),
    Column("member", Text, nullable=False),
)

#: How an alert's occurrences divide among teams, and how many of them were told.
PARTS = Table(
    "alert_parts",
    METADATA,
    Column("alert_id", String(36), primary_key=True),
    Column("part", NAME, primary_key=True),
    Column("count", BigInteger, nullable=False),
    Column("told", BigInteger, nullable=False),
)

#: Files that go with an alert's messages, so that no message has to carry them.
ATTACHMENTS = Table(
    "attachments",
    METADATA,
    Column("alert_id", String(36), primary_key=True),
    Column("name", NAME, primary_key=True),
    Column("media_type", String(64), nullable=False),
    Column("content", Text, nullable=False),
)
