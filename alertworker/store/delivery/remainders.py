"""Remainders: a message that only some recipients have is sent to the others as a notification of its own."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select

from alertworker.delivery.status import NotificationStatus
from alertworker.delivery.turns import PARTIAL_TURN, REMAINDER_AFTER
from alertworker.events.base import new_id
from alertworker.ports.admin import NotificationRow
from alertworker.store.schema.delivery import NOTIFICATIONS
from alertworker.store.upsert import Statements


def add_remainder(tx: Statements, sent: NotificationRow, body: str, *, now: datetime) -> None:
    """Write the remainder of a message that was just sent. Its deadline counts from the time of that message.

    It belongs to no alert, so later messages about the alert do not wait for it.
    """
    row = {
        "id": str(new_id()),
        "alert_id": str(new_id()),
        "step": sent.step,
        "channel": sent.channel,
        "status": NotificationStatus.PENDING,
        "message": sent.message,
        "body": body,
        "attempts": 0,
        "turn": PARTIAL_TURN,
        "created_at": sent.created_at,
        "next_attempt_at": now + REMAINDER_AFTER,
    }
    tx.connection.execute(NOTIFICATIONS.insert().values(row))


def is_remainder(tx: Statements, notification_id: str) -> bool:
    """Return whether a notification is the remainder of another one."""
    turn = select(NOTIFICATIONS.c.turn).where(NOTIFICATIONS.c.id == notification_id)
    return tx.connection.execute(turn).scalar() == PARTIAL_TURN
