"""The tables: all state that a decision rests on. Times are UTC; money is integer nano-dollars."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
)

NAME = String(256)


class UtcDateTime(TypeDecorator[datetime]):
    """An aware moment in UTC on every database; SQLite has no zones, so it is stored there without one."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        """Store in UTC."""
        if value is None:
            return None
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """Give back an aware moment."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if dialect.name == "sqlite" else value.astimezone(UTC)  # type: ignore[no-any-return]


METADATA = MetaData()

#: Batches that were applied; a batch id found here has been counted and is acknowledged untouched.
BATCHES = Table(
    "batches",
    METADATA,
    Column("batch_id", NAME, primary_key=True),
    Column("producer", NAME, nullable=False),
    Column("events", Integer, nullable=False),
    Column("applied_at", UtcDateTime, nullable=False, index=True),
)

#: How often a batch came again without being applied: one that keeps killing its worker is parked.
REDELIVERIES = Table(
    "redeliveries",
    METADATA,
    Column("batch_id", NAME, primary_key=True),
    Column("times", Integer, nullable=False),
    #: When it last did.
    Column("at", UtcDateTime, nullable=False, index=True),
)

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
    #: A budget's, as they were when it last spoke.
    Column("figures", JSON),
    #: A report's.
    Column("tables", JSON),
    Column("chart", JSON),
    Column("count", BigInteger, nullable=False),
    Column("told", BigInteger, nullable=False),
    #: When that was.
    Column("told_at", UtcDateTime),
    Column("summaries", Integer, nullable=False),
    Column("first_at", UtcDateTime, nullable=False),
    Column("last_at", UtcDateTime, nullable=False),
    Column("opened_at", UtcDateTime, nullable=False, index=True),
    Column("next_summary_at", UtcDateTime, nullable=False, index=True),
    #: When to remind of an open condition; NULL once somebody has acknowledged it.
    Column("repeat_at", UtcDateTime),
    #: What mutes it ("silence <id>", "alert <id>", "time"), while it is muted and nobody was told.
    Column("muted_by", NAME),
    #: Channels that were mute at that hour when others were told of the condition, and are still to be told.
    Column("owed", JSON(none_as_null=True)),
    #: As ``muted_by``, or "no route", for the latest of its messages that reached nobody; kept, unlike ``muted_by``.
    Column("withheld_by", NAME),
    Column("acked_at", UtcDateTime),
    Column("acked_by", NAME),
    Column("ack_note", Text),
    Column("closed_at", UtcDateTime, index=True),
)

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

#: Named moments of the line itself: when the last canary was sent, and when the last that arrived had been sent.
LINE = Table("line", METADATA, Column("name", String(64), primary_key=True), Column("at", UtcDateTime, nullable=False))

LANES = Table(
    "lanes",
    METADATA,
    Column("channel", NAME, primary_key=True),
    Column("token", String(36)),
    Column("leased_until", UtcDateTime, nullable=False),
    #: Not before this, because the receiver asked us to wait.
    Column("next_free_at", UtcDateTime, nullable=False),
    #: When the messages sent so far would be through at the receiver's pace; may run ahead by a burst.
    Column("paced_until", UtcDateTime),
    #: Since when every attempt has failed, and how many did.
    Column("failing_since", UtcDateTime),
    Column("failures", Integer, nullable=False),
    #: Message after message failed: not before this is one tried for all of them.
    Column("probe_at", UtcDateTime),
    #: Since when its trouble is announced.
    Column("broken_at", UtcDateTime),
)

#: One row per step of an alert and channel, written before anything is sent.
NOTIFICATIONS = Table(
    "notifications",
    METADATA,
    Column("id", String(36), primary_key=True),
    Column("alert_id", String(36), nullable=False),
    Column("step", String(32), nullable=False),
    Column("channel", NAME, nullable=False),
    Column("status", String(16), nullable=False),
    Column("message", Text, nullable=False),
    Column("body", Text),
    Column("attempts", Integer, nullable=False),
    #: 0 for what goes before all that waits in the lane, 2 for what some recipients have and others not yet, else 1.
    Column("turn", SmallInteger, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("next_attempt_at", UtcDateTime, nullable=False),
    Column("settled_at", UtcDateTime, index=True),
    Column("reason", String(32)),
    Column("answer", Text),
    #: The notification that tells this one, too ("merged").
    Column("merged_into", String(36), index=True),
    # A lane with a hundred thousand messages must not be sorted, or joined with itself, for each that is sent: also a
    # planner without statistics takes the first of these for one alert, and the second, which is in order, for a lane.
    UniqueConstraint("alert_id", "channel", "step"),
    Index("notifications_in_order", "status", "channel", "turn", "created_at", "id", "next_attempt_at"),
)

#: Every try to send a notification, with what came of it.
ATTEMPTS = Table(
    "attempts",
    METADATA,
    Column("notification_id", String(36), primary_key=True),
    Column("at", UtcDateTime, primary_key=True),
    Column("outcome", String(32), nullable=False),
    Column("answer", Text, nullable=False),
)

DEAD_LETTERS = Table(
    "dead_letters",
    METADATA,
    Column("id", String(36), primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("reason", Text, nullable=False),
    Column("batch_id", NAME),
    Column("position", Integer),
    #: The event's or the alert's, and a notification's channel: what people filter by.
    Column("type", NAME, index=True),
    Column("channel", NAME),
    Column("payload", LargeBinary, nullable=False),
    Column("created_at", UtcDateTime, nullable=False, index=True),
)

#: Everything dropped, muted, merged or parked is counted here with its reason.
COUNTERS = Table(
    "counters",
    METADATA,
    Column("name", String(64), primary_key=True),
    Column("label", NAME, primary_key=True),
    Column("value", BigInteger, nullable=False),
)

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
