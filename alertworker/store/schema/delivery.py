"""Lanes, notifications with their attempts, and dead letters."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, LargeBinary, SmallInteger, String, Table, Text, UniqueConstraint

from alertworker.store.schema.base import METADATA, NAME, UtcDateTime

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
