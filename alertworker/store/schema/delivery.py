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
    #: The earliest time of the next message, because the receiver asked us to wait.
    Column("next_free_at", UtcDateTime, nullable=False),
    #: The time at which all messages sent so far fit the receiver's pace. It may be ahead by a burst.
    Column("paced_until", UtcDateTime),
    #: The time since which every attempt has failed, and the number of these attempts.
    Column("failing_since", UtcDateTime),
    Column("failures", Integer, nullable=False),
    #: Several messages failed in a row: one of them is tried at this time, and not before.
    Column("probe_at", UtcDateTime),
    #: The time since which the lane is announced as broken.
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
    #: 0 for what goes before everything else in the lane, 2 for a remainder, else 1.
    Column("turn", SmallInteger, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("next_attempt_at", UtcDateTime, nullable=False),
    Column("settled_at", UtcDateTime, index=True),
    Column("reason", String(32)),
    Column("answer", Text),
    #: The notification that contains this one ("merged").
    Column("merged_into", String(36), index=True),
    # A lane with 100,000 messages must not be sorted, or joined with itself, for each message. Without statistics, a
    # planner also uses the first of these for one alert, and the second, which is ordered, for a lane.
    UniqueConstraint("alert_id", "channel", "step"),
    Index("notifications_in_order", "status", "channel", "turn", "created_at", "id", "next_attempt_at"),
)

#: Every attempt to send a notification, with its result.
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
    #: The type of the event or alert, and a notification's channel. People filter by it.
    Column("type", NAME, index=True),
    Column("channel", NAME),
    Column("payload", LargeBinary, nullable=False),
    Column("created_at", UtcDateTime, nullable=False, index=True),
    #: Letters are counted by kind, and listed by it, without reading what they carry.
    Index("dead_letters_by_kind", "kind", "created_at", "id"),
)
