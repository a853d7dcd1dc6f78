"""Alerts with their occurrences and files, and silences."""

from __future__ import annotations

from typing import Final

from sqlalchemy import JSON, BigInteger, Column, Index, Integer, String, Table, Text

from alertworker.alerts.catalogue import AlertType
from alertworker.store.schema.base import METADATA, NAME, Count, UtcDateTime

#: One row per generation of an alert. ``open_fingerprint`` is the fingerprint while it is open and NULL afterwards, so
#: its unique constraint allows one open generation, on every database.
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
    #: The `OutageHeadline` that ``headline`` was made from; NULL for other alerts, and in the previous version's rows.
    Column("headline_parts", JSON(none_as_null=True)),
    Column("labels", JSON, nullable=False),
    Column("facts", JSON, nullable=False),
    Column("metadata", JSON, nullable=False),
    #: The figures of a budget alert, from its last report.
    Column("figures", JSON),
    #: The tables of a report.
    Column("tables", JSON),
    Column("chart", JSON),
    Column("count", Count, nullable=False),
    #: How many of its occurrences messages have counted.
    Column("told", Count, key="notified_count", nullable=False),
    #: When the latest of these occurrences was counted.
    Column("told_at", UtcDateTime, key="notified_at"),
    Column("summaries", Integer, nullable=False),
    Column("first_at", UtcDateTime, nullable=False),
    Column("last_at", UtcDateTime, nullable=False),
    Column("opened_at", UtcDateTime, nullable=False, index=True),
    Column("next_summary_at", UtcDateTime, nullable=False, index=True),
    #: The time of the next reminder of an open condition; NULL once a person has acknowledged it.
    Column("repeat_at", UtcDateTime),
    #: The `Suppression` of the firing message, as a string; NULL once that message was written.
    Column("muted_by", NAME, key="suppressed_by"),
    #: Channels that were mute when others were notified of the firing, and still have to be notified.
    Column("owed", JSON(none_as_null=True), key="deferred_channels"),
    #: The `Suppression` of the latest message that was sent to no channel, as a string. It is never reset, unlike
    #: ``suppressed_by``.
    Column("withheld_by", NAME, key="last_suppressed_by"),
    Column("acked_at", UtcDateTime),
    Column("acked_by", NAME),
    Column("ack_note", Text),
    Column("closed_at", UtcDateTime, index=True),
)

#: Few alerts are open, and many are closed: indexes of open alerts leave the closed ones out.
OPEN: Final = ALERTS.c.open_fingerprint.is_not(None)
#: Alerts of a type that this version knows. The others belong to the newer version that raised them. The column is
#: inside an expression, because a database would otherwise use an index of labels for it, which begins with the type.
KNOWN_TYPE: Final = ALERTS.c.type.concat("").in_(sorted(AlertType))
#: The queries that the sweep runs every second, on open alerts.
for _moment in ("next_summary_at", "repeat_at"):
    Index(f"alerts_open_by_{_moment}", ALERTS.c[_moment], sqlite_where=OPEN, postgresql_where=OPEN)
#: The lists of the pages, newest first: open alerts, suppressed ones, those of a type and those of a fingerprint.
Index("alerts_open_by_opened_at", ALERTS.c.opened_at, ALERTS.c.id, sqlite_where=OPEN, postgresql_where=OPEN)
SUPPRESSED: Final = ALERTS.c.suppressed_by.is_not(None) | ALERTS.c.last_suppressed_by.is_not(None)
Index("alerts_suppressed", ALERTS.c.opened_at, ALERTS.c.id, sqlite_where=SUPPRESSED, postgresql_where=SUPPRESSED)
Index("alerts_by_type", ALERTS.c.type, ALERTS.c.opened_at, ALERTS.c.id)
Index("alerts_by_fingerprint", ALERTS.c.fingerprint, ALERTS.c.opened_at)
Index("alerts_closed_by_fingerprint", ALERTS.c.fingerprint, ALERTS.c.closed_at)
_DEFERRED: Final = OPEN & ALERTS.c.deferred_channels.is_not(None)
Index("alerts_owing", ALERTS.c.fingerprint, sqlite_where=_DEFERRED, postgresql_where=_DEFERRED)

#: Silences: ``matchers`` are in their written form.
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

#: Occurrences of an alert by name, in order of arrival. Only a few are stored per message.
MEMBERS = Table(
    "alert_members",
    METADATA,
    Column("alert_id", String(36), primary_key=True),
    Column("position", BigInteger, primary_key=True),
    Column("member", Text, nullable=False),
)

#: An alert's occurrences by team, and how many of them messages have counted.
PARTS = Table(
    "alert_parts",
    METADATA,
    Column("alert_id", String(36), primary_key=True),
    Column("part", NAME, primary_key=True),
    Column("count", Count, nullable=False),
    Column("told", Count, key="notified_count", nullable=False),
)

#: Files that belong to an alert's messages, so that no message has to carry them.
ATTACHMENTS = Table(
    "attachments",
    METADATA,
    Column("alert_id", String(36), primary_key=True),
    Column("name", NAME, primary_key=True),
    Column("media_type", String(64), nullable=False),
    Column("content", Text, nullable=False),
)
