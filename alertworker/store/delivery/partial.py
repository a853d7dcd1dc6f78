"""What is left of a message that some of its recipients have and others may still take: a notification of its own."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import select

from alertworker.events.base import new_id
from alertworker.store.schema.delivery import NOTIFICATIONS
from alertworker.store.upsert import Statements

#: Its turn: after all that nobody has yet.
REST: Final = 2
#: A mailbox that takes nothing now takes nothing in a second either.
_FIRST_AFTER: Final = timedelta(minutes=1)


def add_rest(tx: Statements, sent: Any, body: str, *, now: datetime) -> None:
    """Write what is left of a message that was just sent; its deadline is counted from that one's birth.

    It is of no alert, so that nothing about the alert waits for it: the other recipients are told that in its time.
    """
    row = {
        "id": str(new_id()),
        "alert_id": str(new_id()),
        "step": sent.step,
        "channel": sent.channel,
        "status": "pending",
        "message": sent.message,
        "body": body,
        "attempts": 0,
        "turn": REST,
        "created_at": sent.created_at,
        "next_attempt_at": now + _FIRST_AFTER,
    }
    tx.connection.execute(NOTIFICATIONS.insert().values(row))


def is_rest(tx: Statements, notification_id: str) -> bool:
    """Tell whether a notification is what is left of another."""
    turn = select(NOTIFICATIONS.c.turn).where(NOTIFICATIONS.c.id == notification_id)
    return tx.connection.execute(turn).scalar() == REST
